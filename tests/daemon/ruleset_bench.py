"""One ruleset on a record, whose engine may crash at any moment and start again."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from selfheal.clock import ManualClock
from selfheal.daemon.journal_queue import GroupCommit, JournalQueue
from selfheal.daemon.restoring import Memory
from selfheal.daemon.ruleset_clock import RulesetClock
from selfheal.daemon.ruleset_loop import RulesetLoop
from selfheal.model import Firing, Rule, Ruleset
from selfheal.rules import build_matcher, rules_digest
from selfheal.store import SqliteRecord, open_record

Fired = tuple[str, tuple[Mapping[str, Any], ...]]
"""Name of the rule, and the bodies that matched, without what throttles note."""


class RulesetBench(contextlib.AbstractContextManager["RulesetBench"]):
    """`fired` is what was handed to the actions, over all engines; `crash` forgets all but the
    record."""

    def __init__(
        self,
        rules: Sequence[Rule],
        clock: ManualClock,
        file: Path | str = ":memory:",
        *,
        engine: str = "python",
        **options: Any,
    ) -> None:
        self.clock = clock
        self.record: SqliteRecord = open_record(file, clock)
        self.fired: list[Fired] = []
        self.given_up: list[str] = []
        self._engine = engine
        self._options = options
        self.start(rules)

    def start(self, rules: Sequence[Rule] | None = None) -> str:
        """Begin as an engine does; return what it says is lost."""
        if rules is not None:
            self.ruleset = Ruleset("r", ("all",), (), tuple(rules), **self._options)
        clock = RulesetClock(self.clock)
        self.loop = RulesetLoop(
            self.ruleset,
            JournalQueue("r", self.record, GroupCommit(self.record), clock, 1000),
            self,
            self.record,
            self.record,
            clock,
            Memory("r", rules_digest(self.ruleset, {}), self.record, clock),
            gave_up=lambda event: self.given_up.append(event.id),
        )
        return self.loop.restore(self._build(clock), lambda: self._build(clock))

    def take(self, firing: Firing) -> None:
        """See `Actors`."""
        self.fired.append((firing.rule, tuple(map(_plain, firing.matches.values()))))

    async def room(self) -> None:
        """See `Actors`: there always is."""

    async def work(self) -> None:
        """Do all there is to do now."""
        await self.loop._work()

    async def event(self, **body: Any) -> None:
        """Accept an event; it is matched by `work`."""
        await self.loop.queue.put(body)

    def crash(self) -> None:
        """Lose everything in memory; nothing runs until `start`."""
        self.loop._matcher.close()
        self.loop.queue.end()

    def stop(self) -> None:
        """End as an engine that is told to."""
        self.loop.end()

    def __exit__(self, *_: object) -> None:
        self.loop._matcher.close()
        self.record.close()

    def _build(self, clock: RulesetClock) -> Any:
        return build_matcher(self.ruleset, {}, clock, self._engine)


def _plain(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in body.items() if key != "meta"}
