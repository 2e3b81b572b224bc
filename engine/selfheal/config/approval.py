"""`approval:` when a human must say yes first."""

from __future__ import annotations

from pydantic import Field

from selfheal.model import Risk
from selfheal.strict import Strict


class Approval(Strict):
    """When a human must say yes before a solution is run."""

    risk: Risk = Field(Risk.HIGH, description="Solutions of this risk and above need approval.")
    confidence: float = Field(
        0.7, ge=0, le=1, description="Solutions believed in less than this need approval."
    )
