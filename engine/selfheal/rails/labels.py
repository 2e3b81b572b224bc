"""What silences and windows are held against: the names and labels of a healing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from selfheal.model import LabelMatcher, Maintenance, MatchOp, Silence
from selfheal.rails.request import RailRequest

SUBJECT_LIMIT = 1000
"""Characters of a label that an expression looks at: labels come from anywhere."""


def labels_of(request: RailRequest) -> dict[str, str]:
    """Return every label; a name of the engine's own wins over an alert's label, which is then
    found under `labels.` and its name."""
    found = {"target": request.target, "host": request.host, "solution": request.solution}
    if (fault := request.fault) is not None:
        found |= {
            "type": fault.type,
            "severity": fault.severity.value,
            "component": fault.component,
            "ruleset": fault.ruleset,
            "rule": fault.rule,
        }
        own = {f"labels.{name}": value for name, value in fault.labels.items()}
        return {**fault.labels, **own, **found}
    return found


def fits(matchers: Iterable[LabelMatcher], labels: Mapping[str, str]) -> bool:
    """Whether all hold; a label that is not there is empty, as to Alertmanager."""
    return all(_holds(one, labels.get(one.name, "")) for one in matchers)


def has_begun(guard: Silence | Maintenance, now: float) -> bool:
    """Whether it holds from now on, or from the moment it was made on: then it does so as well by
    a clock that has been set back since."""
    return guard.starts_at <= max(now, guard.created_at)


def _holds(matcher: LabelMatcher, value: str) -> bool:
    match matcher.op:
        case MatchOp.EQUAL:
            return value == matcher.value
        case MatchOp.NOT_EQUAL:
            return value != matcher.value
        case MatchOp.REGEX:
            return _matches(matcher.value, value)
        case MatchOp.NOT_REGEX:
            return not _matches(matcher.value, value)


def _matches(expression: str, value: str) -> bool:
    return _compiled(expression).fullmatch(value[:SUBJECT_LIMIT]) is not None


@lru_cache(maxsize=1000)
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)
