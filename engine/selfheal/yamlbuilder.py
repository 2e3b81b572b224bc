"""YAML text to plain data with places.

Built event by event without recursion, so no file can exhaust the stack.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from selfheal.errors import Problem

KeyPath = tuple[Any, ...]

MAX_DEPTH = 100
MAX_ALIASED = 100_000
"""Most values that aliases may add to a file; a bomb adds billions."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_SCALARS = ("null", "bool", "int", "float", "str")
_MERGE = object()
_SKIP = object()


@dataclass(frozen=True, slots=True)
class Vaulted:
    """A value encrypted by ansible-vault (`!vault`); never printed, not even encrypted."""

    ciphertext: str = field(repr=False)
    """As `ansible-vault decrypt` takes it, header line included."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a key or a value begins."""

    line: int
    """1-based."""
    column: int
    """1-based."""
    text_column: int = 0
    """Column of a text's first character when the text stands in the file as it is; else 0."""


def format_path(path: KeyPath) -> str:
    """Return a key path for people: `[0].rules[2].condition`."""
    parts = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return "".join(parts).removeprefix(".")


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is being built."""

    value: Any
    path: KeyPath
    start: Position
    anchor: str | None
    weight: int = 1
    """How many values it holds, itself and what aliases bring in counted."""
    height: int = 1
    """Levels it is deep."""
    key: Any = None
    has_key: bool = False
    merges: list[Any] = field(default_factory=list)
    """What `<<` brings in; keys written in the mapping itself win over these."""

    def child_path(self) -> KeyPath:
        if isinstance(self.value, list):
            return (*self.path, len(self.value))
        return (*self.path, self.key) if self.has_key else self.path


class _Fatal(Exception):
    """Nothing more can be read."""


class Builder:
    """Builds the value of one text; afterwards its attributes say what came out."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.value: Any = None
        self.problems: list[Problem] = []
        self.value_at: dict[KeyPath, Position] = {}
        self.key_at: dict[KeyPath, Position] = {}
        self.fatal = False
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._aliased = 0
        self._documents = 0
        self._constructor = yaml.constructor.SafeConstructor()
        self._resolver: Any = yaml.resolver.Resolver()

    def build(self, text: str) -> None:
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        except yaml.YAMLError as error:
            self._note_syntax(error, text)
        except _Fatal:
            self.fatal = True

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._stop("a second document begins here", event, "one file, one document")
            case yaml.ScalarEvent():
                self._add(self._scalar(event), event, _scalar_position(event))
            case yaml.AliasEvent():
                self._add(self._alias(event), event, _start(event))
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._open(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close(event)

    def _open(self, event: Any) -> None:
        is_list = isinstance(event, yaml.SequenceStartEvent)
        if len(self._frames) >= MAX_DEPTH:
            self._note_at(f"nested deeper than {MAX_DEPTH} levels", _start(event), ())
            raise _Fatal
        if event.tag not in (None, "!", _TAG + ("seq" if is_list else "map")):
            self._note(f"the tag {_short(event.tag)} is not supported", event)
        parent = self._frames[-1] if self._frames else None
        path = parent.child_path() if parent else ()
        frame = _Frame([] if is_list else {}, path, _start(event), event.anchor)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._frames.append(frame)

    def _close(self, event: Any) -> None:
        frame = self._frames.pop()
        for merged in frame.merges:
            for key, value in merged.items():
                frame.value.setdefault(key, value)
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.value, frame.weight, frame.height)
        self._grow(frame.weight, frame.height)
        self._add(frame.value, event, frame.start)

    def _add(self, value: Any, event: Any, at: Position) -> None:
        """Put a finished value where it belongs."""
        if not self._frames:
            self.value = value
            self.value_at[()] = at
            return
        frame = self._frames[-1]
        if isinstance(frame.value, list):
            self.value_at[(*frame.path, len(frame.value))] = at
            frame.value.append(value)
        elif not frame.has_key:
            self._take_key(frame, value, at)
        else:
            self._take_value(frame, value, at)

    def _take_key(self, frame: _Frame, key: Any, at: Position) -> None:
        frame.has_key, frame.key = True, key
        path = (*frame.path, key) if not isinstance(key, dict | list) else frame.path
        if isinstance(key, dict | list | Vaulted):
            self._note_at(
                "a key must be a plain value",
                at,
                frame.path,
                'quote a value that begins with braces: "{{ … }}"',
            )
            frame.key = _SKIP
        elif key is not _MERGE and key in frame.value:
            first = self.key_at[path].line
            self._note_at(
                f"duplicate key {key!r}, first in line {first}", at, path, "remove one of the two"
            )
            frame.key = _SKIP
        else:
            self.key_at[path] = at

    def _take_value(self, frame: _Frame, value: Any, at: Position) -> None:
        key, frame.has_key, frame.key = frame.key, False, None
        if key is _MERGE:
            sources = value if isinstance(value, list) else [value]
            if all(isinstance(source, dict) for source in sources):
                frame.merges.extend(sources)
            else:
                self._note_at("'<<' takes a mapping or a list of mappings", at, frame.path)
        elif key is not _SKIP:
            frame.value[key] = value
            self.value_at[(*frame.path, key)] = at

    def _alias(self, event: yaml.AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            self._note(f"the alias *{event.anchor} refers to nothing that ends before it", event)
            return None
        value, weight, height = self._anchors[event.anchor]
        self._grow(weight, height)
        self._aliased += weight
        if self._aliased > MAX_ALIASED or len(self._frames) + height > MAX_DEPTH:
            self._stop("aliases blow this file up", event, "write the values out")
        return value

    def _grow(self, weight: int, height: int) -> None:
        if self._frames:
            around = self._frames[-1]
            around.weight += weight
            around.height = max(around.height, height + 1)

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        value = self._scalar_value(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1, 0)
        self._grow(1, 0)
        return value

    def _scalar_value(self, event: yaml.ScalarEvent) -> Any:
        tag = event.tag or "!"
        if tag == "!":
            tag = self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag == "!vault":
            return Vaulted(event.value)
        kind = tag.removeprefix(_TAG)
        if kind == "merge" and self._expects_key():
            return _MERGE
        if kind in ("timestamp", "merge", "value"):
            return event.value
        if kind not in _SCALARS:
            self._note(f"the tag {_short(tag)} is not supported", event)
            return None
        try:
            return self._constructor.construct_object(yaml.ScalarNode(tag, event.value))
        except (ValueError, KeyError, IndexError, yaml.YAMLError):
            self._note(f"{event.value[:40]!r} is no valid {kind}", event)
            return None

    def _expects_key(self) -> bool:
        frame = self._frames[-1] if self._frames else None
        return frame is not None and isinstance(frame.value, dict) and not frame.has_key

    def _note(self, message: str, event: yaml.Event, hint: str = "") -> None:
        path = self._frames[-1].child_path() if self._frames else ()
        self._note_at(message, _start(event), path, hint)

    def _note_at(self, message: str, at: Position, path: KeyPath, hint: str = "") -> None:
        shown = tuple(key for key in path if key is not _SKIP and key is not _MERGE)
        self.problems.append(
            Problem(message, self.file, at.line, at.column, format_path(shown), hint)
        )

    def _stop(self, message: str, event: yaml.Event, hint: str = "") -> None:
        self._note(message, event, hint)
        raise _Fatal

    def _note_syntax(self, error: yaml.YAMLError, text: str) -> None:
        self.fatal = True
        mark = getattr(error, "problem_mark", None)
        at = Position(mark.line + 1, mark.column + 1) if mark else Position(0, 0)
        reason = str(getattr(error, "problem", None) or error)
        context = getattr(error, "context", None)
        message = f"broken YAML: {f'{context}, ' if context else ''}{reason}"
        self._note_at(message, at, (), _syntax_hint(reason, _character(text, at)))


def _short(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag


def _start(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)


def _scalar_position(event: Any) -> Position:
    start, end = event.start_mark, event.end_mark
    quotes = 2 if event.style in ("'", '"') else 0
    # An escape or a fold makes the text differ in length from what stands in the file.
    as_written = start.line == end.line and end.column - start.column == len(event.value) + quotes
    column = start.column + 1
    return Position(start.line + 1, column, column + quotes // 2 if as_written else 0)


def _character(text: str, at: Position) -> str:
    lines = text.split("\n")
    line = lines[at.line - 1] if 0 < at.line <= len(lines) else ""
    return line[at.column - 1 : at.column]


def _syntax_hint(reason: str, character: str) -> str:
    if character == "\t":
        return "indent with spaces, YAML allows no tabs there"
    if "mapping values are not allowed" in reason:
        return "quote a value that holds ': ', and check the indentation"
    if "cannot start any token" in reason:
        return f"quote a value that begins with {character!r}"
    if "expected <block end>" in reason or "did not find expected key" in reason:
        return "check the indentation, and quote a value that goes on behind its closing quote"
    return ""
