"""The throttle of a rule: how often it may fire."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from selfheal.model.rulebook import Throttle, ThrottleKind
from selfheal.rulebook.schema.values import Duration, Part, absent
from selfheal.strict import refusal


class ThrottlePart(Part):
    """Exactly one of the three kinds."""

    once_within: Duration = absent()
    once_after: Duration = absent()
    accumulate_within: Duration = absent()
    threshold: int = absent(ge=1)
    group_by_attributes: list[str]

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind.value for kind in ThrottleKind if getattr(self, kind.value) is not None]
        if len(kinds) != 1:
            raise refusal("a throttle is exactly one of once_within, once_after, accumulate_within")
        if self.accumulate_within and self.threshold is None:
            raise refusal("accumulate_within needs a threshold")
        return self

    def noun(self) -> Throttle:
        """Return the throttle."""
        kind = next(kind for kind in ThrottleKind if getattr(self, kind.value) is not None)
        window = getattr(self, kind.value)
        threshold = self.threshold if kind is ThrottleKind.ACCUMULATE_WITHIN else None
        return Throttle(
            kind, window.seconds, window.text, tuple(self.group_by_attributes), threshold
        )
