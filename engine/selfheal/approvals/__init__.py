"""Approvals: a human is asked, answers, or does not in time."""

from selfheal.approvals.answering import answer, link_used, settle, withdraw
from selfheal.approvals.asking import Approvals
from selfheal.approvals.judge import judge, may_answer, verdict
from selfheal.approvals.key import load_key
from selfheal.approvals.links import Link, Links

__all__ = [
    "Approvals",
    "Link",
    "Links",
    "answer",
    "judge",
    "link_used",
    "load_key",
    "may_answer",
    "settle",
    "verdict",
    "withdraw",
]
