"""Every error selfheal raises.

SelfhealError
├── InputError            a file the operator wrote is wrong; carries every Problem found in it
│   ├── RulebookError
│   ├── ConfigError
│   └── InventoryError
├── ConditionError        one condition does not parse; carries the offset in its text
├── TemplateError         a Jinja value can't be rendered (undefined variable, bad syntax)
├── DurationError         a text is not a duration
├── EventError            an event can't be taken (too large, too deep, not JSON)
├── SourceError           a source can't start or gave up
├── ActionError           an action of a rule failed
├── ExecutionError        a playbook could not be started at all (file missing, …)
│   └── NotInstalledError Ansible is missing
├── StoreError            the record can't be opened, read or written
├── JoinEngineError       the join engine's child process died or lied
├── MissingExtraError     an optional dependency is not installed; says which extra brings it
└── NotFoundError         nothing is known under that name or id
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class SelfhealError(Exception):
    """Base of all errors of this package."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file an operator wrote."""

    message: str
    """What is wrong, in one sentence."""
    file: str = ""
    """Path as the operator gave it; empty when the input was no file."""
    line: int = 0
    """1-based line, 0 when unknown."""
    column: int = 0
    """1-based column, 0 when unknown."""
    path: str = ""
    """Key path inside the file, such as `[0].rules[2].condition`."""
    hint: str = ""
    """What to write instead."""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        text = f"{place}: {self.message}" if place else self.message
        if self.path:
            text += f" (at {self.path})"
        if self.hint:
            text += f"\n    hint: {self.hint}"
        return text


class InputError(SelfhealError):
    """A file is refused whole; `problems` lists everything wrong in it, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RulebookError(InputError):
    """A rulebook is refused."""


class ConfigError(InputError):
    """The configuration (`selfheal.yml`) is refused."""


class InventoryError(InputError):
    """The inventory is refused."""


class ConditionError(SelfhealError):
    """A condition does not parse."""

    def __init__(self, message: str, *, offset: int = 0, hint: str = "") -> None:
        self.message = message
        self.offset = offset
        """0-based character offset into the condition's text."""
        self.hint = hint
        super().__init__(message)


class TemplateError(SelfhealError):
    """A Jinja value can't be rendered."""


class DurationError(SelfhealError):
    """A text is not a duration."""


class EventError(SelfhealError):
    """An event is refused at the door; nothing of it is kept."""


class SourceError(SelfhealError):
    """An event source can't start, or ended by an error."""


class ActionError(SelfhealError):
    """An action of a rule failed; the message is fit for the operator."""


class ExecutionError(SelfhealError):
    """A playbook could not be started."""


class NotInstalledError(ExecutionError):
    """A program of Ansible's is not there: waiting does not bring it."""


class StoreError(SelfhealError):
    """The record can't be opened, read or written."""


class JoinEngineError(SelfhealError):
    """The join engine's child process died, hung, or reported what can't be true."""


class MissingExtraError(SelfhealError):
    """An optional dependency is missing."""

    def __init__(self, feature: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{feature} needs an extra: pip install 'selfheal[{extra}]'")


class NotFoundError(SelfhealError):
    """Nothing is known under that name or id."""
