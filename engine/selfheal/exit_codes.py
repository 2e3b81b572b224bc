"""Exit codes: what a program that called selfheal can tell from them alone."""

from __future__ import annotations

from selfheal.model import Outcome

OK = 0
FAILED = 1
USAGE = 2
REFUSED = 10
NEEDS_APPROVAL = 11
ROLLED_BACK = 12
ROLLBACK_FAILED = 13
INTERRUPTED = 130

OUTCOME_EXITS = {
    Outcome.HEALED: OK,
    Outcome.FAILED: FAILED,
    Outcome.UNKNOWN: FAILED,
    Outcome.REFUSED: REFUSED,
    Outcome.DENIED: NEEDS_APPROVAL,
    Outcome.EXPIRED: NEEDS_APPROVAL,
    Outcome.ROLLED_BACK: ROLLED_BACK,
    Outcome.ROLLBACK_FAILED: ROLLBACK_FAILED,
}
"""What a program that called selfheal can tell from its exit code alone."""
