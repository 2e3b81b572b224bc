"""Echo: what was reported while a target settled is looked at before anything is done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from selfheal.clock import Clock
from selfheal.config import Rails
from selfheal.model import Attempt, Fault, Healing, Key, host_name
from selfheal.ports import Record
from selfheal.recovery import LiveVariables
from selfheal.recovery.requests import variables_of
from selfheal.recovery.validation import ProbeContext, validate


class Echoes:
    """Tells reports of what was just repaired from those of what is broken again."""

    def __init__(
        self,
        record: Record,
        rails: Callable[[], Rails],
        live: LiveVariables,
        prometheus_url: str,
        clock: Clock,
    ) -> None:
        self._record = record
        self._rails = rails
        self._live = live
        self._probes = ProbeContext(prometheus_url=prometheus_url)
        self._clock = clock

    async def is_one(self, healing: Healing, fault: Fault, rung: int) -> bool:
        """Whether nobody has reported the fault since its target settled, and one look at every
        proof of the rung says that all is well."""
        return self._is_doubtful(healing, fault) and await self._holds(healing, rung)

    def _is_doubtful(self, healing: Healing, fault: Fault) -> bool:
        settle = self._rails().settle
        key = Key(target=host_name(healing.resource))
        acted = self._record.last_end(key, self._clock.now(), besides=healing.id)
        return settle is not None and acted is not None and 0 <= fault.last_seen - acted < settle

    async def _holds(self, healing: Healing, rung: int) -> bool:
        """A proof that needs a playbook, or an event, does not hold by a look."""
        solution = healing.ladder[rung]
        planned = Attempt("", healing.id, rung, solution.name, self._clock.now())
        variables = variables_of(healing, planned, self._live)
        for check in solution.validate:
            once = replace(check, within=0.0, stable_for=0.0, retries=None)
            if not (await validate(once, variables, self._probes, self._clock)).ok:
                return False
        return bool(solution.validate)
