"""Validating an attempt: every proof in its own time, then all of them side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from selfheal.clock import Clock
from selfheal.model import (
    FaultState,
    Healing,
    PlaybookRequest,
    PlaybookResult,
    StepKind,
    Validation,
    ValidationResult,
)
from selfheal.ports import Record
from selfheal.recovery.canary import HostsOf, within_batch
from selfheal.recovery.requests import KnownHosts, LiveVariables, RequestBuilder, variables_of
from selfheal.recovery.runs import Runs
from selfheal.recovery.story import Story
from selfheal.recovery.validation import ProbeContext, validate
from selfheal.recovery.waiting import cancelled, settled


class Proofs:
    """Validates attempts and records what was seen."""

    def __init__(
        self,
        record: Record,
        runs: Runs,
        clock: Clock,
        known_hosts: KnownHosts,
        hosts_of: HostsOf,
        prometheus_url: str,
        live: LiveVariables,
    ) -> None:
        self._record = record
        self._runs = runs
        self._clock = clock
        self._known_hosts = known_hosts
        self._hosts_of = hosts_of
        self._prometheus_url = prometheus_url
        self._live = live

    async def validate(self, healing: Healing, stop: asyncio.Event) -> None:
        """Validate the open attempt. A stop gives it up, and nothing is recorded.

        A validation that a restart interrupted has the time that was left, and always enough for
        a proof that holds from now on."""
        attempt = healing.attempts[-1]
        now = self._clock.now()
        with self._record.transaction():
            since = self._record.begin_validation(attempt.id, now)
            checks = _with_time_left(healing.ladder[attempt.rung].validate, now - since)
            Story(self._record, healing).validation_begun(checks)
        work = asyncio.ensure_future(self._proofs(healing, checks))
        try:
            if await settled(work, stop):
                self._note(healing, work.result())
            else:
                Story(self._record, healing).validation_given_up()
        finally:
            await cancelled(work)

    def _note(self, healing: Healing, results: list[ValidationResult]) -> None:
        with self._record.transaction():
            self._record.set_validations(healing.attempts[-1].id, results, self._clock.now())
            for result in results:
                Story(self._record, healing).validation_ended(result)

    async def _proofs(
        self, healing: Healing, checks: Sequence[Validation]
    ) -> list[ValidationResult]:
        """Prove each in its own time; several must then also hold side by side."""
        proofs = [self._prove(healing, number, check) for number, check in enumerate(checks)]
        first = await _side_by_side(proofs)
        if len(first) < 2 or not all(result.ok for result in first):
            return first
        # The first proven may have broken while the last one was still being proven.
        once = [replace(check, within=0.0, stable_for=0.0, retries=None) for check in checks]
        looks = [self._prove(healing, number, check) for number, check in enumerate(once)]
        again = await _side_by_side(looks)
        return [_both(one, other) for one, other in zip(first, again, strict=True)]

    async def _prove(
        self, healing: Healing, number: int, validation: Validation
    ) -> ValidationResult:
        context = ProbeContext(
            run_playbook=self._playbook_check(healing, validation, number),
            fault_resolved=lambda: self._fault_resolved(healing),
            prometheus_url=self._prometheus_url,
        )
        variables = variables_of(healing, healing.attempts[-1], self._live)
        return await validate(validation, variables, context, self._clock)

    def _playbook_check(
        self, healing: Healing, validation: Validation, number: int
    ) -> Callable[[str, Mapping[str, Any], str], Awaitable[PlaybookResult]]:
        attempt = healing.attempts[-1]
        builder = RequestBuilder(healing, attempt, self._known_hosts, self._live)
        raw_limit = str(validation.args.get("limit", ""))

        async def check(playbook: str, variables: Mapping[str, Any], limit: str) -> PlaybookResult:
            async def build(ident: str) -> PlaybookRequest | None:
                request = await builder.check(ident, playbook, variables, raw_limit, limit)
                return await within_batch(attempt, request, self._hosts_of)

            run = self._runs.intent(StepKind.VALIDATION, attempt, number, playbook, playbook)
            return await self._runs.run(healing, run, build, asyncio.Event())

        return check

    def _fault_resolved(self, healing: Healing) -> bool:
        if not healing.fault_id:
            return False
        state = self._record.fault(healing.fault_id).state
        return state in (FaultState.RESOLVED, FaultState.HEALED)


async def _side_by_side(
    proofs: Iterable[Coroutine[Any, Any, ValidationResult]],
) -> list[ValidationResult]:
    """Return all results; when one can't be had, none of the others goes on."""
    tasks = [asyncio.ensure_future(proof) for proof in proofs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancelled(*tasks)


def _with_time_left(checks: Sequence[Validation], gone: float) -> list[Validation]:
    """Return the validations with the time left when `gone` seconds are over."""
    if gone <= 0:  # begun now, or the clock was set back
        return list(checks)
    return [
        replace(check, within=max(check.within - gone, min(check.stable_for, check.within)))
        for check in checks
    ]


def _both(first: ValidationResult, again: ValidationResult) -> ValidationResult:
    """Return the proof with the look at the end of all proofs, which may have undone it."""
    detail = first.detail if again.ok else f"held, but not until the end: {again.detail}"
    tries = first.tries + again.tries
    return replace(first, ok=again.ok, detail=detail, tries=tries, ended_at=again.ended_at)
