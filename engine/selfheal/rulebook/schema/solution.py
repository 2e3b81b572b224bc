"""A solution: an entry of the knowledge base, with its runbook and its proofs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PlainValidator, WithJsonSchema

from selfheal.model.solution import OnFailure, Risk, Solution, Step, Strategy
from selfheal.rulebook.schema.validation import Period, ValidationValue
from selfheal.rulebook.schema.values import Mapping, Name, Part, Seconds, absent, member_of

_ENUM = WithJsonSchema({"type": "string"})


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
        )
