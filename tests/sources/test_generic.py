"""generic, range and tick."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from selfheal.clock import ManualClock
from selfheal.sources.builtin.generic import Args, _Generator
from tests.sources.support import refused, running


async def events_of(name: str, args: dict[str, Any]) -> list[Any]:
    async with running(name, args) as run:
        await run.end()
        return run.events()


async def test_range() -> None:
    """Indexes from 0 up to the limit, then the end; a limit in text is a number all the same."""
    assert await events_of("eda.builtin.range", {"limit": "3"}) == [{"i": 0}, {"i": 1}, {"i": 2}]
    assert await events_of("range", {"limit": 0}) == []


async def test_tick() -> None:
    """Ticks from 1, without end."""
    async with running("ansible.eda.tick", {"delay": "1ms"}) as run:
        assert [await run.event() for _ in range(3)] == [{"i": 1}, {"i": 2}, {"i": 3}]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, []),
        ({"payload": {"a": 1}}, [{"a": 1}]),
        ({"payload": [{"a": 1}, {}, None, {"b": 2}]}, [{"a": 1}, {"b": 2}]),
        ({"payload": [{"a": 1}], "loop_count": 2}, [{"a": 1}, {"a": 1}]),
        ({"payload": [{"a": 1}], "loop_count": 0}, []),
        (
            {"payload": [{"a": 1}, {"b": 2}], "repeat_count": 2, "create_index": "n"},
            [{"n": 0, "a": 1}, {"n": 1, "a": 1}, {"n": 2, "b": 2}, {"n": 3, "b": 2}],
        ),
        (
            {"payload": [{"a": 1}], "final_payload": {"last": True}, "create_index": "n"},
            [{"n": 0, "a": 1}, {"n": 1, "last": True}],
        ),
        ({"payload": [{"n": "mine"}], "create_index": "n"}, [{"n": "mine"}]),
        ({"payload": [{"a": 1}], "blob_size": 3}, [{"blob": "xxx", "a": 1}]),
        ({"payload": [{"a": 1}], "shutdown_delay": 5}, [{"a": 1}]),
    ],
)
async def test_payloads(args: dict[str, Any], expected: list[Any]) -> None:
    """Each way to write a payload gives ansible-rulebook's events."""
    assert await events_of("generic", args) == expected


async def test_payload_file(tmp_path: Path) -> None:
    """Events come from a YAML file, which wins over a payload; dates in it become text."""
    file = tmp_path / "events.yml"
    file.write_text("- a: 1\n- day: 2026-01-02\n")
    args = {"payload_file": str(file), "payload": [{"other": 1}]}
    assert await events_of("generic", args) == [{"a": 1}, {"day": "2026-01-02"}]


@pytest.mark.parametrize("content", [None, "a: [", "- text"])
async def test_bad_payload_file(tmp_path: Path, content: str | None) -> None:
    """A payload file that is missing, broken or no list of mappings is named."""
    file = tmp_path / "events.yml"
    if content is not None:
        file.write_text(content)
    assert str(file) in await refused("generic", {"payload_file": str(file)})


async def test_randomize() -> None:
    """Shuffling loses nothing."""
    payload = [{"i": i} for i in range(50)]
    shuffled = await events_of("generic", {"payload": payload, "randomize": True})
    assert sorted(shuffled, key=lambda event: event["i"]) == payload
    assert shuffled != payload


async def test_display(capsys: pytest.CaptureFixture[str]) -> None:
    """`display` prints each event as Python writes it."""
    await events_of("generic", {"payload": {"a": True}, "display": True})
    assert capsys.readouterr().out == "{'a': True}\n"


@pytest.mark.parametrize("time_format", ["local", "iso8601", "epoch"])
def test_timestamps(time_format: Any) -> None:
    """Each format of the time stamp is the clock's time."""
    clock = ManualClock(1_700_000_000.25)
    args = Args(payload=[], timestamp=True, time_format=time_format)
    written = _Generator(None, args, clock)._timestamp()  # type: ignore[arg-type]  # no queue needed
    local = datetime.datetime.fromtimestamp(1_700_000_000.25)
    expected = {"local": str(local), "iso8601": local.isoformat(), "epoch": 1_700_000_000}
    assert written == expected[time_format]


async def test_check_env_vars(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source starts only when the environment is as asked; the value is not shown."""
    monkeypatch.setenv("MY_ENV1", "abc")
    args = {"payload": {"a": 1}, "check_env_vars": {"MY_ENV1": "abc"}}
    assert await events_of("generic", args) == [{"a": 1}]
    args["check_env_vars"] = {"MY_ENV1": "other"}
    message = await refused("generic", args)
    assert "MY_ENV1 has another value" in message
    assert "abc" not in message
    args["check_env_vars"] = {"MY_ENV2": "x"}
    assert "MY_ENV2 is not set" in await refused("generic", args)


async def test_endless_empty_payload_harms_nobody() -> None:
    """A payload without events, looped for ever, still lets the engine end the source."""
    async with running("generic", {"payload": [], "loop_count": -1}):
        pass
