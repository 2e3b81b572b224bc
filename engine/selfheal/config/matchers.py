"""Matchers as Alertmanager writes them: `severity="critical"`, `target=~"web.*"`, `rule!=x`."""

from __future__ import annotations

import re
from re import _constants as codes  # type: ignore[attr-defined]  # not public, no other parser
from re import _parser as parser  # type: ignore[attr-defined]  # not public, no other parser
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from selfheal.errors import ConditionError
from selfheal.model import LabelMatcher, MatchOp
from selfheal.strict import refusal
from selfheal.yamlfile import describe

_FORM = re.compile(r"\s*([A-Za-z_][\w.:-]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.ASCII | re.DOTALL)
_HINT = 'write name="value"; the four operators are = != =~ !~'
_OFTEN = 10
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}


def parse_matcher(text: str) -> LabelMatcher:
    """Return the matcher that `text` means; quotes around the value may be left out.

    Raises `ConditionError` with the offset of what is wrong."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ConditionError("is not a matcher", hint=_HINT)
    name, op, written = found.groups()
    value = _unquoted(written, found.start(3))
    if op in ("=~", "!~"):
        _check_regex(value, found.start(3))
    return LabelMatcher(name, MatchOp(op), value)


def _unquoted(text: str, offset: int) -> str:
    if not text.startswith('"'):
        if '"' in text:
            message = "a quote in the middle of a value"
            raise ConditionError(message, offset=offset + text.index('"'), hint=_HINT)
        return text
    if not re.fullmatch(r'"(?:[^"\\]|\\.)*"', text, re.DOTALL):
        raise ConditionError("the quotes do not close, or close too early", offset=offset)
    return re.sub(r"\\(.)", lambda one: _ESCAPED.get(one[1], one[0]), text[1:-1])


def _check_regex(value: str, offset: int) -> None:
    try:
        re.compile(value)
    except re.error as error:
        message = f"no regular expression: {error.msg}"
        raise ConditionError(message, offset=offset + (error.pos or 0)) from error
    if _repeats_within(parser.parse(value), inside=False):
        message = "a repeat, or alternatives, within a repeat can take for ever on a hostile label"
        raise ConditionError(message, offset=offset, hint="write (a+)+ as a+, (a|b)+ as [ab]+")


def _repeats_within(tree: Any, *, inside: bool) -> bool:
    """Whether what is repeated often can match one text in several ways."""
    for op, argument in tree:
        repeats = op in (codes.MAX_REPEAT, codes.MIN_REPEAT)
        varies = repeats and argument[0] != argument[1]
        if inside and (varies or op is codes.BRANCH):
            return True
        often = inside or (repeats and argument[1] > _OFTEN)
        if any(_repeats_within(one, inside=often) for one in _parts(op, argument)):
            return True
    return False


def _parts(op: Any, argument: Any) -> list[Any]:
    if op is codes.BRANCH:
        return list(argument[1])
    if op in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.SUBPATTERN):
        return [argument[-1]]
    return [argument[1]] if op in (codes.ASSERT, codes.ASSERT_NOT) else []


def _matcher(value: Any) -> LabelMatcher:
    if isinstance(value, LabelMatcher):
        return value
    if not isinstance(value, str):
        raise refusal(f"must be a matcher, not {describe(value)}", _HINT)
    try:
        return parse_matcher(value)
    except ConditionError as error:
        raise refusal(error.message, error.hint, offset=error.offset) from error


Matcher = Annotated[
    LabelMatcher,
    PlainValidator(_matcher),
    PlainSerializer(str),
    WithJsonSchema({"type": "string"}),
]
