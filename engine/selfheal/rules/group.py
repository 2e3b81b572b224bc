"""Groups of a throttle: which messages count as alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from selfheal.errors import ConditionError
from selfheal.rules.operands import Body
from selfheal.rules.pattern import key_of

Group = tuple[str, ...]

_ROOT = re.compile(r"(?:event|events|fact|facts)(?=[.\[])")
_PART = re.compile(r"""\.?([A-Za-z_][\w-]*)|\[(-?\d+)\]|\["([^"]*)"\]|\['([^']*)'\]""")


def group_by(attributes: Sequence[str]) -> Callable[[Body], Group | None]:
    """Return the function that gives a message's group; None when it lacks an attribute.

    Raises `ConditionError` for an attribute that is no path.
    """
    keys = [key_of(path_of(attribute)) for attribute in attributes]

    def group(body: Body) -> Group | None:
        found = [key(body) for key in keys]
        present = tuple(each for each in found if each is not None)
        return present if len(present) == len(found) else None

    return group


def path_of(attribute: str) -> list[str | int]:
    """Return the keys of `event.meta.hosts`, `event.a["b c"][0]`, or of a bare `meta.hosts`."""
    root = _ROOT.match(attribute)
    position = root.end() if root else 0
    keys: list[str | int] = []
    while position < len(attribute):
        part = _PART.match(attribute, position)
        if part is None:
            hint = "write one such as event.meta.hosts"
            raise ConditionError(f"{attribute!r} is not a path", offset=position, hint=hint)
        name, index, double, single = part.groups()
        keys.append(
            int(index) if index else next(x for x in (name, double, single) if x is not None)
        )
        position = part.end()
    return keys
