"""From a fault to a healing: open or join, decide, submit; and what the end of it means."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from selfheal.clock import Clock
from selfheal.daemon.evidence import evidence_of
from selfheal.daemon.gate import DecisionGate
from selfheal.daemon.telling import tell_decision
from selfheal.daemon.watchers import Watchers
from selfheal.decision import build_ladder, refuse
from selfheal.errors import TemplateError
from selfheal.model import (
    Decision,
    Fault,
    FaultState,
    Healing,
    HealingState,
    IncidentState,
    Kind,
    Outcome,
    Refusal,
    Solution,
    new_id,
)
from selfheal.ports import Notifier, Record, Runtime
from selfheal.recovery import locks_of

log = logging.getLogger(__name__)

# A healed fault may be reported this long before that means something: Prometheus must see that
# it is over, and Alertmanager tells a group again after its group_interval (5 minutes) only.
STILL_REPORTED_AFTER = 300.0


class Healer:
    """Sees to faults. Knows the record, the decision and the runtime; the rules know only it."""

    def __init__(
        self,
        record: Record,
        runtime: Callable[[], Runtime],
        notifier: Notifier,
        solutions: Callable[[], Iterable[Solution]],
        variables: Callable[[], Mapping[str, Any]],
        gate: DecisionGate,
        watchers: Watchers,
        clock: Clock,
        on_end: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        self._record = record
        self._runtime = runtime
        self._notifier = notifier
        self._solutions = solutions
        self._variables = variables
        self._gate = gate
        self._watchers = watchers
        self._clock = clock
        self._on_end = on_end
        # A repeat, and the end of a healing, may come while the same fault is being decided.
        self._one_at_a_time = asyncio.Lock()

    async def heal(self, fault: Fault) -> None:
        """Open the fault, or count it as a repeat; see to what is open and in nobody's hands."""
        # Should the power fail now, the event that reported it is matched anew.
        with self._record.transaction(durable=False):
            fault, new = self._record.open_fault(fault)
            self._tell_fault(
                fault,
                f"{fault.severity.value} {fault.type} of {_place(fault)}: {fault.message}"
                if new
                else f"reported again ({fault.count} times): {fault.message}",
            )
        self._watchers.fault_changed()
        if fault.state is FaultState.MANUAL:
            return  # a human has it until it is resolved; then nothing is left to see to
        async with self._one_at_a_time:
            fault = self._record.fault(fault.id)
            if fault.state is FaultState.OPEN:
                await self._go_on(fault)
            elif fault.state in (FaultState.HEALED, FaultState.RESOLVED):
                await self._doubt(fault)

    async def resume(self) -> None:
        """At start-up: see to faults that an earlier engine opened and did not finish with."""
        for incident in self._record.incidents(state=IncidentState.OPEN.value, limit=1_000_000):
            try:
                async with self._one_at_a_time:
                    await self._go_on(self._record.fault(incident.primary_fault_id))
            except Exception:
                # One incident that nobody can see to must not keep the others, and all that comes,
                # from being seen to.
                log.exception("incident %s can't be taken up", incident.id)

    async def rulebooks_loaded(self) -> None:
        """Plan anew what waits in the queue: nothing is begun that the rulebooks no longer say."""
        queued = self._record.healings(limit=1_000_000, state=HealingState.QUEUED.value)
        for healing in queued:
            if healing.fault_id and not healing.attempts and not healing.stop_requested:
                async with self._one_at_a_time:
                    self._plan_anew(healing, self._record.fault(healing.fault_id))
            await asyncio.sleep(0)  # the queue may be long: everybody else gets a turn

    def _plan_anew(self, healing: Healing, fault: Fault) -> None:
        """A healing that is left without a ladder ends as refused, and a human is called."""
        ladder = build_ladder(fault.root_cause, self._solutions(), self._record.solution_record)
        if ladder == healing.ladder:
            return
        refusal, why = Refusal.NO_SOLUTION, f"no solution's root_cause fits {fault.root_cause} now"
        try:
            locks = locks_of(ladder, healing.context)
        except TemplateError as error:
            refusal, why = Refusal.RAIL_FAILED, f"what must be locked can't be told: {error}"
            ladder, locks = (), healing.locks
        with self._record.transaction():
            if not self._record.replace_ladder(healing.id, ladder, locks):
                return
            if not ladder:
                decision = refuse(fault, refusal, [why], self._now())
                tell_decision(self._record, decision, healing.id)
                return
            names = ", then ".join(one.name for one in ladder)
            self._record.tell(
                Kind.HEALING,
                f"the rulebooks have changed: {names}",
                incident_id=healing.incident_id,
                healing_id=healing.id,
            )

    async def _go_on(self, fault: Fault) -> None:
        """Do what is missing: a fault whose incident is open may have been left anywhere."""
        state = self._record.newest_state(fault.incident_id)
        if state is None:
            await self._see_to(fault)
        elif state is HealingState.DONE:
            (newest,) = self._record.healings(incident_id=fault.incident_id, limit=1)
            await self._conclude(newest)

    async def _doubt(self, over: Fault) -> None:
        """Call a human when the world goes on reporting what was healed, resolved or closed."""
        since = over.last_seen - (over.ended_at or 0.0)
        if since <= STILL_REPORTED_AFTER:
            return
        healings = self._record.healings(incident_id=over.incident_id, limit=1)
        healed = over.state is FaultState.HEALED
        note = (
            f"{'validated as healed' if healed else 'resolved'}, yet still reported "
            f"{since / 60:.0f} minutes later: "
            + ("either the validation proves too little or " if healed else "either it is not or ")
            + "the report is out of date"
        )
        healing = healings[0] if healings else None
        await self._call_human(over, healing, note, cause=f"{over.id} still reported")
        self._close(over, FaultState.MANUAL, IncidentState.MANUAL)

    async def _see_to(self, fault: Fault) -> None:
        if not fault.root_cause:
            why = "the rule names no root cause and nothing else has found one"
            await self._give_up(fault, refuse(fault, Refusal.NO_ROOT_CAUSE, [why], self._now()))
            return
        records = self._record.solution_record
        ladder = build_ladder(fault.root_cause, self._solutions(), records)
        if not ladder:
            why = f"no solution's root_cause fits {fault.root_cause}"
            await self._give_up(fault, refuse(fault, Refusal.NO_SOLUTION, [why], self._now()))
            return
        try:
            healing = self._healing(fault, ladder)
        except TemplateError as error:
            why = f"what must be locked can't be told: {error}"
            await self._give_up(fault, refuse(fault, Refusal.RAIL_FAILED, [why], self._now()))
            return
        await self._runtime().submit(healing)

    async def resolve(self, component: str, target: str) -> None:
        """Note that the world says the component's faults are over."""
        open_healings: list[Healing] = []
        with self._record.transaction():
            for fault in self._record.resolve_faults(component, target, self._now()):
                self._tell_fault(fault, f"resolved: {fault.message}")
                # A healing under way closes its incident itself, when it has ended.
                healings = self._record.healings(incident_id=fault.incident_id)
                under_way = [one for one in healings if one.state is not HealingState.DONE]
                if not under_way:
                    resolved = IncidentState.RESOLVED
                    self._record.set_incident_state(fault.incident_id, resolved, self._now())
                open_healings += under_way
        for healing in open_healings:
            self._gate.fault_over(healing)
        self._watchers.fault_changed()

    async def on_done(self, healing: Healing) -> None:
        """Close the fault and its incident, or call a human with the evidence."""
        self._gate.ended(healing)
        if healing.fault_id:
            async with self._one_at_a_time:
                await self._conclude(healing)
            await self._watchers.healing_ended(healing)

    async def _conclude(self, healing: Healing) -> None:
        fault = self._record.fault(healing.fault_id)
        end, incident = _end_of(fault, healing)
        # A repeat of the fault may have concluded it meanwhile: a human is called once.
        if self._record.incident(fault.incident_id).state is not incident:
            if incident is IncidentState.MANUAL:
                await self._hand_over(fault, healing)
            self._close(fault, end, incident)
        self._on_end(healing.outcome or Outcome.UNKNOWN)

    async def _hand_over(self, fault: Fault, healing: Healing) -> None:
        """Call a human, unless the rule was told only to look on and nothing was run."""
        decisions = self._record.decisions(fault.incident_id)
        ran = any(attempt.outcome is not Outcome.REFUSED for attempt in healing.attempts)
        refused = None if ran or not decisions else decisions[-1].refused
        if refused is Refusal.SUGGEST_ONLY:
            name = healing.ladder[0].name
            await self._call_human(fault, healing, f"suggested: selfheal run-runbook {name}")
        elif refused is not Refusal.OBSERVE_ONLY:
            await self._call_human(fault, healing)

    def _healing(self, fault: Fault, ladder: tuple[Solution, ...]) -> Healing:
        """Raises TemplateError for a lock that can't be named."""
        variables = dict(self._variables())
        context = {
            **variables,
            "vars": variables,
            "target": fault.target,
            "component": fault.component,
            "root_cause": fault.root_cause,
            "fault": {
                "id": fault.id,
                "type": fault.type,
                "severity": fault.severity.value,
                "message": fault.message,
                "labels": dict(fault.labels),
            },
            "event": fault.metadata.get("event", {}),
            "events": fault.metadata.get("events", {}),
        }
        return Healing(
            id=new_id("he"),
            incident_id=fault.incident_id,
            fault_id=fault.id,
            resource=fault.target or fault.component,
            state=HealingState.QUEUED,
            ladder=ladder,
            context=context,
            locks=locks_of(ladder, context),
            created_at=self._now(),
        )

    async def _give_up(self, fault: Fault, decision: Decision) -> None:
        tell_decision(self._record, decision)
        await self._call_human(fault, None)
        self._close(fault, FaultState.MANUAL, IncidentState.MANUAL)
        self._on_end(Outcome.REFUSED)

    async def _call_human(
        self, fault: Fault, healing: Healing | None, note: str = "", cause: str = ""
    ) -> None:
        evidence = evidence_of(fault, self._record.decisions(fault.incident_id), healing)
        subject = f"{_place(fault)}: {fault.message}"
        await self._notifier.notify(
            subject,
            f"{note}\n\n{evidence}" if note else evidence,
            {
                "cause": cause,
                "incident_id": fault.incident_id,
                "healing_id": healing.id if healing else "",
                "fault": {
                    "type": fault.type,
                    "severity": fault.severity.value,
                    "component": fault.component,
                    "target": fault.target,
                    "root_cause": fault.root_cause,
                },
                "outcome": healing.outcome.value if healing and healing.outcome else "refused",
            },
        )

    def _close(self, fault: Fault, state: FaultState, incident: IncidentState) -> None:
        """Close both or none; after a human was called, so that a crash in between calls again.

        What a power cut takes of it the next start concludes anew."""
        with self._record.transaction(durable=False):
            self._record.set_fault_state(fault.id, state, self._now())
            self._record.set_incident_state(fault.incident_id, incident, self._now())

    def _tell_fault(self, fault: Fault, text: str) -> None:
        self._record.tell(
            Kind.FAULT,
            text,
            incident_id=fault.incident_id,
            data={"fault_id": fault.id, "state": fault.state.value, "count": fault.count},
        )

    def _now(self) -> float:
        return self._clock.now()


def _end_of(fault: Fault, healing: Healing) -> tuple[FaultState, IncidentState]:
    """What the end of the healing means for its fault, and for the incident."""
    if healing.outcome is Outcome.HEALED:
        return FaultState.HEALED, IncidentState.HEALED
    if fault.state is FaultState.ECHO:
        return FaultState.ECHO, IncidentState.RESOLVED
    if fault.state is not FaultState.RESOLVED:
        return FaultState.MANUAL, IncidentState.MANUAL
    # What the world says is over stays over, but what could not be undone is a human's.
    left = healing.outcome is Outcome.ROLLBACK_FAILED
    return FaultState.RESOLVED, IncidentState.MANUAL if left else IncidentState.RESOLVED


def _place(fault: Fault) -> str:
    return f"{fault.component} on {fault.target}" if fault.target else fault.component
