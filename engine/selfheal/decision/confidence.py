"""How much a solution is believed in, from the record alone."""

from __future__ import annotations

from selfheal.model import SolutionRecord

PRIOR_HEALED = 8.0
PRIOR_FAILED = 2.0


def confidence(record: SolutionRecord) -> float:
    """Return the estimated probability, 0 to 1, that the solution heals.

    The mean of a Beta posterior with prior Beta(8, 2): a solution nobody has tried is believed
    in at 0.8 since its author is, and two failures with no success bring it below 0.7, where by
    default a human is asked. A bare fraction would say 0 after one failure and 1 after one
    success.
    """
    seen = PRIOR_HEALED + PRIOR_FAILED + record.usage_count
    return (PRIOR_HEALED + record.healed) / seen
