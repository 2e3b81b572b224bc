"""Each built-in filter."""

import copy
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.clock import ManualClock
from selfheal.errors import EventError, SourceError
from selfheal.filters import Filter, apply_filters, load_filter
from selfheal.model import FilterSpec

KEYS = st.text("ab_-./ ", max_size=4)
OBJECTS = st.recursive(
    st.dictionaries(KEYS, st.integers(), max_size=4),
    lambda inner: st.dictionaries(KEYS, inner | st.lists(inner, max_size=3), max_size=4),
    max_leaves=10,
)


def run(name: str, event: Any, **args: Any) -> Any:
    results = apply_filters([load_filter(FilterSpec(name, args))], copy.deepcopy(event))
    return results[0] if len(results) == 1 else results


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(keys_of(item) for item in value.values()))
    return set().union(*(keys_of(item) for item in value)) if isinstance(value, list) else set()


def test_noop() -> None:
    """noop changes nothing."""
    assert run("eda.builtin.noop", {"a-b": [1]}) == {"a-b": [1]}


@pytest.mark.parametrize(
    ("include", "exclude", "left"),
    [
        # The recorded example of ansible-rulebook.
        (["key3", "key4", "f_use*"], ["*"], {"key3": {"key4": {"f_use_1": 42, "f_use_2": 45}}}),
        ([], ["key1"], {"key3": {"key4": {"f_use_1": 42, "f_use_2": 45}}}),
        (None, ["f_*"], {"key1": {"key2": {}}, "key3": {"key4": {}}}),
        (["f_use_1"], ["f_*"], {"key1": {"key2": {}}, "key3": {"key4": {"f_use_1": 42}}}),
        (None, None, None),
        ([], ["*"], {}),
    ],
)
def test_json_filter(include: Any, exclude: Any, left: Any) -> None:
    """Excluded keys go, at any depth, unless they are included."""
    event = {
        "key1": {"key2": {"f_ignore_1": 1, "f_ignore_2": 2}},
        "key3": {"key4": {"f_use_1": 42, "f_use_2": 45}},
    }
    result = run("ansible.eda.json_filter", event, include_keys=include, exclude_keys=exclude)
    assert result == (event if left is None else left)


def test_json_filter_leaves_lists_alone() -> None:
    """What is inside a list is not filtered, as in ansible-rulebook."""
    assert run("json_filter", {"a": [{"b": 1}]}, exclude_keys=["b"]) == {"a": [{"b": 1}]}


@pytest.mark.parametrize(
    ("event", "overwrite", "expected"),
    [
        ({"a-b": {"c-d": [{"e-f": 1}]}}, True, {"a_b": {"c_d": [{"e_f": 1}]}}),
        ({"a-b": 1, "a_b": 2}, True, {"a_b": 1}),
        ({"a-b": 1, "a_b": 2}, False, {"a_b": 2}),
        ({"a-b": "c-d"}, True, {"a_b": "c-d"}),
    ],
)
def test_dashes_to_underscores(event: Any, overwrite: bool, expected: Any) -> None:
    """Dashes in keys become underscores, in lists too; values stay."""
    for name in ("eda.builtin.dashes_to_underscores", "ansible.eda.dashes_to_underscores"):
        assert run(name, event, overwrite=overwrite) == expected


@given(OBJECTS, st.booleans())
def test_no_dash_is_left(event: dict[str, Any], overwrite: bool) -> None:
    """Whatever the event, no key has a dash afterwards, and the other keys are still there."""
    before = keys_of(event)
    after = keys_of(run("dashes_to_underscores", {"root": event}, overwrite=overwrite))
    assert not any("-" in key for key in after)
    assert after <= {key.replace("-", "_") for key in before} | {"root"}


