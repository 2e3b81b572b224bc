"""Running a source: arguments, failures, restarts, the end."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from selfheal.clock import ManualClock
from selfheal.errors import SourceError
from selfheal.model import SourceSpec
from selfheal.plugin_lookup import Places
from selfheal.ports import EventQueue
from selfheal.sources import Backoff, ReportKind, SourceReport, load_source, run_source
from tests.sources.support import Run, plugin, running, source_of, until

FAILS_TWICE = """
runs = 0
async def main(queue, args):
    global runs
    runs += 1
    await queue.put({"run": runs})
    if runs < 3:
        raise OSError("the bus is gone")
"""


async def test_a_source_that_raises_is_restarted_and_reported(tmp_path: Path) -> None:
    """It is started again after 1, 2, 4 … seconds, each failure is told, and it goes on."""
    plugin(tmp_path, "flaky", FAILS_TWICE)
    clock = ManualClock()
    async with running("flaky", places=Places(rulebook_dir=tmp_path), clock=clock) as run:
        assert (await run.event())["run"] == 1
        failed = await run.report(ReportKind.FAILED)
        assert failed.text == ("source flaky: OSError: the bus is gone; started again in 1.0s")
        await clock.advance(0.99)
        assert run.queue.empty()
        await clock.advance(0.01)
        assert (await run.event())["run"] == 2
        await clock.advance(2.0)
        assert (await run.event())["run"] == 3
        end = await run.end()
    assert (end.taken, end.refused) == (3, 0)
    kinds = [report.kind.value for report in run.reports]
    assert kinds == ["started", "failed", "started", "failed", "started", "ended"]
    assert [r.delay for r in run.reports if r.kind is ReportKind.FAILED] == [1.0, 2.0]


def test_backoff() -> None:
    """The wait doubles and stops growing at the longest."""
    backoff = Backoff(first=0.5, longest=60.0)
    assert [backoff.delay(n) for n in (1, 2, 3, 8, 9, 5000)] == [0.5, 1, 2, 60, 60, 60]


async def test_a_long_good_run_forgets_old_failures() -> None:
    """A failure after a minute of good service is the first one again."""
    clock = ManualClock()

    async def steady(queue: EventQueue, args: dict[str, Any]) -> None:
        await clock.sleep(61)
        raise OSError("gone")

    async with running(source_of(steady), clock=clock) as run:
        await until(lambda: run.reports)
        for _ in range(3):
            await clock.advance(62)
    failures = [report.count for report in run.reports if report.kind is ReportKind.FAILED]
    assert failures == [1, 1, 1]


async def test_give_up(tmp_path: Path) -> None:
    """With a limit on failures, the source's last error is raised when it is reached."""
    plugin(tmp_path, "dead", "async def main(queue, args):\n    raise OSError('no route')")
    backoff = Backoff(first=0.0, give_up_after=3)
    with pytest.raises(SourceError, match="source dead: OSError: no route"):
        async with running("dead", places=Places(rulebook_dir=tmp_path), backoff=backoff) as run:
            await run.end()
    assert [r.kind for r in run.reports].count(ReportKind.STARTED) == 3


async def test_a_plugin_that_calls_exit_does_not_end_the_engine(tmp_path: Path) -> None:
    """`sys.exit()` in a plugin is a failure of that source like any other."""
    plugin(tmp_path, "quitter", "import sys\nasync def main(queue, args):\n    sys.exit('bye')")
    async with running("quitter", places=Places(rulebook_dir=tmp_path)) as run:
        assert "SystemExit: bye" in (await run.report(ReportKind.FAILED)).text


async def test_one_error_out_of_a_task_group_is_told_by_its_own_name(tmp_path: Path) -> None:
    """The operator reads what happened, not that it happened in a group of tasks."""
    text = """
import asyncio
async def fail():
    raise OSError("port taken")
async def main(queue, args):
    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
"""
    plugin(tmp_path, "grouped", text)
    async with running("grouped", places=Places(rulebook_dir=tmp_path)) as run:
        assert "OSError: port taken" in (await run.report(ReportKind.FAILED)).text


