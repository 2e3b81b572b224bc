"""Guards: what the rails ask of the record, and what stands in the way of healings."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Protocol

from selfheal.model import (
    AutonomyChange,
    Count,
    Ended,
    Failures,
    Key,
    Maintenance,
    Pause,
    Silence,
    Storm,
)


class RailRecord(Protocol):
    """What the rails ask; read-only, and quick however much is on record.

    Targets are hosts (`model.host_name`): whatever port or path of one is meant counts together.

    An attempt that was refused, or run in Ansible's check mode, changed nothing: neither is in any
    answer. What a human stopped ended neither well nor badly. `besides` is the id of the healing
    that is asked about, left out of the answer. What lies after `until` is left out, too: a clock
    that was set back leaves times that are still to come, and tell nothing of how long ago that
    was."""

    def has_begun(self, healing_id: str, solution: str = "") -> bool:
        """Whether anything of it (with that solution) was ever run."""
        ...

    def healings_begun(
        self, key: Key, since: float, until: float = math.inf, *, besides: str
    ) -> Count:
        """Healings whose first attempt (with the key's solution) began after `since`, and running
        ones that have yet to begin theirs: one that waits for an approval counts."""
        ...

    def healings_running(self, key: Key, *, besides: str, at_work: bool = False) -> int:
        """Running healings, approvals awaited included; `at_work`: those in an attempt now."""
        ...

    def hosts_running(self, *, besides: str, at_work: bool = False) -> frozenset[str]:
        """Hosts that running healings touch, or were let through to touch."""
        ...

    def hosts_touched(
        self, hosts: Collection[str], since: float, until: float = math.inf
    ) -> frozenset[str]:
        """Those of `hosts` that attempts begun after `since` touch."""
        ...

    def attempts_begun(self, since: float, until: float = math.inf) -> Sequence[float]:
        """When attempts began after `since`, oldest first."""
        ...

    def last_end(self, key: Key, until: float = math.inf, *, besides: str) -> float | None:
        """When the newest attempt under the key ended."""
        ...

    def failures(
        self, solution: str, number: int, within: float, until: float = math.inf
    ) -> Failures:
        """Bad ends since the last good one, and whether `number` of them ever lay `within`."""
        ...

    def fault_openings(self, fingerprint: str, limit: int) -> list[float]:
        """When faults of that identity were opened, newest first, at most `limit`."""
        ...

    def unhealthy_targets(self, seen_after: float) -> frozenset[str]:
        """Targets of faults that are open, or with a human, and were seen after that; without
        those of rules that may only observe or suggest."""
        ...

    def unsettled(self, host: str, *, besides: str) -> str:
        """An incident, with a human now, of which a rollback failed on that host; or nothing."""
        ...

    def rule_ends(
        self, ruleset: str, rule: str, since: float, limit: int, until: float = math.inf
    ) -> list[tuple[float, Ended, str]]:
        """Healings of the rule that did something, began after `since` and have ended: when, how,
        id; newest first, at most `limit`."""
        ...

    def pauses(self, at: float) -> list[Pause]:
        """Those that hold at that time; one that was lifted holds never again, whatever the clock
        says."""
        ...

    def silences(self, ending_after: float) -> list[Silence]:
        """Those that end after that time, begun or not."""
        ...

    def maintenances(self, ending_after: float) -> list[Maintenance]:
        """Those that end after that time, begun or not."""
        ...

    def autonomy(self, ruleset: str, rule: str) -> AutonomyChange | None:
        """The newest change of that rule."""
        ...

    def storms(self, ended_after: float) -> list[Storm]:
        """Those that hold, and those that ended after that time."""
        ...


class GuardRecord(RailRecord, Protocol):
    """The same, and what changes it."""

    def admit(self, healing_id: str, solution: str, hosts: Sequence[str], at: float) -> None:
        """Note what the rails have let this healing through to: what counts while it runs; of a
        run by hand from now on, so that two processes can't both take the last place."""
        ...

    def withdraw_admission(self, healing_id: str) -> None:
        """It was let through, but has to wait again, and takes nobody's place meanwhile."""
        ...

    def add_pause(self, pause: Pause) -> None: ...

    def end_pause(self, pause_id: str, at: float) -> None:
        """Lift it; an unambiguous prefix of the id is enough. Raises NotFoundError."""
        ...

    def add_silence(self, silence: Silence) -> None: ...

    def end_silence(self, silence_id: str, at: float) -> None:
        """Let it end at `at`, if it does not end earlier. An unambiguous prefix
        of the id is enough. Raises NotFoundError."""
        ...

    def add_maintenance(self, window: Maintenance) -> None: ...

    def end_maintenance(self, window_id: str, at: float) -> None:
        """Let it end at `at`, if it does not end earlier. An unambiguous prefix
        of the id is enough. Raises NotFoundError."""
        ...

    def change_autonomy(self, change: AutonomyChange) -> None: ...

    def autonomy_changes(self) -> list[AutonomyChange]:
        """All of them, newest first."""
        ...

    def put_storm(self, storm: Storm) -> None:
        """Add it, or write what has become of it."""
        ...
