"""The proof: a fact must hold without a break for `stable_for`, inside `within`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from selfheal.clock import Clock
from selfheal.duration import format_duration
from selfheal.errors import ExecutionError, SelfhealError, StoreError
from selfheal.masking import holds_mask
from selfheal.model import Validation, ValidationResult
from selfheal.recovery.validation.command import COMMAND
from selfheal.recovery.validation.event import EVENT
from selfheal.recovery.validation.http import HTTP
from selfheal.recovery.validation.kind import Kind, ProbeContext, Seen
from selfheal.recovery.validation.playbook import PLAYBOOK
from selfheal.recovery.validation.promql import PROMQL
from selfheal.recovery.validation.tcp import TCP
from selfheal.templates import render

_log = logging.getLogger(__name__)
_EPSILON = 1e-6  # sums of seconds are not exact
_SHORTEST_INTERVAL = 0.01

KINDS: dict[str, Kind[Any]] = {
    "command": COMMAND,
    "event": EVENT,
    "http": HTTP,
    "playbook": PLAYBOOK,
    "promql": PROMQL,
    "tcp": TCP,
}

Try = Callable[[], Awaitable[Seen]]


async def validate(
    validation: Validation, variables: Mapping[str, Any], context: ProbeContext, clock: Clock
) -> ValidationResult:
    """Return whether the validation held; what can't be rendered or understood did not.

    Raises StoreError when a try can't be recorded."""
    started_at = clock.now()
    name = validation.kind
    try:
        kind = KINDS[validation.kind]
        args = _arguments(kind, validation.args, variables)
        name = kind.title(args)
        context = replace(context, timeout=validation.timeout)
        seen, tries = await holds(validation, lambda: kind.probe(args, context), clock)
    except KeyError:
        seen, tries = Seen(False, f"there is no validation {validation.kind!r}"), 0
    except StoreError:
        raise
    except SelfhealError as error:
        seen, tries = Seen(False, str(error)), 0
    except ValidationError as error:
        seen, tries = Seen(False, _first_problem(error)), 0
    except Exception as error:
        # In doubt it did not hold: what ran is undone, which an error of the engine would prevent.
        _log.exception("validation %s can't be understood", validation.kind)
        seen, tries = Seen(False, f"{type(error).__name__}: {error}"[:300]), 0
    return ValidationResult(name, seen.ok, seen.detail, tries, started_at, clock.now())


async def holds(validation: Validation, look: Try, clock: Clock) -> tuple[Seen, int]:
    """Look again and again until the proof is complete or can't be any more; and count.

    A try counts at the time it began. `retries` is the number of tries that may fail."""
    start = clock.monotonic()
    deadline = start + validation.within
    held_since: float | None = None
    tries = failures = 0
    while True:
        asked_at = clock.monotonic()
        seen, tries = await _look(look, validation.timeout, clock), tries + 1
        if not seen.ok:
            held_since, failures = None, failures + 1
            if validation.retries is not None and failures >= validation.retries:
                return Seen(False, f"{seen.detail} (gave up after {tries} tries)"), tries
        elif held_since is None:
            held_since = asked_at
        if held_since is not None and asked_at - held_since >= validation.stable_for - _EPSILON:
            return _proven(seen, validation), tries
        next_at = _next_look(validation, asked_at, held_since, clock.monotonic())
        complete_at = (next_at if held_since is None else held_since) + validation.stable_for
        if max(next_at, complete_at) > deadline + _EPSILON:
            return _not_proven(seen, validation), tries
        await clock.sleep(next_at - clock.monotonic())


def _next_look(
    validation: Validation, asked_at: float, held_since: float | None, now: float
) -> float:
    """Return when to look again: at the latest when the proof would be complete."""
    next_at = asked_at + max(validation.interval, _SHORTEST_INTERVAL)
    if held_since is not None:
        next_at = min(next_at, held_since + validation.stable_for)
    return max(next_at, now)


async def _look(look: Try, timeout: float, clock: Clock) -> Seen:
    """Try once, within `timeout`; whatever goes wrong means that it did not hold."""
    work = asyncio.ensure_future(look())
    timer = asyncio.ensure_future(clock.sleep(timeout))
    waiting: set[asyncio.Future[Any]] = {work, timer}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        finished = work.done()
        work.cancel()
        await asyncio.wait({work})
    if not finished:
        return Seen(False, f"no answer within {format_duration(timeout)}")
    try:
        return work.result()
    except StoreError:
        raise  # the engine's own trouble says nothing about what is to be proven
    except (SelfhealError, OSError) as error:
        return Seen(False, str(error) or type(error).__name__)
    except Exception as error:
        _log.debug("a validation's probe raised", exc_info=error)
        return Seen(False, f"{type(error).__name__}: {error}"[:300])


def _proven(seen: Seen, validation: Validation) -> Seen:
    if not validation.stable_for:
        return seen
    return Seen(True, f"{seen.detail}, held for {format_duration(validation.stable_for)}")


def _not_proven(seen: Seen, validation: Validation) -> Seen:
    within = format_duration(validation.within)
    if validation.stable_for:
        stable = format_duration(validation.stable_for)
        return Seen(False, f"did not hold for {stable} within {within}; last seen: {seen.detail}")
    return Seen(False, f"did not hold within {within}; last seen: {seen.detail}")


def _arguments(kind: Kind[Any], raw: Mapping[str, Any], variables: Mapping[str, Any]) -> Any:
    raw = kind.before_rendering(raw)
    rendered = render(raw, variables)
    if why := kind.refuse(raw, rendered, variables):
        raise ExecutionError(why)
    if holds_mask(rendered):
        raise ExecutionError("an argument holds a secret that the record does not keep")
    return kind.args.model_validate(rendered)


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])