async def test_wrong_arguments_are_not_retried() -> None:
    """What can't get better is raised at once, before the source starts."""
    with pytest.raises(SourceError, match="'limit' is required"):
        async with running("range", {}) as run:
            await run.end()
    assert run.reports == []


async def test_arguments_are_rendered_over_the_variables() -> None:
    """Jinja in arguments keeps types; an undefined variable is an error with the source's name."""
    async with running("range", {"limit": "{{ n }}"}, variables={"n": 2}) as run:
        await run.end()
        assert run.events() == [{"i": 0}, {"i": 1}]
    with pytest.raises(SourceError, match="source range: 'n' is undefined"):
        async with running("range", {"limit": "{{ n }}"}) as run:
            await run.end()


async def test_a_plugin_may_spoil_its_arguments(tmp_path: Path) -> None:
    """A restarted plugin finds its arguments as they were written."""
    text = """
runs = 0
async def main(queue, args):
    global runs
    runs += 1
    await queue.put({"left": args["list"].pop()})
    if runs == 1:
        raise OSError("again")
"""
    plugin(tmp_path, "spoiler", text)
    options = {"places": Places(rulebook_dir=tmp_path), "backoff": Backoff(first=0.0)}
    async with running("spoiler", {"list": [1, 2]}, **options) as run:  # type: ignore[arg-type]  # mixed options
        await run.end()
        assert run.events() == [{"left": 2}, {"left": 2}]


async def test_the_end_reads_like_the_rivals() -> None:
    """A source that returns ends gracefully, with ansible-rulebook's message."""
    async with running("range", {"limit": 1}) as run:
        end = await run.end()
    assert (end.source_plugin, end.kind, end.delay) == ("range", "graceful", 60.0)
    assert re.fullmatch(r"Source range initiated shutdown at \d{4}-\d\d-\d\d .*", end.message)
    assert (await run.report(ReportKind.ENDED)).count == 1


async def test_refusals_are_counted_and_told_now_and_then() -> None:
    """A flood of bad events is one report in ten seconds, with the count so far."""
    clock = ManualClock()

    async def noisy(queue: Any, args: dict[str, Any]) -> None:
        for _ in range(500):
            await queue.put("bad")
        await clock.sleep(10)
        await queue.put(["worse"])

    async with running(source_of(noisy, "noisy"), clock=clock) as run:
        await run.report(ReportKind.REFUSED)
        await clock.advance(10)
        end = await run.end()
    told = [report for report in run.reports if report.kind is ReportKind.REFUSED]
    assert [report.count for report in told] == [1, 501]
    assert told[0].text == "source noisy: event refused: an event must be a JSON object, not str"
    assert (end.taken, end.refused) == (0, 501)


async def test_cancel_reaches_the_plugins_clean_up(tmp_path: Path) -> None:
    """Ending the engine runs the plugin's own `finally`."""
    done = tmp_path / "done"
    text = f"""
import asyncio, pathlib
async def main(queue, args):
    try:
        await queue.put({{}})
        await asyncio.Event().wait()
    finally:
        pathlib.Path({str(done)!r}).touch()
"""
    plugin(tmp_path, "careful", text)
    async with running("careful", places=Places(rulebook_dir=tmp_path)) as run:
        await run.event()
    assert done.exists()


async def test_a_record_that_fails_is_a_failure_of_the_run() -> None:
    """When the engine can't take events in, the source is started again, nothing passes unseen."""

    class Broken:
        async def put(self, event: Any) -> None:
            raise OSError("disk full")

    run = Run()
    spec = SourceSpec("range", "range", {"limit": 1})
    reports: list[SourceReport] = []
    task = asyncio.create_task(
        run_source(spec, load_source("range"), Broken(), report=reports.append)
    )
    run.reports = reports
    assert "disk full" in (await run.report(ReportKind.FAILED)).text
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
