"""Decision: which rung of the ladder to try, or why none, with reasons one can argue with."""

from selfheal.decision.confidence import confidence
from selfheal.decision.decide import Policy, decide_rung, refuse
from selfheal.decision.ladder import build_ladder, ladder_votes

__all__ = [
    "Policy",
    "build_ladder",
    "confidence",
    "decide_rung",
    "ladder_votes",
    "refuse",
]
