"""The values of the condition language: numbers, texts, lists and paths."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from selfheal.errors import ConditionError
from selfheal.model.condition import Literal, Path
from selfheal.rulebook import tokens
from selfheal.rulebook.hints import hint_for
from selfheal.rulebook.scanner import Scanner

MAX_NESTING = 40
MAX_OPERATORS = 200
"""Per condition; whatever walks the nodes may then recurse without fear."""


class TermParser:
    """Reads single values; each method returns None, nothing taken, when its value isn't there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.scan = Scanner(text)
        self.nesting = 0
        self.operators = 0

    def _list(self) -> Literal | None:
        before = self.scan.position
        if not self.scan.take(tokens.OPEN_LIST):
            return None
        items: list[Any] = []
        while (item := self._scalar() or self._list_path()) is not None:
            items.append(item.value if isinstance(item, Literal) else item)
            if not self.scan.take(tokens.COMMA, "',' or ']'"):
                break
        if item is None or not self.scan.take(tokens.CLOSE_LIST, "']'"):
            self.scan.position = before
            return None
        return Literal(tuple(items))

    def _list_path(self) -> Path | None:
        offset = self.scan.skip_space()
        path = self._path()
        if path is not None and path.root != "vars":
            self._fail("a list holds plain values and vars only", offset)
        return path

    def _scalar(self) -> Literal | None:
        return self._number() or self._constant() or self._text()

    def _number(self) -> Literal | None:
        if number := self.scan.take(tokens.FLOAT):
            return Literal(float(number[0]))
        if number := self.scan.take(tokens.INTEGER):
            if len(number[0]) > 400:
                self._fail("the number is too long", number.start())
            return Literal(int(number[0]))
        return None

    def _constant(self) -> Literal | None:
        if self.scan.take(tokens.NULL):
            return Literal(None)
        if boolean := self.scan.take(tokens.BOOLEAN):
            return Literal(boolean[0].lower() == "true")
        return None

    def _text(self) -> Literal | None:
        if not (quoted := self.scan.take(tokens.TEXT, "a value")):
            return None
        inner = quoted[0][1:-1]
        return Literal(tokens.BACKSLASH.sub(lambda found: tokens.BACKSLASHED[found[0]], inner))

    def _path(self) -> Path | None:
        root = self.scan.take(tokens.ROOT)
        if root is None:
            return None
        keys: list[str | int] = []
        while key := tokens.KEY.match(self.text, self.scan.position):
            self.scan.position = key.end()
            name = next((part for part in key.groups()[:3] if part is not None), None)
            keys.append(name if name is not None else int(key[4]))
        written = self.text[root.end() : self.scan.position]
        if not keys or (written[0] == "[" and root[0] not in ("event", "fact")):
            self._fail(f"a key is missing behind {root[0]!r}", root.start())
        if root[0] == "vars" and "[" in written:
            self._fail("vars are reached by dots only", root.start())
        return Path(root[0], tuple(keys), written.removeprefix("."))

    def _close(self, pattern: re.Pattern[str], name: str) -> None:
        if not self.scan.take(pattern, name):
            self._fail_at(f"{name} is missing here")

    def _enter(self, offset: int) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self._fail(f"nested deeper than {MAX_NESTING} levels", offset)

    def _count(self, offset: int) -> None:
        self.operators += 1
        if self.operators > MAX_OPERATORS:
            self._fail(f"more than {MAX_OPERATORS} operators in one condition", offset)

    def _fail_at(self, message: str) -> NoReturn:
        offset = self.scan.skip_space()
        self._fail(message, offset, hint_for(self.text, offset))

    def _fail(self, message: str, offset: int, hint: str = "") -> NoReturn:
        offset += len(self.text[offset:]) - len(self.text[offset:].lstrip())
        raise ConditionError(message, offset=offset, hint=hint)

    def _fail_where_it_ended(self) -> NoReturn:
        if not self.text.strip():
            raise ConditionError("the condition is empty", hint="write `true` to match any event")
        offset = max(self.scan.furthest, self.scan.position)
        rest = self.text[offset:].split(maxsplit=1)
        found = f"{rest[0][:20]!r}" if rest else "the end of the text"
        wanted = self.scan.expected if offset == self.scan.furthest else []
        self._fail(
            f"{' or '.join(wanted) or 'a value'} is expected, but here is {found}",
            offset,
            hint_for(self.text, offset),
        )
