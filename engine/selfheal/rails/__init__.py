"""Safety rails: one a file, asked in one order by `check`; each answers `Refused` or nothing."""

from selfheal.rails.autonomy import (
    Proposal,
    current_level,
    demotion,
    needs_approval,
    new_promotion,
    promotion,
    rewritten,
)
from selfheal.rails.pipeline import RAILS, Rail, check
from selfheal.rails.request import RailRequest
from selfheal.rails.storm import StormNews, name_of, watch_storm

__all__ = [
    "RAILS",
    "Proposal",
    "Rail",
    "RailRequest",
    "StormNews",
    "check",
    "current_level",
    "demotion",
    "name_of",
    "needs_approval",
    "new_promotion",
    "promotion",
    "rewritten",
    "watch_storm",
]
