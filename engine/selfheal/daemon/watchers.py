"""What is looked at beside the healings: storms over the fleet, how far rules are trusted."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable

from selfheal.clock import Clock
from selfheal.config import Rails
from selfheal.daemon.reach import Inventory
from selfheal.duration import format_duration
from selfheal.errors import ExecutionError, StoreError
from selfheal.model import Autonomy, Healing, Kind, Rule, Ruleset
from selfheal.ports import Notifier, Record
from selfheal.rails import demotion, name_of, new_promotion, rewritten, watch_storm

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
"""How often a storm that calms down is looked at; a new one is seen at the next fault."""
REST_SECONDS = 0.5
REMIND_SECONDS = 3600.0
"""How often people are told of a storm that holds."""


class Watchers:
    """Notes storms and changes of autonomy on the record, and tells a human once of each.

    What a human is told is put on record together with what it is about: both, or none of it."""

    def __init__(
        self,
        record: Record,
        rails: Callable[[], Rails],
        inventory: Inventory,
        notifier: Notifier,
        rule_of: Callable[[str, str], Rule | None],
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._record = record
        self._rails = rails
        self._inventory = inventory
        self._notifier = notifier
        self._rule_of = rule_of
        self._clock = clock
        self._changed = changed
        self._stirred = asyncio.Event()
        self._reminded: dict[str, float] = {}

    def fault_changed(self) -> None:
        """A fault was opened, or is over: the weather may have changed."""
        self._stirred.set()

    async def run(self) -> None:
        """Watch for storms until cancelled."""
        while True:
            try:
                await self._look()
            except StoreError as error:
                log.error("storms can't be watched now: %s", error)
            await self._clock.sleep(REST_SECONDS)  # a thousand faults are looked at as one
            await self._stir()

    async def healing_ended(self, healing: Healing) -> None:
        """Look again at what the rule of its fault may do."""
        self.fault_changed()
        fault = self._record.fault(healing.fault_id)
        if not fault.rule:
            return
        rule = self._rule_of(fault.ruleset, fault.rule)
        written = rule.autonomy if rule else None
        if not self._demoted(fault.ruleset, fault.rule, written, fault.incident_id):
            self._proposed(fault.ruleset, fault.rule, written)

    def rulebooks_loaded(self, rulesets: Iterable[Ruleset]) -> None:
        """Note what an edit has made of rules whose autonomy was changed beside the rulebook, and
        what failures have made of the others that an earlier engine had no time to look at."""
        for ruleset in rulesets:
            for rule in ruleset.rules:
                if not self._rewritten(ruleset.name, rule):
                    self._demoted(ruleset.name, rule.name, rule.autonomy)

    async def _look(self) -> None:
        try:
            hosts = frozenset(await self._inventory.hosts())
            groups = await self._inventory.groups()
        except ExecutionError as error:
            log.info("the inventory can't be read: %s", error)
            hosts, groups = frozenset(), {}
        with self._record.transaction():
            found = watch_storm(self._record, hosts, groups, self._clock.now(), self._rails())
            for news in found:
                self._record.tell(Kind.RAIL, news.text, data={"storm_id": news.storm.id})
                self._notifier.post(news.text, news.text, {})
        if found:
            self._changed()
        self._remind()

    def _remind(self) -> None:
        """A storm that never ends is forgotten by people, too."""
        now = self._clock.now()
        holding = [one for one in self._record.storms(math.inf) if one.ended_at is None]
        self._reminded = {one.id: self._reminded.get(one.id, now) for one in holding}
        for one in holding:
            if now - self._reminded[one.id] >= REMIND_SECONDS:
                self._reminded[one.id] = now
                since = format_duration(now - one.began_at)
                text = f"the storm over {name_of(one.group)} holds for {since}: nothing is healed"
                body = f"{text}\nIf it is over: selfheal storm end {one.id} --why ..."
                with self._record.transaction():
                    self._record.tell(Kind.RAIL, text, data={"storm_id": one.id})
                    self._notifier.post(text, body, {})

    async def _stir(self) -> None:
        alarm = asyncio.ensure_future(self._clock.sleep(LOOK_SECONDS))
        stirred = asyncio.ensure_future(self._stirred.wait())
        try:
            await asyncio.wait({alarm, stirred}, return_when=asyncio.FIRST_COMPLETED)
            self._stirred.clear()
        finally:
            alarm.cancel()
            stirred.cancel()

    def _rewritten(self, ruleset: str, rule: Rule) -> bool:
        now = self._clock.now()
        change = rewritten(ruleset, rule.name, rule.autonomy, self._record, self._rails(), now)
        if change is None:
            return False
        with self._record.transaction():
            self._record.change_autonomy(change)
            self._record.tell(Kind.RAIL, f"rule “{rule.name}” of “{ruleset}”: {change.reason}")
        return True

    def _demoted(
        self, ruleset: str, rule: str, written: Autonomy | None, incident_id: str = ""
    ) -> bool:
        now = self._clock.now()
        change = demotion(ruleset, rule, written, self._record, self._rails(), now)
        if change is None:
            return False
        text = f"rule “{rule}” of “{ruleset}” may do less: {change.reason}"
        with self._record.transaction():
            self._record.change_autonomy(change)
            self._record.tell(Kind.RAIL, text, incident_id=incident_id)
            self._notifier.post(text, text, {"cause": change.id})
        return True

    def _proposed(self, ruleset: str, rule: str, written: Autonomy | None) -> None:
        found = new_promotion(ruleset, rule, written, self._record, self._rails())
        if found is not None:
            how = f"selfheal autonomy set {rule!r} {found.level.value}"
            self._notifier.post(found.text, f"{found.text}\n{how}", {})
