"""Messages to people, until they are delivered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from selfheal.model import Delivery, DeliveryState, Notification


class OutboxRecord(Protocol):
    """Messages to people, until they are delivered: one delivery for each target."""

    def add_notification(self, notification: Notification, targets: Sequence[str]) -> bool:
        """Write it with a waiting delivery for each target; on disk when it returns.

        False, and nothing written, when its cause has been told already."""
        ...

    def next_delivery(self, target: str, *, besides: Sequence[str] = ()) -> Delivery | None:
        """The one to go out next: the oldest question, else the oldest of the others; `besides`
        those of the notifications of these ids."""
        ...

    def heard_at(self, target: str, back: int, now: float) -> float | None:
        """When the target got the message that was its `back`th newest at `now`, from 1.

        Questions do not count. None when it has not had so many."""
        ...

    def hold(self, target: str) -> None:
        """Note that what waits for this target, questions aside, is held."""
        ...

    def bundle_up(self, target: str, bundle: str) -> None:
        """Put what waits or is held for this target, questions aside, in a bundle of this id.

        On disk when it returns: the same messages make the same bundle after a crash."""
        ...

    def bundled(self, bundle: str) -> list[Delivery]:
        """What is in a bundle, oldest first, without bodies and data."""
        ...

    def put_in_bundle(self, deliveries: Sequence[Delivery], bundle: str) -> None:
        """Put just these in a bundle of this id, taking them out of any other."""
        ...

    def delivery_failed(self, delivery: Delivery, error: str, waited: float = 0.0) -> None:
        """Count a failed try, and seconds spent on trying; the delivery waits on."""
        ...

    def end_delivery(
        self, delivery: Delivery, state: DeliveryState, at: float, error: str = ""
    ) -> None:
        """Note that it was delivered, or given up."""
        ...

    def add_waiting_time(self, target: str, seconds: float) -> None:
        """Count time spent on trying for all that waits for this target."""
        ...

    def deliveries(
        self, *, limit: int = 50, state: str = "", target: str = "", incident_id: str = ""
    ) -> list[Delivery]:
        """Oldest first."""
        ...
