"""Regular expressions of conditions: written for Java, run by Python's `re`.

Not guaranteed: a pattern that is slow by nature (several unbounded repeats in a row) takes time
that grows with a power of the text's length. Against that stands only that no more than the first
`SUBJECT_LIMIT` characters of a text are looked at, and that the one form which takes exponential
time, a repeat of nothing but a repeat such as `(a+)+`, is refused.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]  # not public, no other parser
from re import _parser as parser  # type: ignore[attr-defined]  # not public, no other parser
from typing import Any

from selfheal.errors import ConditionError

SUBJECT_LIMIT = 65_536
"""Characters of a text that are searched."""

_JAVA_ONLY = (
    (re.compile(r"\(\?<([A-Za-z])"), r"(?P<\1"),  # named group
    (re.compile(r"(?<!\\)((?:\\\\)*)\\z"), r"\1\\Z"),
    (re.compile(r"(?<!\\)((?:\\\\)*)\\h"), r"\1[ \\t]"),
)
_INLINE_FLAGS = re.compile(r"\(\?([ims]+)\)")


@lru_cache(maxsize=4096)
def compile_pattern(
    pattern: str, *, ignorecase: bool = False, multiline: bool = False
) -> re.Pattern[str]:
    """Return the compiled pattern; raises `ConditionError` for one that is wrong or deadly."""
    flags = re.ASCII  # Java's \\d, \\w and ignored case are ASCII's
    flags |= re.IGNORECASE if ignorecase else 0
    flags |= re.MULTILINE if multiline else 0
    try:
        with warnings.catch_warnings():
            # Python warns of forms it may read differently one day; Java's patterns hold some.
            warnings.simplefilter("ignore", FutureWarning)
            return _compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConditionError(f"{pattern!r} is no regular expression: {error}") from error


def _compile(pattern: str, flags: int) -> re.Pattern[str]:
    translated = _translate(pattern)
    if _is_deadly(parser.parse(translated, flags)):
        hint = "write (a+)+ as a+"
        raise ConditionError(f"the pattern {pattern!r} repeats a repeat", hint=hint)
    return re.compile(translated, flags)


def found(pattern: re.Pattern[str], text: str, *, at_start: bool) -> bool:
    """Tell whether the pattern is found in the text, or at its start."""
    subject = text[:SUBJECT_LIMIT]
    return (pattern.match(subject) if at_start else pattern.search(subject)) is not None


def _translate(pattern: str) -> str:
    for java, python in _JAVA_ONLY:
        pattern = java.sub(python, pattern)
    # Java takes `(?i)` anywhere and means the rest; Python only at the start.
    match = _INLINE_FLAGS.search(pattern, 1)
    if match and "|" not in pattern and _depth(pattern[: match.start()]) == 0:
        head, tail = pattern[: match.start()], pattern[match.end() :]
        return f"{head}(?{match[1]}:{_translate(tail)})"
    return pattern


def _depth(text: str) -> int:
    return text.replace(r"\(", "").count("(") - text.replace(r"\)", "").count(")")


def _is_deadly(tree: Any) -> bool:
    for op, argument in tree:
        if op in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            _, most, body = argument
            if most == codes.MAXREPEAT and _is_only_a_repeat(body):
                return True
        if any(_is_deadly(branch) for branch in _branches(op, argument)):
            return True
    return False


def _is_only_a_repeat(body: Any) -> bool:
    items = [(op, argument) for op, argument in body if not _may_be_empty(op, argument)]
    repeats = [(op, arg) for op, arg in body if op in (codes.MAX_REPEAT, codes.MIN_REPEAT)]
    if len(body) == 1 and body[0][0] is codes.SUBPATTERN:
        return _is_only_a_repeat(body[0][1][-1])
    unbounded = [argument for _, argument in repeats if argument[1] == codes.MAXREPEAT]
    others = [item for item in items if item not in repeats]
    return bool(unbounded) and not others


def _may_be_empty(op: Any, argument: Any) -> bool:
    return op in (codes.MAX_REPEAT, codes.MIN_REPEAT) and argument[0] == 0


def _branches(op: Any, argument: Any) -> list[Any]:
    if op is codes.BRANCH:
        return list(argument[1])
    if op in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.SUBPATTERN):
        return [argument[-1]]
    return [argument[1]] if op in (codes.ASSERT, codes.ASSERT_NOT) else []
