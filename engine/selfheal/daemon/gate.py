"""The gate: what a healing must pass before anything of it begins.

Rails first, since they cost nothing; then, where one must agree, a human. What was decided, and
why, is on record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from selfheal.approvals import Approvals
from selfheal.clock import Clock
from selfheal.config import Rails
from selfheal.daemon.echo import Echoes
from selfheal.daemon.reach import Reach, Touched
from selfheal.daemon.telling import tell_decision
from selfheal.decision import Policy, decide_rung, refuse
from selfheal.model import (
    Approval,
    ApprovalState,
    Autonomy,
    Decision,
    Fault,
    FaultState,
    Healing,
    Refusal,
    Refused,
    Rule,
    Stage,
    Verdict,
)
from selfheal.ports import Record
from selfheal.rails import RailRequest, needs_approval
from selfheal.rails import check as check_rails

RuleOf = Callable[[str, str], Rule | None]
"""A rule by ruleset and name, as the rulebooks in force have it."""


class DecisionGate:
    """Implements `ports.Gate` for the healings of faults."""

    def __init__(
        self,
        record: Record,
        *,
        rails: Callable[[], Rails],
        policy: Callable[[], Policy],
        approvals: Approvals,
        reach: Reach,
        echoes: Echoes,
        rule_of: RuleOf,
        clock: Clock,
    ) -> None:
        self.changed = asyncio.Event()
        self._record = record
        self._rails = rails
        self._policy = policy
        self._approvals = approvals
        self._reach = reach
        self._echoes = echoes
        self._rule_of = rule_of
        self._clock = clock
        # What was told last of each healing: one that waits is asked about again and again.
        self._decided: dict[str, tuple[int, bool]] = {}
        self._refused: dict[str, tuple[int, Refusal]] = {}

    async def check(self, healing: Healing, rung: int, stage: Stage) -> Refused | None:
        """See `ports.Gate.check`."""
        fault = self._record.fault(healing.fault_id)
        refused = _gone(fault)
        if refused is None:
            touched = await self._reach.of(healing, rung, self._clock.now())
            request = self._request(healing, fault, rung, stage, _known(touched))
            refused = check_rails(request, self._record, self._rails()) or _unknown(touched)
        if refused is not None:
            self._tell_refused(healing, fault, rung, refused)
            return refused
        self._refused.pop(healing.id, None)
        self._record.admit(healing.id, request.solution, request.reach, request.now)
        return None

    async def consent(self, healing: Healing, rung: int) -> Refused | None:
        """See `ports.Gate.consent`."""
        fault = self._record.fault(healing.fault_id)
        if not healing.attempts and await self._echoes.is_one(healing, fault, rung):
            return self._drop_echo(healing, fault, rung)
        request = self._request(healing, fault, rung, Stage.RUNG, Touched())
        objection = needs_approval(request, self._record, self._rails())
        decision = decide_rung(
            fault,
            healing.ladder,
            rung,
            self._record.solution_record,
            self._policy(),
            self._clock.now(),
            [objection] if objection else [],
        )
        if self._is_decided_anew(healing, rung, decision):
            tell_decision(self._record, decision, healing.id)
        if not decision.requires_approval:
            return None
        approval = await self._approvals.ask(healing, rung, decision.reasoning)
        refused = _refusal(approval, is_last=rung + 1 == len(healing.ladder))
        if refused is not None:
            self._tell_refused(healing, fault, rung, refused)
        return refused

    def _drop_echo(self, healing: Healing, fault: Fault, rung: int) -> Refused:
        self._record.set_fault_state(fault.id, FaultState.ECHO, self._clock.now())
        why = "reported only while the target settled, and the proof holds: nothing needs doing"
        refused = Refused(Refusal.FAULT_GONE, why, Verdict.STOP)
        self._tell_refused(healing, fault, rung, refused)
        return refused

    def ended(self, healing: Healing) -> None:
        """A healing has ended: forget it, and let others be asked about again."""
        self._decided.pop(healing.id, None)
        self._refused.pop(healing.id, None)
        self._approvals.withdraw(healing.id, "the healing has ended")
        self.changed.set()

    def fault_over(self, healing: Healing) -> None:
        """The fault of an open healing is over: what is asked about it is asked in vain."""
        self._approvals.withdraw(healing.id, "the fault is over")
        self.changed.set()

    def _request(
        self, healing: Healing, fault: Fault, rung: int, stage: Stage, touched: Touched
    ) -> RailRequest:
        rule = self._rule_of(fault.ruleset, fault.rule)
        return RailRequest(
            stage=stage,
            now=self._clock.now(),
            healing_id=healing.id,
            target=healing.resource,
            solution=healing.ladder[rung].name,
            rung=rung,
            fault=fault,
            hosts=touched.hosts,
            inventory=touched.inventory,
            groups=touched.groups,
            # A rule that is gone from the rulebooks can't say any more how far it may be trusted.
            autonomy=rule.autonomy if rule else Autonomy.APPROVE,
        )

    def _tell_refused(self, healing: Healing, fault: Fault, rung: int, refused: Refused) -> None:
        news = (rung, refused.reason)
        if self._refused.get(healing.id) != news:
            self._refused[healing.id] = news
            solution, now = healing.ladder[rung], self._clock.now()
            decision = refuse(fault, refused.reason, [refused.detail], now, solution=solution)
            tell_decision(self._record, decision, healing.id)

    def _is_decided_anew(self, healing: Healing, rung: int, decision: Decision) -> bool:
        news = (rung, decision.requires_approval)
        known, self._decided[healing.id] = self._decided.get(healing.id), news
        return known != news


def _known(touched: Touched | Refused) -> Touched:
    return touched if isinstance(touched, Touched) else Touched()


def _unknown(touched: Touched | Refused) -> Refused | None:
    """Asked after the rails: a pause, or a storm, is the better reason."""
    return touched if isinstance(touched, Refused) else None


def _gone(fault: Fault) -> Refused | None:
    if fault.state is FaultState.OPEN:
        return None
    why = f"the fault is {fault.state.value}; nothing needs doing"
    return Refused(Refusal.FAULT_GONE, why, Verdict.STOP)


def _refusal(approval: Approval, *, is_last: bool) -> Refused | None:
    """A no ends the healing. Nobody there to answer means no, too, but to this solution only."""
    match approval.state:
        case ApprovalState.APPROVED:
            return None
        case ApprovalState.DENIED:
            no = next(one for one in reversed(approval.answers) if not one.yes)
            why = f"{no.who} said no to {approval.solution}: {no.why or 'no reason given'}"
            return Refused(Refusal.DENIED, why, Verdict.STOP)
        case ApprovalState.EXPIRED:
            why = f"nobody allowed {approval.solution} in time"
            return Refused(Refusal.EXPIRED, why, Verdict.STOP if is_last else Verdict.SKIP)
        case _:
            why = f"the question about {approval.solution} was taken back"
            return Refused(Refusal.FAULT_GONE, why, Verdict.STOP)
