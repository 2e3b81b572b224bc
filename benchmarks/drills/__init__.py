"""Real faults on a real web tier, healed by the real engine.

    with WebTier(folder) as tier:
        course = run_drill(tier, BACKEND_KILLED)

Shared by `tests/drills` (is it healed?) and `benchmarks/drill.py` (how fast?).
"""

from benchmarks.drills.course import Course, run_drill
from benchmarks.drills.faults import (
    BACKEND_BEYOND_REPAIR,
    BACKEND_FROZEN,
    BACKEND_KILLED,
    DRILLS,
    NGINX_MISCONFIGURED,
    REDIS_FULL,
    REDIS_FULL_OF_ORDERS,
    Drill,
)
from benchmarks.drills.web_tier import WebTier

__all__ = [
    "BACKEND_BEYOND_REPAIR",
    "BACKEND_FROZEN",
    "BACKEND_KILLED",
    "DRILLS",
    "NGINX_MISCONFIGURED",
    "REDIS_FULL",
    "REDIS_FULL_OF_ORDERS",
    "Course",
    "Drill",
    "WebTier",
    "run_drill",
]
