"""file and file_watch on real files."""

import asyncio
from pathlib import Path
from typing import Any

from selfheal.sources import ReportKind
from tests.sources.support import Run, refused, running


async def event_with(run: Run, **wanted: Any) -> Any:
    """The next event that has these values; editors and kernels add others in between."""
    while True:
        event = await run.event()
        if all(event.get(key) == value for key, value in wanted.items()):
            return event


async def test_file(tmp_path: Path) -> None:
    """The mappings of a YAML file come at the start and again when it changes."""
    file = tmp_path / "facts.yml"
    file.write_text("- a: 1\n- b: 2\n")
    async with running("ansible.eda.file", {"files": [str(file)]}) as run:
        assert [await run.event(), await run.event()] == [{"a": 1}, {"b": 2}]
        file.write_text("c: 3\n")
        assert await run.event() == {"c": 3}


async def test_file_replaced_by_rename(tmp_path: Path) -> None:
    """Editors and Ansible write a new file and rename it: that is a change too."""
    file = tmp_path / "facts.yml"
    file.write_text("a: 1\n")
    async with running("file", {"files": [str(file)]}) as run:
        assert await run.event() == {"a": 1}
        new = tmp_path / ".facts.yml.new"
        new.write_text("a: 2\n")
        new.rename(file)
        assert await run.event() == {"a": 2}


async def test_broken_file(tmp_path: Path) -> None:
    """A file that is no YAML is reported, and read again once it is mended."""
    file = tmp_path / "facts.yml"
    file.write_text("a: [\n")
    async with running("file", {"files": [str(file)]}) as run:
        assert "facts.yml" in (await run.report(ReportKind.REFUSED)).text
        file.write_text("a: 1\n")
        assert await run.event() == {"a": 1}


async def test_missing_file(tmp_path: Path) -> None:
    """A file that does not exist yet is waited for."""
    file = tmp_path / "facts.yml"
    async with running("file", {"files": [str(file)]}) as run:
        number = 0
        while run.queue.empty():  # nothing tells from when on the folder is watched
            assert not run.task.done()
            number += 1
            file.write_text(f"a: {number}\n")
            await asyncio.sleep(0.05)
        assert 1 <= (await run.event())["a"] <= number


async def test_billion_laughs(tmp_path: Path) -> None:
    """YAML aliases that would unfold to gigabytes are refused, not unfolded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 10):
        aliases = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    file = tmp_path / "facts.yml"
    file.write_text("\n".join(lines))
    async with running("file", {"files": [str(file)]}) as run:
        assert "more than 500000 keys and values" in (await run.report(ReportKind.REFUSED)).text


async def test_file_watch(tmp_path: Path) -> None:
    """Creation, change, move and deletion are told, with ansible.eda's keys."""
    folder = tmp_path / "watched"
    (folder / "sub").mkdir(parents=True)
    args = {"path": str(folder), "recursive": True, "ignore_regexes": [r".*\.swp"]}
    async with running("ansible.eda.file_watch", args) as run:
        await started_watching(run, folder)
        file = folder / "sub" / "a.txt"
        (folder / "sub" / "a.swp").write_text("ignored")
        file.write_text("1")
        created = await event_with(run, change="created", src_path=str(file))
        assert (created["type"], created["root_path"]) == ("FileCreatedEvent", str(folder))
        await event_with(run, change="modified", src_path=str(file))
        file.rename(folder / "b.txt")
        moved = await event_with(run, change="moved", src_path=str(file))
        assert moved["dest_path"] == str(folder / "b.txt")
        (folder / "b.txt").unlink()
        deleted = await event_with(run, change="deleted", src_path=str(folder / "b.txt"))
        assert deleted["type"] == "FileDeletedEvent"
        assert not any(".swp" in event["src_path"] for event in run.events())


async def test_file_watch_is_not_recursive_unless_asked(tmp_path: Path) -> None:
    """Without `recursive` what happens in a folder below is not told."""
    (tmp_path / "sub").mkdir()
    async with running("file_watch", {"path": str(tmp_path)}) as run:
        await started_watching(run, tmp_path)
        (tmp_path / "sub" / "below.txt").write_text("1")
        (tmp_path / "here.txt").write_text("1")
        seen: list[str] = []
        while not seen or not seen[-1].endswith("here.txt"):
            seen.append((await run.event())["src_path"])
    assert not any(path.endswith("below.txt") for path in seen)


async def started_watching(run: Run, folder: Path) -> None:
    """Touch files until one is noticed: nothing tells from when on the folder is watched."""
    number = 0
    while run.queue.empty():
        assert not run.task.done()
        (folder / f"probe{number}").touch()
        number += 1
        await asyncio.sleep(0.05)


async def test_file_watch_wants_a_folder(tmp_path: Path) -> None:
    """A path that is no folder is an error at once."""
    assert "is not a folder" in await refused("file_watch", {"path": str(tmp_path / "none")})
