"""The journald source, on a real journal."""

import asyncio
from pathlib import Path

import pytest

from selfheal.sources.builtin.journald import _text
from tests.servers import require
from tests.sources.journal import Journal
from tests.sources.support import refused, running


async def test_entries_of_a_real_journal(tmp_path: Path) -> None:
    """Each new entry that matches is an event, field names in lower case; old ones are not told."""
    with Journal(tmp_path / "journal") as journal:
        journal.say("before")
        args = {"match": "SYSLOG_IDENTIFIER=selfheal-test", "directory": str(journal.directory)}
        async with running("ansible.eda.journald", args) as run:
            first = None
            # journalctl tells nobody from when on it listens, so it is told until it hears.
            while first is None:
                journal.say("are you there?")
                await asyncio.sleep(0.1)
                first = None if run.queue.empty() else run.queue.get_nowait()
            assert first["journald"]["message"] == "are you there?"
            journal.say("Zoë says: 100 %")
            while (event := await run.event())["journald"]["message"] == "are you there?":
                pass
    assert event["journald"]["message"] == "Zoë says: 100 %"
    assert event["journald"]["syslog_identifier"] == "selfheal-test"
    assert event["journald"]["priority"] == "6"


async def test_a_machine_without_journalctl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no systemd the source says so, once."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "no journalctl here" in await refused("journald", {"match": "ALL"})


async def test_journalctl_that_ends() -> None:
    """When journalctl gives up, its words are in the error."""
    require("journalctl")
    args = {"match": "ALL", "directory": "/no/such/folder"}
    assert "/no/such/folder" in await refused("journald", args)


async def test_cancel_leaves_no_journalctl(tmp_path: Path) -> None:
    """Ending the source ends its journalctl."""
    require("journalctl")
    (tmp_path / "empty-journal").mkdir()
    directory = str(tmp_path / "empty-journal")

    def processes() -> list[Path]:
        found = []
        for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = cmdline.read_bytes()
            except OSError:
                continue  # it ended meanwhile
            if f"--directory={directory}".encode() in words:
                found.append(cmdline)
        return found

    async with running("journald", {"match": "ALL", "directory": directory}) as run:
        while not processes():
            assert not run.task.done()
            await asyncio.sleep(0.01)
    assert not processes()


def test_fields() -> None:
    """Bytes that are no text, and fields given several times, are text in the event."""
    assert _text([72, 105, 255]) == "Hi\ufffd"
    assert _text(["a", "b"]) == '["a", "b"]'
    assert _text(None) == "null"
