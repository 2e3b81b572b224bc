"""A source's filters together, third-party ones among them."""

from pathlib import Path

import pytest

from selfheal.errors import SourceError
from selfheal.filters import apply_filters, builtin_filters, load_filter, load_filters
from selfheal.model import FilterSpec, SourceSpec
from selfheal.plugin_lookup import Places


def spec(*filters: FilterSpec) -> SourceSpec:
    return SourceSpec("my alerts", "alertmanager", {}, filters)


def write(folder: Path, name: str, text: str) -> Places:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    return Places(rulebook_dir=folder)


def test_meta_comes_last() -> None:
    """The rulebook's own filters can neither see nor drop what every event gets in the end."""
    filters = load_filters(spec(FilterSpec("json_filter", {"exclude_keys": ["*"]})))
    [event] = apply_filters(filters, {"a": 1})
    assert event["meta"]["source"] == {"name": "my alerts", "type": "alertmanager"}
    assert set(event) == {"meta"}


def test_order_and_splitting() -> None:
    """Filters run in the order written, on each event a splitter made; each has its own id."""
    filters = load_filters(
        spec(
            FilterSpec("event_splitter", {"splitter_key": "list"}),
            FilterSpec("dashes_to_underscores"),
            FilterSpec("insert_hosts_to_meta", {"host_path": "host_name"}),
        )
    )
    events = apply_filters(filters, {"list": [{"host-name": "a"}, {"host-name": "b"}]})
    assert [event["meta"]["hosts"] for event in events] == [["a"], ["b"]]
    assert len({event["meta"]["uuid"] for event in events}) == 2


@pytest.mark.parametrize(
    "folder",
    [
        "filters",
        "event_filter",
        "event_filters",
        "extensions/eda/plugins/event_filter",
        "../plugins/event_filter",
        ".",
    ],
)
def test_filter_in_the_rulebooks_folder(tmp_path: Path, folder: str) -> None:
    """A third-party filter beside the rulebook loads from any of the usual folders."""
    rulebooks = tmp_path / "rulebooks"
    rulebooks.mkdir()
    text = "def main(event, factor=1):\n    event['i'] *= factor\n    return event"
    write(rulebooks / folder, "scale", text)
    loaded = load_filter(FilterSpec("scale", {"factor": 3}), Places(rulebook_dir=rulebooks))
    assert apply_filters([loaded], {"i": 2}) == [{"i": 6}]


def test_filter_of_a_collection(tmp_path: Path) -> None:
    """`ns.coll.filter` comes from an installed collection."""
    folder = tmp_path / "ansible_collections/ns/coll/extensions/eda/plugins/event_filter"
    write(folder, "same", "def main(event):\n    return event")
    places = Places(collections=(tmp_path,))
    assert load_filter(FilterSpec("ns.coll.same"), places).name == "ns.coll.same"


def test_async_filters_are_refused(tmp_path: Path) -> None:
    """A filter is a plain function; an async one would return no event."""
    places = write(tmp_path, "later", "async def main(event):\n    return event")
    with pytest.raises(SourceError, match="main must not be async"):
        load_filter(FilterSpec("later"), places)


def test_all_of_the_rivals_filters_are_there() -> None:
    """Every filter of ansible-rulebook 1.3 has its namesake."""
    assert builtin_filters() == [
        "dashes_to_underscores",
        "event_splitter",
        "insert_hosts_to_meta",
        "insert_meta_info",
        "json_filter",
        "noop",
        "normalize_keys",
    ]
