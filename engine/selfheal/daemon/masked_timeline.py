"""A timeline that is told no secrets."""

from __future__ import annotations

from selfheal.daemon.vault import Vault
from selfheal.model import Entry, Kind
from selfheal.ports import JSON, Timeline


class MaskedTimeline:
    """Implements `ports.Timeline` on another one; what the vault has opened is blotted out."""

    def __init__(self, timeline: Timeline, vault: Vault) -> None:
        self._timeline = timeline
        self._vault = vault

    def tell(
        self,
        kind: Kind,
        text: str,
        *,
        incident_id: str = "",
        healing_id: str = "",
        data: JSON | None = None,
    ) -> Entry:
        return self._timeline.tell(
            kind,
            self._vault.mask(text),
            incident_id=incident_id,
            healing_id=healing_id,
            data=self._vault.mask(data or {}),
        )

    def entries(
        self, *, after: int = 0, limit: int = 1000, incident_id: str = "", healing_id: str = ""
    ) -> list[Entry]:
        return self._timeline.entries(
            after=after, limit=limit, incident_id=incident_id, healing_id=healing_id
        )

    def last_entry(self, kind: Kind) -> Entry | None:
        return self._timeline.last_entry(kind)
