"""`rails:` what keeps the engine from doing harm. Each rail is described in docs/rails.md.

A rail is switched off by `off`; every other value must make sense, so that no rail is off by
accident.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from selfheal.config.amounts import Amount, NumberOrPercent, Percent, Positive
from selfheal.config.matchers import Matcher
from selfheal.config.time_intervals import TimeInterval
from selfheal.model import Autonomy
from selfheal.strict import Strict, refusal

T = TypeVar("T")
Per = Literal["target", "rule", "solution", "group", "global"]


def _off(value: Any) -> Any:
    return None if value is False else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


OrOff = Annotated[T | None, BeforeValidator(_off)]
"""Or `off`, which YAML reads as false."""


class Limit(Strict):
    """No more than so many: within a time, or side by side."""

    per: Annotated[list[Per], BeforeValidator(_listed)] = Field(
        min_length=1,
        description="What is counted together: target, rule, solution, a list of them, group, or "
        "global.",
    )
    max: NumberOrPercent = Field(
        description="Healings; of a group, and as a per cent of the whole inventory: hosts."
    )
    every: Positive | None = Field(None, description="The time in which they are counted.")
    at_once: bool = Field(False, description="Those that run at the same time are counted.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.every is None) != self.at_once:
            raise refusal("a limit has either `every` or `at_once: true`", "such as every: 1h")
        alone = {"group", "global"} & set(self.per)
        if (alone and len(self.per) > 1) or len(set(self.per)) < len(self.per):
            raise refusal("group and global stand alone; no other is named twice")
        if self.max.is_percent and not alone:
            raise refusal("a per cent is taken of a group or of the inventory: per group or global")
        return self

    def __str__(self) -> str:
        span = "at once" if self.at_once else f"every {self.every:g}s"
        return f"{self.max} per {' and '.join(self.per)} {span}"


class Breaker(Strict):
    """A solution that keeps failing is rested."""

    failures: int = Field(3, ge=1, description="So many bad ends without a good one between …")
    within: Positive = Field(3600.0, description="… in this time open it.")
    rest: Positive = Field(1800.0, description="So long after the last it may be tried once.")


class Flapping(Strict):
    """A fault that comes and goes is handed to a human."""

    openings: int = Field(4, ge=2, description="Opened so many times …")
    within: Positive = Field(3600.0, description="… in this time.")


class Storm(Strict):
    """When too much is broken at a time nothing is done."""

    share: Percent = Field(
        Amount(50, is_percent=True), description="More of the inventory than this is unhealthy …"
    )
    groups: OrOff[Percent] = Field(None, description="… or more than this of one group …")
    min_hosts: int = Field(5, ge=1, description="… and at least so many hosts.")
    cool_down: Positive = Field(600.0, description="It ends when it was better for so long.")
    forget: Positive = Field(
        3600.0, description="A fault counts no longer when nobody reported it for so long."
    )


class Window(Strict):
    """A maintenance window that comes again."""

    name: str = Field(min_length=1, description="For people.")
    match: list[Matcher] = Field(default_factory=list, description="What it is for; all must hold.")
    time_intervals: list[TimeInterval] = Field(min_length=1, description="When it is open.")


class RampUp(Strict):
    """After a window, a silence or a storm what waited is let through slowly."""

    max: int = Field(2, ge=1, description="So many attempts may begin …")
    every: Positive = Field(30.0, description="… in this time …")
    during: Positive = Field(600.0, description="… for so long after the end.")


class Targets(Strict):
    """A runbook over too much of the inventory is not run."""

    max_share: OrOff[Percent] = Field(
        Amount(50, is_percent=True), description="Largest share of the inventory for one runbook."
    )
    min_inventory: int = Field(4, ge=1, description="In a smaller inventory shares mean nothing.")
    max: int | None = Field(None, ge=1, description="Most hosts for one runbook.")


class Demote(Strict):
    """The engine takes autonomy back from a rule whose healings fail."""

    failures: int = Field(3, ge=1, description="So many bad ends …")
    within: Positive = Field(86400.0, description="… in this time cost one level.")


class Propose(Strict):
    """The engine proposes more autonomy for a rule whose approved healings go well."""

    healings: int = Field(20, ge=1, description="At least so many …")
    lower_bound: float = Field(
        0.75, gt=0, lt=1, description="… and the share that healed is surely (95 %) above this."
    )


class RuleAutonomy(Strict):
    """What rules may do that do not say it themselves, and how that changes."""

    default: Autonomy = Field(Autonomy.AUTO, description="Of a rule that does not say it.")
    demote: OrOff[Demote] = Field(default_factory=Demote)
    propose: OrOff[Propose] = Field(default_factory=Propose)


def _default_limits() -> list[Limit]:
    return [
        Limit(per=["target"], max=Amount(3), every=3600.0),
        Limit(per=["target"], max=Amount(7), every=86400.0),
    ]


class Rails(Strict):
    """Safety rails; all hold at once."""

    limits: list[Limit] = Field(default_factory=_default_limits)
    cooldown: OrOff[Positive] = Field(
        60.0, description="Least time between two attempts of one solution on one target."
    )
    settle: OrOff[Positive] = Field(
        15.0, description="How long a target is left alone after the engine acted on it."
    )
    breaker: OrOff[Breaker] = Field(default_factory=Breaker)
    flapping: OrOff[Flapping] = Field(default_factory=Flapping)
    storm: OrOff[Storm] = Field(default_factory=Storm)
    maintenance: list[Window] = Field(default_factory=list, description="Windows that come again.")
    ramp_up: OrOff[RampUp] = Field(default_factory=RampUp)
    targets: Targets = Field(default_factory=Targets)
    autonomy: RuleAutonomy = Field(default_factory=RuleAutonomy)
