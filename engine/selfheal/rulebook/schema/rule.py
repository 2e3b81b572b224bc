"""A rule: when, and what then."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from selfheal.model import Autonomy
from selfheal.rulebook.schema.actions import ActionValue
from selfheal.rulebook.schema.condition import ConditionValue
from selfheal.rulebook.schema.throttle import ThrottlePart
from selfheal.rulebook.schema.values import Name, Part, absent, member_of

AutonomyValue = Annotated[
    Autonomy,
    PlainValidator(member_of(Autonomy)),
    WithJsonSchema({"enum": [level.value for level in Autonomy]}),
]


class RulePart(Part):
    """One of `action` and `actions` is there; the checks of the whole file see to it."""

    name: Name
    condition: ConditionValue
    action: ActionValue = absent()
    actions: list[ActionValue] = absent()
    enabled: bool = True
    throttle: ThrottlePart = absent()
    autonomy: AutonomyValue = absent()
