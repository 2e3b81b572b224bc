"""What a run by hand must pass: the rails that bind operators, the locks of others, and the
approval of those who are named for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from selfheal.approvals import decide_by_hand, is_asked_about, why_undecided
from selfheal.clock import SystemClock
from selfheal.config import Approval, Rails
from selfheal.daemon.reach import Reach, Touched
from selfheal.model import (
    Answer,
    ApprovalState,
    Channel,
    Healing,
    Lock,
    Refusal,
    Refused,
    Stage,
    Verdict,
)
from selfheal.ports import Record
from selfheal.rails import RailRequest
from selfheal.rails import check as check_rails
from selfheal.recovery import OpenGate, told_locks


class ByHandGate(OpenGate):
    """Implements `ports.Gate`. Refuses where the engine would wait, unless `wait`: an operator who
    sits before it need not wait unasked. The one who runs it has said yes by doing so."""

    def __init__(
        self,
        record: Record,
        rails: Rails,
        approval: Approval,
        reach: Reach,
        is_dead: Callable[[Lock], bool],
        *,
        wait: bool,
    ) -> None:
        super().__init__()
        self._record = record
        self._rails = rails
        self._approval = approval
        self._reach = reach
        self._is_dead = is_dead
        self._wait = wait

    async def check(self, healing: Healing, rung: int, stage: Stage) -> Refused | None:
        """See `ports.Gate.check`."""
        if healing.options.get("check"):
            return None  # nothing is changed, so there is nothing to guard
        now = SystemClock().now()
        touched = await self._reach.of(healing, rung, now)
        request = self._request(healing, rung, stage, now, touched)
        refused = self._admitted(request, touched)
        if refused is None:
            return None if self._wait else self._locked(healing, stage)
        if refused.verdict is Verdict.WAIT and not self._wait:
            return replace(refused, verdict=Verdict.STOP)
        return refused

    async def consent(self, healing: Healing, rung: int) -> Refused | None:
        """See `ports.Gate.consent`. No reason to override stands for a yes."""
        solution, options = healing.ladder[rung], healing.options
        if options.get("check") or not is_asked_about(solution, self._approval):
            return None
        who, now = str(options.get("who") or ""), SystemClock().now()
        given = Answer(who, True, "ran it by hand", now, Channel.CLI)
        user = str(options.get("typed_by") or who)
        asked = decide_by_hand(self._record, self._approval, healing, rung, given, user)
        if asked.state is ApprovalState.APPROVED:
            return None
        return Refused(Refusal.DENIED, why_undecided(asked, who), Verdict.STOP)

    def _admitted(self, request: RailRequest, touched: Touched | Refused) -> Refused | None:
        """Count and be counted in one transaction: other processes run by hand, too."""
        with self._record.transaction():
            refused = check_rails(request, self._record, self._rails)
            if refused is None and isinstance(touched, Refused) and not request.override:
                refused = touched
            if refused is None:
                hosts, now = request.reach, request.now
                self._record.admit(request.healing_id, request.solution, hosts, now)
            elif request.stage is Stage.START:
                self._record.withdraw_admission(request.healing_id)
            return refused

    def _request(
        self, healing: Healing, rung: int, stage: Stage, now: float, touched: Touched | Refused
    ) -> RailRequest:
        known = touched if isinstance(touched, Touched) else Touched()
        return RailRequest(
            stage=stage,
            now=now,
            healing_id=healing.id,
            target=healing.resource,
            solution=healing.ladder[rung].name,
            rung=rung,
            hosts=known.hosts,
            inventory=known.inventory,
            groups=known.groups,
            override=str(healing.options.get("override") or ""),
        )

    def _locked(self, healing: Healing, stage: Stage) -> Refused | None:
        """Look before the locks are taken."""
        held = [one for one in self._record.locks_against(healing) if not self._is_dead(one)]
        if stage is not Stage.START or not held:
            return None
        return Refused(Refusal.LOCKED, told_locks(held), Verdict.STOP)
