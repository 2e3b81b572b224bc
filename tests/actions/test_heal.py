"""heal and resolve: from an event to a fault, whatever the event holds."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.actions.fault_of import one_line
from selfheal.model import Fault, Severity, fingerprint_of
from selfheal.ports import JSON
from tests.actions.bench import Bench, failure_of, run_one

ALERT: JSON = {
    "alert": {
        "status": "firing",
        "fingerprint": "c0ffee",
        "startsAt": "2026-11-23T18:34:20.241082123Z",
        "labels": {"alertname": "BackendDown", "instance": "web1:8080"},
        "annotations": {"summary": "backend is\ndown"},
    },
    "meta": {"hosts": ["web1"]},
}
HEAL = {"fault": "connection_failure", "component": "backend"}
OF_THE_ALERT = fingerprint_of("web", "backend", "connection_failure", "web1:8080", "c0ffee")


async def fault_from(args: dict[str, Any], event: JSON) -> Fault:
    bench = await run_one("heal", args, event)
    return bench.faults[0]


async def test_an_alert_says_most_of_it() -> None:
    """Identity, start, target, message and labels come from Alertmanager's alert."""
    fault = await fault_from(HEAL, ALERT)
    assert fault.fingerprint == OF_THE_ALERT
    assert fault.starts_at == pytest.approx(1795458860.241082)
    assert fault.target == "web1:8080"
    assert fault.message == "backend is down"
    assert fault.labels == {"alertname": "BackendDown", "instance": "web1:8080"}
    assert fault.metadata == {"event": ALERT}
    assert (fault.type, fault.component) == ("connection_failure", "backend")
    assert (fault.severity, fault.root_cause) == (Severity.ERROR, "")
    assert (fault.ruleset, fault.rule, fault.event_id) == ("web", "r", "ev-1")
    assert fault.last_seen == 1000.0


async def test_arguments_go_before_the_alert() -> None:
    """Each can be set, with Jinja over the event."""
    fault = await fault_from(
        {
            **HEAL,
            "severity": "critical",
            "target": "{{ event.alert.labels.instance.split(':')[0] }}",
            "message": "m",
            "root_cause": "backend-dead",
            "labels": {"a": 1},
            "fingerprint": "mine",
            "starts_at": 77,
        },
        ALERT,
    )
    assert (fault.severity, fault.target, fault.message) == (Severity.CRITICAL, "web1", "m")
    assert (fault.root_cause, fault.labels) == ("backend-dead", {"a": "1"})
    assert (fault.fingerprint, fault.starts_at) == ("mine", 77.0)


async def test_any_other_event_has_a_fingerprint_of_what_is_wrong() -> None:
    """Same ruleset, component, type and target: the same fault, begun now."""
    event = {"meta": {"hosts": ["db1", "db2"]}, "message": "slow"}
    fault = await fault_from(HEAL, event)
    assert fault.fingerprint == fingerprint_of("web", "backend", "connection_failure", "db1")
    assert (fault.target, fault.starts_at, fault.message) == ("db1", 1000.0, "slow")
    assert (await fault_from(HEAL, event)).fingerprint == fault.fingerprint
    bare = await fault_from(HEAL, {"i": 1})
    assert (bare.target, bare.message) == ("", "connection_failure of backend")


async def test_of_several_events_the_alert_tells() -> None:
    """A rule that joins an alert with something else heals the alert's fault."""
    bench = Bench([("heal", HEAL)])
    await bench.fire(m_0={"i": 1}, m_1=ALERT)
    (fault,) = bench.faults
    assert fault.fingerprint == OF_THE_ALERT
    assert set(fault.metadata["events"]) == {"m_0", "m_1"}


async def test_one_alert_may_report_several_faults() -> None:
    """Another component, target or type is another fault, though the alert is the same; and so is
    another alert about the same."""
    other_alert = {**ALERT, "alert": {**ALERT["alert"], "fingerprint": "beef"}}
    faults = [
        await fault_from(HEAL, ALERT),
        await fault_from({**HEAL, "component": "cache"}, ALERT),
        await fault_from({**HEAL, "target": "web2"}, ALERT),
        await fault_from({**HEAL, "fault": "deadlock"}, ALERT),
        await fault_from(HEAL, other_alert),
    ]
    assert len({fault.fingerprint for fault in faults}) == len(faults)


