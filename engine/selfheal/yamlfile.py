"""YAML files: plain data, and where in the file each part of it stands.

The flavour is YAML 1.1 as PyYAML and Ansible read it: `yes/no/on/off` are booleans, `010` is
octal 8, `0o10` is text. Dates stay text, because everything selfheal keeps is JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfheal.errors import InputError, Problem
from selfheal.yamlbuilder import Builder, KeyPath, Position, Vaulted, format_path

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = [
    "Document",
    "KeyPath",
    "Position",
    "Vaulted",
    "describe",
    "did_you_mean",
    "format_path",
    "load_yaml",
    "parse_yaml",
    "problems_from",
    "read_yaml",
]

MAX_BYTES = 10_000_000

_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file that was read, whatever it is worth."""

    file: str
    """Path as the operator gave it."""
    value: Any = None
    """What it says; None when it could not be read to its end."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with it as YAML."""
    value_at: Mapping[KeyPath, Position] = field(default_factory=dict)
    """Key path to the place of the value."""
    key_at: Mapping[KeyPath, Position] = field(default_factory=dict)
    """Key path to the place of its key."""
    digest: str = ""
    """SHA-256 of the text, byte order mark left out."""

    def position(self, path: KeyPath, *, at_key: bool = False) -> Position:
        """Return where `path` stands, or the nearest part around it that stands in the file."""
        if at_key and (found := self.key_at.get(path)):
            return found
        for end in range(len(path), -1, -1):
            if found := self.value_at.get(path[:end]):
                return found
        return Position(0, 0)

    def place(self, path: KeyPath) -> str:
        """Return `file:line:column` of the value at `path`."""
        at = self.position(path)
        return f"{self.file}:{at.line}:{at.column}"

    def problem(
        self, message: str, path: KeyPath, *, hint: str = "", at_key: bool = False, offset: int = 0
    ) -> Problem:
        """Return the problem at `path`; `offset` counts characters into the text there."""
        at = self.position(path, at_key=at_key)
        column = at.text_column + offset if at.text_column and not at_key else at.column
        return Problem(message, self.file, at.line, column, format_path(path), hint)


def load_yaml(path: Path | str, error: type[InputError] = InputError) -> Document:
    """Read the file; raises `error` with every problem when it is not sound YAML."""
    document = read_yaml(path)
    if document.problems:
        raise error(document.problems)
    return document


def read_yaml(path: Path | str) -> Document:
    """Read the file as far as it can be read; never raises, see `Document.problems`."""
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        return _broken(str(path), f"can't be read: {getattr(error, 'strerror', None) or error}")
    return parse_yaml(content, str(path))


def parse_yaml(content: bytes | str, file: str = "") -> Document:
    """Like `read_yaml`, for content already in memory."""
    if len(content) > MAX_BYTES:
        return _broken(file, f"is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        return _broken(file, "is not valid UTF-8 here", before, "save the file as UTF-8")
    if strange := _NOT_YAML.search(text):
        before = text[: strange.start()]
        return _broken(
            file, f"holds the character {strange[0]!r} here, not allowed in YAML", before
        )
    if text.startswith("$ANSIBLE_VAULT"):
        return _broken(file, "is encrypted as a whole", "", "encrypt single values: `key: !vault`")
    built = Builder(file)
    built.build(text)
    value = None if built.fatal else built.value
    digest = sha256(text.encode()).hexdigest()
    return Document(file, value, tuple(built.problems), built.value_at, built.key_at, digest)


def problems_from(error: ValidationError, document: Document) -> list[Problem]:
    """Return pydantic's findings on `document.value` as problems, in file order.

    A model derived from `selfheal.strict.Strict` gets "did you mean" hints for unknown keys."""
    problems = [_problem_from(item, document) for item in error.errors(include_url=False)]
    return sorted(problems, key=lambda found: (found.line, found.column))


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """Return the hint that names the nearest of `known`, or lists them when they are few."""
    known = sorted(known)
    if near := get_close_matches(str(word), known, n=1, cutoff=0.6):
        return f"did you mean {near[0]!r}?"
    return f"known here: {', '.join(known)}" if 0 < len(known) <= 30 else ""


def describe(value: Any) -> str:
    """Return what `value` is, for a message: `a list`, `the number 5`; secrets stay unsaid."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}" if abs(value) < 1e40 else "a huge number"
        case str():
            return f"the text {value[:40]!r}"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a mapping"
        case Vaulted():
            return "an encrypted value"
    return f"a {type(value).__name__}"


def _broken(file: str, message: str, before: str | None = None, hint: str = "") -> Document:
    line = column = 0
    if before is not None:
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    problem = Problem(f"the file {message}", file, line, column, hint=hint)
    return Document(file, problems=(problem,))


_WRONG_TYPE = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "mapping_type": "a mapping",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}


def _problem_from(item: Mapping[str, Any], document: Document) -> Problem:
    path, last = _document_path(item["loc"], document.value)
    kind, context = item["type"], item.get("ctx") or {}
    hint = str(context.get("hint") or "")
    if kind in ("extra_forbidden", "unknown_key"):
        return document.problem(f"unknown key {last!r}", path, hint=hint, at_key=True)
    if kind == "missing":
        at_key = bool(path) and isinstance(path[-1], str)
        return document.problem(f"the key {last!r} is missing", path, at_key=at_key)
    if kind in _WRONG_TYPE:
        message = f"must be {_WRONG_TYPE[kind]}, not {describe(item['input'])}"
        if kind == "string_type" and isinstance(item["input"], bool | int | float):
            hint = "put quotes around it"
        return document.problem(message, path, hint=hint)
    message = str(item["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if kind != "refused":
        message = message[:1].lower() + message[1:]
    return document.problem(message, path, hint=hint, offset=int(context.get("offset") or 0))


def _document_path(location: tuple[Any, ...], value: Any) -> tuple[KeyPath, Any]:
    """Follow pydantic's location through the data; names of union members are no keys."""
    path: list[Any] = []
    for key in location:
        is_item = isinstance(value, list) and isinstance(key, int) and key < len(value)
        if is_item or (isinstance(value, Mapping) and key in value):
            path.append(key)
            value = value[key]
    return tuple(path), location[-1] if location else ""
