"""A bundle: many messages in one, each of them listed or counted."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from selfheal.model import Delivery, Notification

MOST_LINES = 100
MOST_GROUPS = 20
LONGEST = 200

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is handed to a target at a time."""

    message: Notification
    """What it is told."""
    deliveries: Sequence[Delivery]
    """What is delivered by that: one, or all of a bundle."""


def single(delivery: Delivery) -> Parcel:
    """Return a message that goes out by itself."""
    return Parcel(delivery.notification, [delivery])


def bundle(bundle_id: str, deliveries: Sequence[Delivery]) -> Parcel:
    """Return one message of many; the same many make the same message."""
    many = [delivery.notification for delivery in deliveries]
    message = Notification(
        id=bundle_id,
        at=many[-1].at,
        subject=f"{len(many)} more messages",
        body="\n".join(_lines(many)),
        data={"bundled": len(many)},
    )
    return Parcel(message, deliveries)


def _lines(many: Sequence[Notification]) -> Iterator[str]:
    since = datetime.fromtimestamp(many[0].at, UTC).isoformat(" ", "seconds")
    yield f"{len(many)} messages since {since}, held because many had come before:"
    groups = _alike(many)
    shown = groups[:MOST_GROUPS]
    for kind, group in shown:
        yield from _group(kind, group, max(3, MOST_LINES // len(shown)))
    if rest := sum(len(group) for _, group in groups[MOST_GROUPS:]):
        yield f"\nand {rest} more: selfheal incidents list --state manual"


def _group(kind: str, group: Sequence[Notification], most: int) -> Iterator[str]:
    yield f"\n{len(group)} x {_short(kind)}"
    for one in group[:most]:
        yield f"  {one.incident_id or '(no incident)'}  {_short(one.subject)}"
    if len(group) > most:
        yield f"  and {len(group) - most} more: selfheal incidents list --state manual"


def _alike(many: Sequence[Notification]) -> list[tuple[str, list[Notification]]]:
    """Group what differs by numbers only, the most first."""
    groups: defaultdict[str, list[Notification]] = defaultdict(list)
    for one in many:
        groups[_NUMBER.sub("#", one.subject)].append(one)
    return sorted(groups.items(), key=lambda item: -len(item[1]))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
