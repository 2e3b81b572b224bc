"""Answers, grants, looks, restarts in any order on a real record: what must hold, holds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from selfheal.approvals import answer, settle, withdraw
from selfheal.clock import ManualClock
from selfheal.model import (
    Answer,
    Approval,
    ApprovalState,
    Channel,
    Grant,
    Heard,
    Need,
    Risk,
    new_id,
)
from selfheal.store import open_record
from tests.store.nouns import a_healing

PEOPLE = st.sampled_from(["anna", "ben", "eve"])
TIMES = st.floats(0, 120)


class Questions(RuleBasedStateMachine):
    """Three questions on one file; `seen` is what each was last found to be."""

    @initialize(
        need=st.sampled_from(Need),
        approvers=st.sampled_from([(), ("anna",), ("anna", "ben")]),
    )
    def ask(self, need: Need, approvers: tuple[str, ...]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.now = 0.0
        self._open()
        self.seen: dict[str, ApprovalState] = {}
        for number in range(3):
            healing = a_healing(resource=f"web{number}")
            self.record.add_healing(healing)
            values: dict[str, Any] = {
                "id": f"ap-{number}",
                "healing_id": healing.id,
                "incident_id": "",
                "rung": 0,
                "solution": "restart",
                "risk": Risk.HIGH,
                "target": healing.resource,
                "reasons": (),
                "need": need,
                "approvers": approvers,
                "asked_at": 0.0,
                "expires_at": 100.0,
            }
            self.record.add_approval(Approval(**values))
            self.seen[f"ap-{number}"] = ApprovalState.PENDING

    def _open(self) -> None:
        self.record = open_record(Path(self.folder.name) / "record.db", ManualClock())

    @rule(number=st.integers(0, 2), who=PEOPLE, yes=st.sampled_from([True, True, False]))
    def say(self, number: int, who: str, yes: bool) -> None:
        before = self.record.approval(f"ap-{number}")
        given = Answer(who, yes, "", self.now, Channel.CLI)
        heard, after = answer(self.record, before.id, given)
        assert (heard is Heard.COUNTED) == (given in after.answers and given not in before.answers)
        if before.approvers and who not in before.approvers:
            assert heard in (Heard.NOT_ASKED, Heard.TOO_LATE)

    @rule(who=PEOPLE, glob=st.sampled_from(["*", "web1"]), uses=st.integers(1, 2), start=TIMES)
    def grant(self, who: str, glob: str, uses: int, start: float) -> None:
        end = start + 50
        self.record.add_grant(Grant(new_id("gr"), "*", glob, start, end, uses, who, "", 0.0))

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(number=st.integers(0, 2))
    def look(self, number: int) -> None:
        settle(self.record, f"ap-{number}", self.now)

    @rule(number=st.integers(0, 2))
    def take_back(self, number: int) -> None:
        withdraw(self.record, self.record.approval(f"ap-{number}"), "", self.now)

    @rule()
    def restart(self) -> None:
        self.record.close()
        self._open()

    @invariant()
    def only_enough_people_approve(self) -> None:
        for approval in self.record.approvals(state="approved"):
            agreed = {one.who for one in approval.answers if one.yes and one.at < 100.0}
            assert not any(not one.yes for one in approval.answers)
            if approval.approvers:
                assert agreed <= set(approval.approvers)
            if approval.need is Need.ALL:
                assert agreed >= set(approval.approvers)
            assert agreed

    @invariant()
    def what_has_ended_stays(self) -> None:
        for approval in self.record.approvals():
            if self.seen[approval.id] is not ApprovalState.PENDING:
                assert approval.state is self.seen[approval.id]
            assert (approval.state is ApprovalState.PENDING) == (approval.ended_at is None)
            self.seen[approval.id] = approval.state

    @invariant()
    def grants_are_used_as_often_as_they_answered(self) -> None:
        grants = self.record.grants(limit=1000)
        answers = [one for found in self.record.approvals() for one in found.answers]
        by_grant = sum(one.channel is Channel.GRANT for one in answers)
        assert sum(grant.used for grant in grants) == by_grant
        assert all(grant.used <= grant.uses for grant in grants)

    def teardown(self) -> None:
        if hasattr(self, "record"):
            self.record.close()
            self.folder.cleanup()


TestQuestions = Questions.TestCase
TestQuestions.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
