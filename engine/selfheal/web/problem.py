"""What a caller who is known did wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class HttpProblem(Exception):
    """Ends a request; the message is for the caller."""

    status: int
    """HTTP status."""
    message: str
    """One sentence."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answer."""