@pytest.mark.parametrize(
    ("event", "overwrite", "expected"),
    [
        ({"server.com/&abc": [{"x y": 1}]}, True, {"server_com_abc": [{"x_y": 1}]}),
        ({"a-b": 1, "a_b": 2}, True, {"a_b": 2}),
        ({"a_b": 2, "a-b": 1}, True, {"a_b": 1}),
        ({"a-b": 1, "a_b": 2}, False, {"a_b": 2}),
        ({"a_b": 2, "a-b": 1}, False, {"a_b": 2}),
        ({"ключ": 1}, True, {"_": 1}),
    ],
)
def test_normalize_keys(event: Any, overwrite: bool, expected: Any) -> None:
    """Runs of other characters become one underscore."""
    assert run("eda.builtin.normalize_keys", event, overwrite=overwrite) == expected


@given(OBJECTS, st.booleans())
def test_normalizing_twice_is_normalizing_once(event: dict[str, Any], overwrite: bool) -> None:
    """A normalized event is a fixed point."""
    once = run("normalize_keys", {"root": event}, overwrite=overwrite)
    assert run("normalize_keys", once, overwrite=overwrite) == once


@pytest.mark.parametrize(
    ("args", "hosts"),
    [
        ({"host_path": "app.target"}, ["web1;web2"]),
        ({"host_path": "app.target", "host_separator": ";"}, ["web1", "web2"]),
        ({"host_path": "app/list", "path_separator": "/"}, ["db1", "db2"]),
        ({"host_path": "app.list.0"}, ["db1"]),
        ({"host_path": "app.none"}, None),
        ({"host_path": ""}, None),
        ({}, None),
    ],
)
def test_insert_hosts_to_meta(args: dict[str, Any], hosts: list[str] | None) -> None:
    """The hosts found are in meta.hosts; without any the event stays as it is."""
    event = {"app": {"target": "web1;web2", "list": ["db1", "db2"]}}
    result = run("eda.builtin.insert_hosts_to_meta", event, **args)
    assert result == (event if hosts is None else {**event, "meta": {"hosts": hosts}})


def test_insert_hosts_keeps_the_rest_of_meta() -> None:
    """What the source put into meta stays."""
    event = {"h": "web1", "meta": {"endpoint": "x"}}
    result = run("insert_hosts_to_meta", event, host_path="h")
    assert result["meta"] == {"endpoint": "x", "hosts": ["web1"]}


@pytest.mark.parametrize(
    ("event", "args", "message"),
    [
        ({}, {"raise_error": True}, "KeyError: 'h'"),
        ({"h": 5}, {}, "5 is no host name"),
        ({"h": ["a", 1]}, {}, "is no host name and no list of host names"),
    ],
)
def test_insert_hosts_refuses(event: Any, args: Any, message: str) -> None:
    """What is no host refuses the event."""
    with pytest.raises(EventError, match=f"filter insert_hosts_to_meta: .*{message}"):
        run("insert_hosts_to_meta", event, host_path="h", **args)


def test_insert_hosts_tells_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A missing path is told in the log unless that is switched off; the event's data never is."""
    run("insert_hosts_to_meta", {"secret": "x"}, host_path="h", log_error=False)
    assert not caplog.records
    run("insert_hosts_to_meta", {"secret": "x"}, host_path="h")
    assert [record.message for record in caplog.records] == [
        "insert_hosts_to_meta: an event has no h"
    ]


BUNDLE = {"incident": {"id": 7, "alerts": [{"a": 1}, {"a": 2, "id": "own"}]}, "zone": "eu"}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"splitter_key": "incident.alerts"}, [{"a": 1}, {"a": 2, "id": "own"}]),
        (
            {"splitter_key": "incident.alerts", "attributes_key_map": {"id": "incident.id"}},
            [{"a": 1, "id": 7}, {"a": 2, "id": 7}],
        ),
        (
            {"splitter_key": "incident.alerts", "extras": {"region": "us"},
             "attributes_key_map": {"zone": "zone", "none": "not.there"}},
            [{"a": 1, "zone": "eu", "region": "us"},
             {"a": 2, "id": "own", "zone": "eu", "region": "us"}],
        ),
    ],
)  # fmt: skip
def test_event_splitter(args: dict[str, Any], expected: Any) -> None:
    """Each item of the list is an event, with what was asked to be added."""
    assert run("eda.builtin.event_splitter", BUNDLE, **args) == expected


