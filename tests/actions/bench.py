"""A bench for actions: one ruleset, one dispatcher, and ears where the engine would be.

Ansible does not run here: `MemoryRunner` stands in for it, because what is tested is what an
action asks for and what it makes of the answer. Real runs are in tests/recovery and tests/e2e.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selfheal.actions import ActionResult, Dispatcher, Services, ShutdownKind
from selfheal.clock import Clock, ManualClock
from selfheal.errors import NotFoundError
from selfheal.model import (
    ActionSpec,
    Condition,
    Entry,
    ExecutionStrategy,
    Fault,
    Firing,
    Kind,
    Quantifier,
    Rule,
    Ruleset,
)
from selfheal.ports import JSON
from selfheal.recovery.executors.memory import MemoryRunner, Reply
from selfheal.store import open_record

RULESETS = ("web", "other")


class Bench:
    """Runs actions of the rule `r` of the ruleset `web` and remembers everything they did."""

    def __init__(
        self,
        actions: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        script: Mapping[str, Reply | Sequence[Reply]] | None = None,
        strategy: ExecutionStrategy = ExecutionStrategy.SEQUENTIAL,
        hosts: tuple[str, ...] = ("all",),
        clock: Clock | None = None,
        room: int = 100,
        most: int = 16,
        **services: Any,
    ) -> None:
        self.clock = clock or ManualClock(1000.0)
        self.record = open_record(":memory:", self.clock)
        self.runner = MemoryRunner(script, clock=self.clock)
        self.printed: list[str] = []
        self.facts: list[tuple[str, JSON]] = []
        self.retracted: list[tuple[str, JSON, bool]] = []
        self.events: list[tuple[str, JSON]] = []
        self.origins: list[str] = []
        self.shutdowns: list[tuple[ShutdownKind, float, str]] = []
        self.faults: list[Fault] = []
        self.resolved: list[tuple[str, str]] = []
        self.done: list[tuple[Firing, list[ActionResult]]] = []
        self.services = Services(
            **{
                "runner": self.runner,
                "timeline": self.record,
                "steps": self.record,
                "clock": self.clock,
                "heal": self._heal,
                "resolve": self._resolve,
                "assert_fact": self._assert_fact,
                "retract_fact": self._retract_fact,
                "post_event": self._post_event,
                "shutdown": self._shutdown,
                "out": self.printed.append,
                **services,
            }
        )
        rule = Rule(
            name="r",
            condition=Condition(Quantifier.ALL, ()),
            actions=tuple(ActionSpec(name, args, "rules.yml:1:1") for name, args in actions),
        )
        ruleset = Ruleset("web", hosts, (), (rule,), execution_strategy=strategy)
        self.dispatcher = Dispatcher(
            ruleset, self.services, most=most, room=room, on_done=self._on_done
        )

    async def fire(self, event: JSON | None = None, **events: JSON) -> list[ActionResult]:
        """Fire the rule on one event, or on several by alias; return how its actions ended."""
        await self.dispatcher.act(firing(event, **events))
        await self.dispatcher.drain()
        return self.done[-1][1]

    @property
    def statuses(self) -> list[str]:
        """Status of each action of the last firing."""
        return [result.status.value for result in self.done[-1][1]]

    @property
    def told(self) -> list[Entry]:
        """What the timeline was told about actions."""
        return [entry for entry in self.record.entries() if entry.kind is Kind.ACTION]

    @property
    def contents(self) -> list[str]:
        """What was printed, without the banners."""
        return ["\n".join(text.splitlines()[2:-1]) for text in self.printed]

    def _on_done(self, firing: Firing, results: Sequence[ActionResult]) -> None:
        self.done.append((firing, list(results)))

    async def _assert_fact(self, ruleset: str, fact: JSON, origin: str) -> None:
        self._check(ruleset)
        self.origins.append(origin)
        self.facts.append((ruleset, fact))

    async def _retract_fact(self, ruleset: str, fact: JSON, partial: bool, origin: str) -> None:
        self._check(ruleset)
        self.origins.append(origin)
        self.retracted.append((ruleset, fact, partial))

    async def _post_event(self, ruleset: str, event: JSON, origin: str) -> None:
        self._check(ruleset)
        self.origins.append(origin)
        self.events.append((ruleset, event))

    async def _shutdown(self, kind: ShutdownKind, delay: float, message: str) -> None:
        self.shutdowns.append((kind, delay, message))

    async def _heal(self, fault: Fault) -> None:
        self.faults.append(fault)

    async def _resolve(self, component: str, target: str) -> None:
        self.resolved.append((component, target))

    @staticmethod
    def _check(ruleset: str) -> None:
        if ruleset not in RULESETS:
            raise NotFoundError(f"there is no ruleset {ruleset!r}")


def firing(event: JSON | None = None, **events: JSON) -> Firing:
    """A firing of the rule `r`."""
    matches = {"m": event} if event is not None else events
    return Firing("web", "r", matches, at=1000.0, event_ids=("ev-1",), id="fi-1")


async def run_one(name: str, args: Mapping[str, Any], event: JSON, **options: Any) -> Bench:
    """Run one action on one event; fails when the action does."""
    bench = Bench([(name, args)], **options)
    (result,) = await bench.fire(event)
    assert result.status.value == "successful", result.message
    return bench


async def failure_of(name: str, args: Mapping[str, Any], event: JSON, **options: Any) -> str:
    """Run one action that must fail; return why."""
    bench = Bench([(name, args)], **options)
    (result,) = await bench.fire(event)
    assert result.status.value == "failed"
    return result.message
