"""What a replay has to say about one recorded case."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Agreement(Enum):
    """How we compare with the recording."""

    AGREE = "agree"
    """The same."""
    ON_PURPOSE = "on_purpose"
    """Different, and we mean it."""
    DIFFER = "differ"
    """Different, and it is a mistake of ours."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One compared case."""

    case: str
    """Its name, for people."""
    agreement: Agreement
    """How we compare."""
    detail: str = ""
    """The reason, or what differs."""


def agree(case: str) -> Verdict:
    """Return that both do the same."""
    return Verdict(case, Agreement.AGREE)


def on_purpose(case: str, reason: str) -> Verdict:
    """Return that we do otherwise, for that reason."""
    return Verdict(case, Agreement.ON_PURPOSE, reason)


def differ(case: str, detail: str) -> Verdict:
    """Return that we do otherwise without meaning to."""
    return Verdict(case, Agreement.DIFFER, detail)
