"""`approval:` when a human must say yes first, who, and until when."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from selfheal.config.durations import Seconds
from selfheal.model import Need, Risk
from selfheal.strict import Strict, refusal, refusal_at


class Approval(Strict):
    """When a human must say yes before a solution is run."""

    risk: Risk = Field(Risk.HIGH, description="Solutions of this risk and above need approval.")
    confidence: float = Field(
        0.7, ge=0, le=1, description="Solutions believed in less than this need approval."
    )
    approvers: tuple[str, ...] = Field(
        (), description="Names of those who may answer; none: whoever can reach the engine."
    )
    need: Need = Field(
        Need.ANY, description="`any`: the yes of one is enough; `all`: each must say yes."
    )
    expires: Seconds = Field(
        3600.0, gt=0, description="How long to wait for an answer; then it counts as denied."
    )

    @field_validator("approvers")
    @classmethod
    def _people(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if any(not name or name != name.strip() for name in names):
            raise refusal("a name is empty, or begins or ends with a space")
        if len(set(names)) < len(names):
            raise refusal("a name stands twice")
        return names

    @model_validator(mode="before")
    @classmethod
    def _all_of_somebody(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("need") == "all" and not data.get("approvers"):
            hint = "list them under `approvers`"
            raise refusal_at("need", data["need"], "`all` of nobody can't say yes", hint)
        return data
