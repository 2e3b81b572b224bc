"""A run by hand of what needs approval: decided at once, by who runs it and what was granted."""

from __future__ import annotations

import glob
import shlex

from selfheal.approvals.answering import decide_now, tell_typist
from selfheal.approvals.asking import question, taken_up
from selfheal.approvals.judge import may_answer
from selfheal.approvals.message import who_must
from selfheal.config import Approval as Config
from selfheal.model import Answer, Approval, ApprovalState, Healing, Need, Solution
from selfheal.ports import Record


class _Undecided(Exception):
    """Nothing of the question is to stay on record, and no grant used up."""


def is_asked_about(solution: Solution, config: Config) -> bool:
    """Tell whether a run of it by hand needs a yes: by its risk. Whoever runs it believes in it."""
    return solution.risk.level >= config.risk.level


def decide_by_hand(
    record: Record, config: Config, healing: Healing, rung: int, given: Answer, user: str
) -> Approval:
    """Return the approval of that rung: APPROVED and on record, else PENDING and never asked.

    `given` is the yes of the person who runs it, which counts if they are an approver; `user` is
    who typed it. What else it takes must have been granted ahead."""
    if known := taken_up(record, healing, rung, given.at):
        return known
    risk = healing.ladder[rung].risk.value
    asked = question(healing, rung, [f"run by hand by {given.who}, {risk} risk"], config, given.at)
    try:
        with record.transaction():
            asked = decide_now(record, asked, given)
            if asked.state is not ApprovalState.APPROVED:
                raise _Undecided
            if any(one.who == given.who for one in asked.answers):
                tell_typist(record, asked, given.who, user)
    except _Undecided:
        pass  # undone; `asked` knows who has said yes so far
    return asked


def why_undecided(approval: Approval, who: str) -> str:
    """Return whose yes is missing for a run by hand of `who`, and how to give it."""
    agreed = {one.who for one in approval.answers if one.yes}
    missing = [name for name in approval.approvers if name not in agreed]
    said = [who_must(approval)]
    if not may_answer(approval, who):
        said.append(f"{who} is none of them (--as says who you are)")
    if approval.need is Need.ALL:
        said.append(f"missing: {', '.join(missing)}")
    words = ["selfheal", "approve", "--ahead", glob.escape(approval.solution)]
    words += ["--target", glob.escape(approval.target), "--as", missing[0], "--why", "WHY"]
    return f"{'; '.join(said)}; ahead of time: {shlex.join(words)}"