async def test_the_same_alert_is_the_same_fault_every_time() -> None:
    """A repeat has the fingerprint and the start of the first."""
    first, again = [await fault_from(HEAL, ALERT) for _ in range(2)]
    assert (first.fingerprint, first.starts_at) == (again.fingerprint, again.starts_at)
    assert first.id != again.id


@pytest.mark.parametrize(
    ("args", "named"),
    [
        ({"component": "c"}, "fault is missing"),
        ({"fault": "f"}, "component is missing"),
        ({**HEAL, "component": " \n "}, "component is empty"),
        ({**HEAL, "severity": "bad"}, "info, warning, error, critical"),
        ({**HEAL, "target": "x" * 300}, "target is longer"),
        ({**HEAL, "starts_at": "yesterday"}, "starts_at"),
        ({**HEAL, "starts_at": "nan"}, "starts_at"),
        ({**HEAL, "starts_at": [1]}, "starts_at"),
        ({**HEAL, "target": "{{ event.alert.labels.nope }}"}, "nope"),
    ],
)
async def test_in_doubt_no_fault_is_reported(args: dict[str, Any], named: str) -> None:
    """What can't be understood fails the action; a name is never cut to another name."""
    assert named in await failure_of("heal", args, ALERT)


async def test_a_huge_event_is_cut_to_what_fits() -> None:
    """The evidence in the record stays below 64 KB and says that something is missing."""
    fault = await fault_from(HEAL, {**ALERT, "blob": "x" * 100_000, "after": 1})
    assert fault.metadata == {"event": {**ALERT, "after": 1}, "cut": True}


async def test_what_the_rule_adds_is_kept_beside_the_event() -> None:
    """`metadata` of the action is evidence, too; the event's own key can't be overwritten."""
    fault = await fault_from({**HEAL, "metadata": {"runbook": "R7", "event": "no"}}, ALERT)
    assert fault.metadata == {"runbook": "R7", "event": ALERT}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
alerts = st.fixed_dictionaries(
    {},
    optional={
        name: values | st.fixed_dictionaries({}, optional={"instance": values, "summary": values})
        for name in ("labels", "annotations", "fingerprint", "startsAt")
    },
)
events = st.fixed_dictionaries({}, optional={"alert": alerts | values, "meta": values, "x": values})


@settings(max_examples=150, deadline=None)
@given(events)
async def test_no_event_breaks_the_action(event: JSON) -> None:
    """Whatever is in it: a fault with one-line, bounded texts, or a failure that says why."""
    bench = Bench([("heal", HEAL)])
    (result,) = await bench.fire(event)
    assert not result.message.startswith(("TypeError", "KeyError", "AttributeError"))
    for fault in bench.faults:
        assert len(fault.message) <= 500
        for text in (fault.target, fault.fingerprint, fault.message, *fault.labels.values()):
            assert text == one_line(text)
        bench.record.open_fault(fault)
    bench.record.close()


@pytest.mark.parametrize(
    ("args", "event", "resolved"),
    [
        ({"component": "backend"}, ALERT, ("backend", "web1:8080")),
        ({"component": "backend", "target": "web2"}, ALERT, ("backend", "web2")),
        ({"component": "backend"}, {"up": 1}, ("backend", "")),
    ],
)
async def test_resolve_names_component_and_target(
    args: dict[str, Any], event: JSON, resolved: tuple[str, str]
) -> None:
    """The target is found as `heal` finds it; all targets when none is given or found."""
    bench = await run_one("resolve", args, event)
    assert bench.resolved == [resolved]
    assert bench.told[0].data["target"] == resolved[1]


@pytest.mark.parametrize("target", ["", " ", "\u200b", "{{ event.host }}"])
async def test_an_empty_target_never_means_all(target: str) -> None:
    """A target that is given and renders empty closes nothing: the event lacks the name."""
    bench = Bench([("resolve", {"component": "backend", "target": target})])
    (result,) = await bench.fire({"host": "", "meta": {"hosts": ["web1"]}})
    assert "argument target is empty" in result.message
    assert bench.resolved == []


async def test_heal_and_resolve_find_the_same_target() -> None:
    """What one rule opened the other closes, without a target written in either."""
    bench = Bench([("heal", HEAL), ("resolve", {"component": "backend"})])
    await bench.fire(ALERT)
    assert bench.resolved == [(bench.faults[0].component, bench.faults[0].target)]
