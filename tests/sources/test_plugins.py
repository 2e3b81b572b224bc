"""Names in a rulebook and the plugins they mean."""

from pathlib import Path

import pytest

from selfheal.errors import SourceError
from selfheal.plugin_lookup import Places
from selfheal.sources import builtin_sources, load_source
from tests.sources.support import plugin, running

ONE_EVENT = """
async def main(queue, args):
    await queue.put({"from": __name__, "args": args})
"""


@pytest.mark.parametrize("name", ["range", "eda.builtin.range", "ansible.eda.range"])
def test_builtin_by_every_name(name: str) -> None:
    """A built-in answers to its short name and to ansible-rulebook's prefixes."""
    assert load_source(name).origin == "built in"


@pytest.mark.parametrize("short", builtin_sources())
def test_every_builtin_loads_and_declares_its_arguments(short: str) -> None:
    """Each built-in has an entry point and refuses an argument it does not know."""
    with pytest.raises(SourceError, match="unknown argument 'no_such_thing'"):
        load_source(short).check({"no_such_thing": 1})


def test_own_sources_do_not_claim_the_rivals_names() -> None:
    """`http_check` is ours: `selfheal.http_check`, never `eda.builtin.http_check`."""
    assert load_source("selfheal.http_check").origin == "built in"
    with pytest.raises(SourceError, match=r"did you mean 'selfheal\.http_check'"):
        load_source("eda.builtin.http_check")


@pytest.mark.parametrize(
    "folder",
    [
        "sources",
        "event_source",
        "event_sources",
        "extensions/eda/plugins/event_source",
        "../plugins/event_source",
        ".",
    ],
)
async def test_plugin_in_the_rulebooks_folder(tmp_path: Path, folder: str) -> None:
    """A third-party plugin beside the rulebook loads from any of the usual folders and runs."""
    rulebooks = tmp_path / "rulebooks"
    rulebooks.mkdir()
    plugin(rulebooks / folder, "my_source", ONE_EVENT)
    async with running("my_source", {"a": 1}, Places(rulebook_dir=rulebooks)) as run:
        assert (await run.event())["args"] == {"a": 1}
        assert (await run.end()).taken == 1


def test_plugin_in_a_source_dir(tmp_path: Path) -> None:
    """A folder given on the command line is searched too."""
    path = plugin(tmp_path, "my_source", ONE_EVENT)
    assert load_source("my_source", Places(plugin_dirs=(tmp_path,))).origin == str(path)


def test_plugin_of_a_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ns.coll.plugin` comes from the collections path, as Ansible has it."""
    folder = tmp_path / "ansible_collections/ns/coll/extensions/eda/plugins/event_source"
    path = plugin(folder, "bus", ONE_EVENT)
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", f"{tmp_path / 'none'}:{tmp_path}")
    assert load_source("ns.coll.bus").origin == str(path)


def test_plugin_from_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed Python package brings a source by the entry point group selfheal.sources."""
    plugin(tmp_path, "acme_bus", ONE_EVENT)
    info = tmp_path / "acme_bus-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-bus\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[selfheal.sources]\nacme = acme_bus\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_source("acme").origin == "entry point acme_bus"


def test_builtin_wins(tmp_path: Path) -> None:
    """A file beside the rulebook can't take a built-in's place unnoticed."""
    plugin(tmp_path / "sources", "range", ONE_EVENT)
    assert load_source("range", Places(rulebook_dir=tmp_path)).origin == "built in"


def test_each_load_is_a_module_of_its_own(tmp_path: Path) -> None:
    """Two sources of one plugin share no global state."""
    plugin(tmp_path, "my_source", ONE_EVENT)
    places = Places(rulebook_dir=tmp_path)
    assert load_source("my_source", places).main is not load_source("my_source", places).main


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rang", "did you mean 'range'"),
        ("eda.builtin.webhok", r"did you mean 'eda\.builtin\.webhook'"),
        ("my_sorce", "did you mean 'my_source'"),
        ("ns.coll.nothing_like_it", "not in an installed collection"),
        ("../../etc/passwd", "is not a source name"),
        ("range; import os", "is not a source name"),
    ],
)
def test_unknown_names(tmp_path: Path, name: str, message: str) -> None:
    """An unknown name is refused with the nearest known one, a path never looked up."""
    plugin(tmp_path, "my_source", ONE_EVENT)
    with pytest.raises(SourceError, match=message):
        load_source(name, Places(rulebook_dir=tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_package_anywhere", "needs the Python package no_such_package_anywhere"),
        ("def main(:", "SyntaxError"),
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("x = 1", "has no function main"),
        ("def main(queue, args): pass", "main must be `async def`"),
    ],
)
def test_broken_plugins(tmp_path: Path, text: str, message: str) -> None:
    """A plugin that can't be used says which file it is and why."""
    plugin(tmp_path, "broken", text)
    with pytest.raises(SourceError, match=message) as caught:
        load_source("broken", Places(rulebook_dir=tmp_path))
    assert str(tmp_path / "broken.py") in str(caught.value)


def test_plugin_with_dataclasses(tmp_path: Path) -> None:
    """A plugin may use dataclasses with postponed annotations, which look their module up."""
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass A:\n    x: int = 0\n" + ONE_EVENT
    )
    plugin(tmp_path, "typed", text)
    assert callable(load_source("typed", Places(rulebook_dir=tmp_path)).main)
