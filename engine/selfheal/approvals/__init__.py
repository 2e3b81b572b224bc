"""Approvals: a human is asked, answers, or does not in time."""

from selfheal.approvals.answering import answer, link_used, settle, tell_typist, withdraw
from selfheal.approvals.asking import Approvals
from selfheal.approvals.by_hand import decide_by_hand, is_asked_about, why_undecided
from selfheal.approvals.judge import judge, may_answer, verdict
from selfheal.approvals.key import load_key
from selfheal.approvals.links import Link, Links

__all__ = [
    "Approvals",
    "Link",
    "Links",
    "answer",
    "decide_by_hand",
    "is_asked_about",
    "judge",
    "link_used",
    "load_key",
    "may_answer",
    "settle",
    "tell_typist",
    "verdict",
    "why_undecided",
    "withdraw",
]
