"""Messages in a matcher's state: by reference to the journal, in full only where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from selfheal.model import annotated
from selfheal.rules.memory import Message

JSON = Mapping[str, Any]


class KeptMessages:
    """Collects the messages of a state: those in memory, and what rules still refer to."""

    def __init__(self, living: Iterable[Message]) -> None:
        self._messages = {message.id: message for message in living}

    def keep(self, message: Message) -> int:
        """See `step.Keep`."""
        self._messages[message.id] = message
        return message.id

    def saved(self) -> list[JSON]:
        """Return them as JSON, oldest first."""
        return [_saved(self._messages[number]) for number in sorted(self._messages)]

    def event_ids(self) -> list[str]:
        """Return the journal's ids of their bodies."""
        return [each.event_id for each in self._messages.values() if each.event_id]


def restored_messages(saved: Iterable[JSON], bodies: Mapping[str, JSON]) -> dict[int, Message]:
    """Return the messages by id, oldest first. Raises KeyError for a body that is gone."""
    return {each["id"]: _restored(each, bodies) for each in saved}


def _saved(message: Message) -> JSON:
    saved = {
        "id": message.id,
        "is_event": message.is_event,
        "event_id": message.event_id,
        "at": message.at,
        "alive": message.alive,
    }
    if not message.event_id:
        return {**saved, "body": message.body}
    return saved if message.note is None else {**saved, "note": message.note}


def _restored(saved: JSON, bodies: Mapping[str, JSON]) -> Message:
    event_id, note = saved["event_id"], saved.get("note")
    body = bodies[event_id] if event_id else saved["body"]
    return Message(
        id=saved["id"],
        body=body if note is None else annotated(body, note),
        is_event=saved["is_event"],
        event_id=event_id,
        at=saved["at"],
        alive=saved["alive"],
        note=note,
    )
