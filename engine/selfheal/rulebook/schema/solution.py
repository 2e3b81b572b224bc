"""A solution: an entry of the knowledge base, with its runbook and its proofs."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from selfheal.errors import TemplateError
from selfheal.model.solution import Canary, OnFailure, Risk, Solution, Step, Strategy
from selfheal.rulebook.schema.validation import Period, ValidationValue
from selfheal.rulebook.schema.values import Mapping, Name, Part, Seconds, absent, member_of
from selfheal.strict import refusal
from selfheal.templates import check_syntax
from selfheal.yamlfile import describe

_ENUM = WithJsonSchema({"type": "string"})
_SHARE = re.compile(r"(100|[1-9]\d?)%")


def _lock(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise refusal(f"must be the name of a resource, not {describe(value)}", "as in haproxy:web")
    try:
        check_syntax(value)
    except TemplateError as error:
        raise refusal(f"is no valid template: {error}") from None
    return value.strip()


def _batch(value: Any) -> str:
    """A number of hosts, or a per cent of them."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    text = value.strip() if isinstance(value, str) else ""
    if _SHARE.fullmatch(text) or (text.isdecimal() and int(text) > 0):
        return text
    raise refusal("must be a number of hosts, or a per cent of them, such as 2 or 25%")


LockName = Annotated[str, PlainValidator(_lock), WithJsonSchema({"type": "string"})]
BatchSize = Annotated[str, PlainValidator(_batch), WithJsonSchema({"type": ["integer", "string"]})]


class CanaryPart(Part):
    """How a runbook over several hosts is rolled out."""

    first: int = Field(1, ge=1)
    then: BatchSize = "25%"
    pause: Seconds = 0.0

    def noun(self) -> Canary:
        """Return the rollout."""
        return Canary(first=self.first, then=self.then, pause=self.pause)


class StepPart(Part):
    """One playbook of a runbook, with its way back."""

    name: Name = absent()
    playbook: Name
    rollback: str = ""
    vars: Mapping = Field(default_factory=dict)
    limit: str = ""
    timeout: Period = 300.0
    on_failure: Annotated[OnFailure, PlainValidator(member_of(OnFailure)), _ENUM] = (
        OnFailure.ROLLBACK
    )
    idempotent: bool = False

    def noun(self) -> Step:
        """Return the step."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return Step(**{**values, "name": self.name or self.playbook})


class SolutionPart(Part):
    """What to do about a family of root causes."""

    name: Name
    root_cause: Name
    strategy: Annotated[Strategy, PlainValidator(member_of(Strategy)), _ENUM]
    risk: Annotated[Risk, PlainValidator(member_of(Risk)), _ENUM]
    steps: list[StepPart] = Field(default_factory=list)
    validations: list[ValidationValue] = Field(default_factory=list, alias="validate")
    estimated_time: Seconds = absent()
    description: str = ""
    locks: list[LockName] = Field(default_factory=list)
    canary: CanaryPart = absent()

    def noun(self, ruleset: str, hosts: tuple[str, ...]) -> Solution:
        """Return the solution of that ruleset."""
        return Solution(
            name=self.name,
            root_cause=self.root_cause,
            strategy=self.strategy,
            risk=self.risk,
            steps=tuple(step.noun() for step in self.steps),
            validate=tuple(self.validations),
            estimated_time=self.estimated_time,
            description=self.description,
            hosts=hosts,
            ruleset=ruleset,
            locks=tuple(self.locks),
            canary=self.canary.noun() if self.canary else None,
        )
