"""Running one source: arguments rendered and checked, events let in, restarted when it fails."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from selfheal.clock import Clock, SystemClock
from selfheal.duration import format_duration
from selfheal.errors import EventError, MissingExtraError, SourceError, TemplateError
from selfheal.model import SourceSpec
from selfheal.ports import EventQueue
from selfheal.sources.events import DEFAULT_LIMITS, EventLimits
from selfheal.sources.intake import Intake, Pipeline
from selfheal.sources.plugins import Source
from selfheal.templates import render

_REFUSAL_PAUSE = 10.0


class ReportKind(Enum):
    """What a report of a source tells."""

    STARTED = "started"
    """Its `main` is about to run; after a failure once more."""
    REFUSED = "refused"
    """An event was refused; at most one report in 10 seconds, `count` is the total so far."""
    FAILED = "failed"
    """It raised; it is started again after `delay` seconds. `count` is failures in a row."""
    ENDED = "ended"
    """Its `main` returned: it has nothing more to say. `count` is the events taken."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One thing worth telling about a source."""

    kind: ReportKind
    """What happened."""
    source: str
    """Name of the source in the rulebook."""
    text: str
    """One line for people."""
    count: int = 0
    """See the kind."""
    delay: float = 0.0
    """See `FAILED`."""


@dataclass(frozen=True, slots=True)
class SourceEnd:
    """A source ended by itself: what ansible-rulebook calls its shutdown."""

    source_plugin: str
    """The source's type, as the rulebook has it."""
    message: str
    """`Source <type> initiated shutdown at <local time>`."""
    taken: int
    """Events handed to the engine since the source was first started."""
    refused: int
    """Events refused since then."""
    kind: str = "graceful"
    """What has been accepted is still worked off."""
    delay: float = 60.0
    """Seconds that ansible-rulebook gives the running actions."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a source that raised is started again."""

    first: float = 1.0
    """Seconds after the first failure; doubled at each further one."""
    longest: float = 60.0
    """Most seconds; a run that held this long begins anew at `first`."""
    give_up_after: int | None = None
    """Failures in a row after which `run_source` raises; None: never."""

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after that many failures in a row."""
        return min(self.first * 2.0 ** min(failures - 1, 30), self.longest)


def render_args(spec: SourceSpec, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the source's arguments with the Jinja in them rendered. Raises `SourceError`."""
    try:
        rendered: dict[str, Any] = render(dict(spec.args), variables)
    except TemplateError as error:
        raise SourceError(f"source {spec.name}: {error}") from error
    return rendered


async def run_source(
    spec: SourceSpec,
    source: Source,
    queue: EventQueue,
    *,
    variables: Mapping[str, Any] | None = None,
    pipeline: Pipeline = lambda event: [event],
    report: Callable[[SourceReport], None] = lambda report: None,
    limits: EventLimits = DEFAULT_LIMITS,
    backoff: Backoff | None = None,
    clock: Clock | None = None,
) -> SourceEnd:
    """Run the source until its `main` returns.

    Every event goes through `pipeline` (its filters) and then into `queue`. A source that raises
    is reported and started again. Raises `SourceError` when that can't help: wrong arguments, a
    missing extra, a platform without it, or `backoff.give_up_after` failures in a row. Cancelling
    passes through the source's own clean-up.
    """
    run = _Run(spec, source, report, clock or SystemClock(), backoff or Backoff())
    args = render_args(spec, variables or {})
    source.check(args)
    intake = Intake(queue, pipeline, limits, run.refused)
    while True:
        error = await run.once(intake, args)
        if error is None:
            return run.ended(intake)
        await run.pause(error)


class _Run:
    def __init__(
        self,
        spec: SourceSpec,
        source: Source,
        report: Callable[[SourceReport], None],
        clock: Clock,
        backoff: Backoff,
    ) -> None:
        self.spec = spec
        self.source = source
        self.tell = report
        self.clock = clock
        self.backoff = backoff
        self.failures = 0
        self.refusals = 0
        self.refusal_told_at = float("-inf")
        self.started_at = 0.0

    async def once(self, intake: Intake, args: Mapping[str, Any]) -> BaseException | None:
        """Run `main` once; return what it raised, None when it returned."""
        self.started_at = self.clock.monotonic()
        self._report(ReportKind.STARTED, f"source {self.spec.name} started ({self.source.origin})")
        try:
            async with intake.pumping():
                await self.source.main(intake, copy.deepcopy(dict(args)))
        except (SourceError, MissingExtraError) as error:
            # Starting it again would say the same again.
            raise SourceError(self._named(error)) from error
        except (Exception, SystemExit) as error:
            return error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        return None

    async def pause(self, error: BaseException) -> None:
        if self.clock.monotonic() - self.started_at >= self.backoff.longest:
            self.failures = 0
        self.failures += 1
        what = self._named(f"{type(error).__name__}: {error}")
        if self.failures == self.backoff.give_up_after:
            raise SourceError(what) from error
        delay = self.backoff.delay(self.failures)
        text = f"{what}; started again in {format_duration(delay)}"
        self._report(ReportKind.FAILED, text, self.failures, delay)
        await self.clock.sleep(delay)

    def refused(self, error: EventError) -> None:
        self.refusals += 1
        now = self.clock.monotonic()
        if now - self.refusal_told_at >= _REFUSAL_PAUSE:
            self.refusal_told_at = now
            text = f"source {self.spec.name}: event refused: {error}"
            self._report(ReportKind.REFUSED, text, self.refusals)

    def ended(self, intake: Intake) -> SourceEnd:
        at = datetime.datetime.fromtimestamp(self.clock.now())
        message = f"Source {self.source.type} initiated shutdown at {at}"
        self._report(ReportKind.ENDED, f"source {self.spec.name} ended", intake.taken)
        return SourceEnd(self.source.type, message, intake.taken, intake.refused)

    def _named(self, error: object) -> str:
        text = str(error)
        name = f"source {self.spec.name}"
        return text if text.startswith("source ") else f"{name}: {text}"

    def _report(self, kind: ReportKind, text: str, count: int = 0, delay: float = 0.0) -> None:
        self.tell(SourceReport(kind, self.spec.name, text, count, delay))
