"""What a kind of validation is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import ConfigDict

from selfheal.model import PlaybookResult
from selfheal.strict import Strict


class Args(Strict):
    """Base of the arguments of a kind. A template may give a number where a text is meant."""

    model_config = ConfigDict(coerce_numbers_to_str=True)


A = TypeVar("A", bound=Args)


class Seen(NamedTuple):
    """What one try saw."""

    ok: bool
    """True when the fact held."""
    detail: str
    """What was seen, in a few words."""


async def _no_playbooks(playbook: str, variables: Mapping[str, Any], limit: str) -> PlaybookResult:
    raise LookupError("no playbook runner here")


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """What a probe may ask the engine for."""

    run_playbook: Callable[[str, Mapping[str, Any], str], Awaitable[PlaybookResult]] = _no_playbooks
    """Run a playbook with these extra variables, limited to these hosts."""
    fault_resolved: Callable[[], bool] = lambda: False
    """Whether the record says that the fault is over."""
    prometheus_url: str = ""
    """Prometheus to ask when a validation names none."""
    timeout: float = 5.0
    """Seconds that a try has: for clients that keep time themselves."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[A]):
    """One kind of validation."""

    args: type[A]
    """Its arguments, after rendering."""
    title: Callable[[A], str]
    """Its name in the record."""
    probe: Callable[[A, ProbeContext], Awaitable[Seen]]
    """Look once. What it raises counts as `not ok`."""
    before_rendering: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda args: args
    """Called on the raw arguments, before event data gets into them."""
    refuse: Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], str] = (
        lambda raw, rendered, variables: ""
    )
    """Why event data makes the arguments (raw, rendered, with these variables) unfit; empty: it
    does not."""