def test_event_splitter_without_the_list() -> None:
    """Without the list the event stays whole, or is refused when that is asked."""
    assert run("event_splitter", BUNDLE, splitter_key="no.such") == BUNDLE
    with pytest.raises(EventError, match="KeyError"):
        run("event_splitter", BUNDLE, splitter_key="no.such", raise_error=True)
    with pytest.raises(EventError, match="TypeError"):
        run("event_splitter", {"list": ["text"]}, splitter_key="list")


def test_split_events_share_nothing() -> None:
    """What is added to each of the events is a copy."""
    first, second = run("event_splitter", {"l": [{}, {}]}, splitter_key="l", extras={"tags": ["x"]})
    first["tags"].append("y")
    assert second["tags"] == ["x"]


def test_insert_meta_info() -> None:
    """Source, time in UTC and an id are added; what the event says itself stays."""
    args = {"source_name": "mine", "source_type": "range", "clock": ManualClock(1_700_000_000.5)}
    event = run("eda.builtin.insert_meta_info", {"i": 1}, **args)
    assert event["meta"]["source"] == {"name": "mine", "type": "range"}
    assert event["meta"]["received_at"] == "2023-11-14T22:13:20.500000Z"
    assert UUID(event["meta"]["uuid"]).version == 4
    own = {"meta": {"source": {"name": "own"}, "uuid": "u", "received_at": "r", "x": 1}}
    assert run("insert_meta_info", own, **args) == {
        "meta": {**own["meta"], "source": {"name": "own", "type": "range"}}
    }


def test_insert_meta_info_by_the_machines_clock() -> None:
    """Without a clock given it is the machine's."""
    event = run("insert_meta_info", {}, source_name="a", source_type="b")
    received = datetime.fromisoformat(event["meta"]["received_at"])
    assert received.utcoffset() is not None


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("eda.builtin.json_filtr", {}, r"did you mean 'eda\.builtin\.json_filter'"),
        ("json_filter", {"exclude": []}, "filter json_filter: .*unexpected keyword argument"),
        ("event_splitter", {}, "filter event_splitter: missing a required argument"),
        ("noop", {"x": "{{ nope }}"}, "'nope' is undefined"),
    ],
)
def test_filters_that_cannot_be_loaded(name: str, args: dict[str, Any], message: str) -> None:
    """A wrong name or argument is told when the rulebook is loaded, not at the first event."""
    with pytest.raises(SourceError, match=message):
        load_filter(FilterSpec(name, args))


def test_arguments_are_rendered() -> None:
    """Jinja in a filter's arguments sees the rulebook's variables."""
    spec = FilterSpec("json_filter", {"exclude_keys": "{{ unwanted }}"})
    loaded = load_filter(spec, variables={"unwanted": ["a"]})
    assert apply_filters([loaded], {"a": 1, "b": 2}) == [{"b": 2}]


@pytest.mark.parametrize("result", [None, "text", [1], [{}, None]])
def test_filters_that_return_no_event(result: Any) -> None:
    """A filter that forgets its `return` refuses each event with a message that says it."""
    with pytest.raises(EventError, match="filter f must return an event"):
        apply_filters([Filter("f", lambda event: result, {})], {})


def test_a_filter_may_drop_an_event() -> None:
    """An empty list drops the event, and the filters after it are not asked."""
    drop = Filter("drop", lambda event: [], {})
    fail = Filter("fail", lambda event: 1 / 0, {})
    assert apply_filters([drop, fail], {"a": 1}) == []
