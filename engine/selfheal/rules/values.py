"""What conditions compare: JSON values under the rules of ansible-rulebook's engine (Java's).

A number equals a number whatever its kind, nothing else equals across types, `null` equals only
`null`, and `true` is no number. Inside lists and maps, and where values are keys (groups, joins),
1 and 1.0 differ.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from typing import Any, Final


class Undefined(Enum):
    """What a path gives that leads nowhere."""

    UNDEFINED = "undefined"


UNDEFINED: Final = Undefined.UNDEFINED


def is_number(value: Any) -> bool:
    """Tell whether it is a JSON number; `true` is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def comparable(left: Any, right: Any) -> bool:
    """Tell whether the two have one type, or one is null: else every comparison is false."""
    if left is None or right is None or (is_number(left) and is_number(right)):
        return True
    return _kind(left) is _kind(right)


def equal(left: Any, right: Any) -> bool:
    """Tell whether the two are equal; of different types they are not."""
    if is_number(left):
        return is_number(right) and bool(left == right)
    if isinstance(left, str) or left is None:
        return bool(left == right)
    return _kind(left) is _kind(right) and identity(left) == identity(right)


def order(left: Any, right: Any) -> int | None:
    """Return -1, 0 or 1 as left stands to right, None when they have no order."""
    both_ordered = is_number(left) and is_number(right)
    if not both_ordered and (_kind(left) is not _kind(right) or not isinstance(left, str | bool)):
        return None
    if left == right:
        return 0
    if left < right:
        return -1
    return 1 if left > right else None  # NaN has no order


def identity(value: Any) -> Hashable:
    """Return a key that two values share only when they are alike in type and content.

    May raise RecursionError for a value nested thousands deep.
    """
    if isinstance(value, Mapping):
        return "map", frozenset((key, identity(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return "list", tuple(identity(item) for item in value)
    return type(value).__name__, value


def contains(container: Any, item: Any) -> bool:
    """Tell whether a list holds the item; anything but a list holds what equals it."""
    if isinstance(container, list | tuple):
        return any(equal(each, item) for each in container)
    return equal(container, item)


def add(left: Any, right: Any) -> Any:
    """Return `left + right`; to a text anything is joined, a missing number counts as nothing."""
    if isinstance(left, str):
        if right is UNDEFINED:
            raise NoAnswerError
        return left + text_of(right)
    return _arithmetic(left, right, lambda a, b: a + b)


def subtract(left: Any, right: Any) -> Any:
    """Return `left - right`; a missing side counts as nothing, the other stands alone."""
    return _arithmetic(left, right, lambda a, b: a - b)


def multiply(left: Any, right: Any) -> Any:
    """Return `left * right`."""
    return _arithmetic(left, right, lambda a, b: a * b)


def divide(left: Any, right: Any) -> Any:
    """Return `left / right`; a division by zero has no answer."""
    return _arithmetic(left, right, lambda a, b: a / b)


class NoAnswerError(Exception):
    """The operands' types don't fit: the comparison they stand in is neither true nor false."""


def _arithmetic(left: Any, right: Any, operate: Callable[[Any, Any], Any]) -> Any:
    if left is None or left is UNDEFINED:
        return 0 if right is None or (left is None and right is UNDEFINED) else right
    if right is None or right is UNDEFINED:
        return left
    if not (is_number(left) and is_number(right)):
        raise NoAnswerError
    try:
        return operate(left, right)
    except ArithmeticError as error:
        raise NoAnswerError from error


def text_of(value: Any) -> str:
    """Return the text that a regular expression sees: Java's way of writing the value.

    May raise RecursionError for a value nested thousands deep.
    """
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={text_of(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(text_of(item) for item in value) + "]"
    return _number_text(value)


def _number_text(value: int | float) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of thousands of digits
        return hex(value) if isinstance(value, int) else ""
    mantissa, mark, exponent = text.partition("e")
    if not mark:
        return text
    mantissa = mantissa if "." in mantissa else mantissa + ".0"
    return f"{mantissa}E{int(exponent)}"


def _kind(value: Any) -> type:
    if isinstance(value, Mapping):
        return dict
    return list if isinstance(value, tuple) else type(value)
