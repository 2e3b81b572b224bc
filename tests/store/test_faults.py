"""Faults and incidents: the same fault is opened once, then counted."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.clock import ManualClock
from selfheal.errors import NotFoundError
from selfheal.model import FaultState, IncidentState
from selfheal.store import SqliteRecord, open_record
from tests.store.nouns import a_fault


def test_a_new_fault_brings_its_incident(record: SqliteRecord) -> None:
    """Opening gives back the fault with an incident of its own, both on record."""
    fault, new = record.open_fault(a_fault(labels={"job": "web"}, metadata={"event": {"n": 1}}))
    incident = record.incident(fault.incident_id)
    assert new
    assert record.fault(fault.id) == fault
    assert incident.primary_fault_id == fault.id
    assert incident.state is IncidentState.OPEN
    assert incident.opened_at == 1000.0


def test_a_repeat_is_counted_not_opened(record: SqliteRecord) -> None:
    """The fingerprint of an open fault is that fault, whenever it is said to have begun."""
    first, _ = record.open_fault(a_fault())
    again, new = record.open_fault(a_fault(starts_at=150.0, last_seen=150.0))
    assert not new
    assert again == replace(first, count=2, last_seen=150.0) == record.fault(first.id)
    assert len(record.incidents()) == 1


def test_an_old_report_does_not_turn_time_back(record: SqliteRecord) -> None:
    """`last_seen` is the newest report, also when an older one arrives late."""
    record.open_fault(a_fault(last_seen=200.0))
    again, _ = record.open_fault(a_fault(last_seen=150.0))
    assert again.last_seen == 200.0


@pytest.mark.parametrize("state", [FaultState.HEALED, FaultState.RESOLVED])
def test_a_late_repeat_of_a_closed_fault_stays_closed(
    record: SqliteRecord, state: FaultState
) -> None:
    """An alert resent after the healing is the old fault, counted and not reopened."""
    fault, _ = record.open_fault(a_fault())
    record.set_fault_state(fault.id, state, 120.0)
    again, new = record.open_fault(a_fault())
    assert not new
    assert (again.id, again.state, again.count, again.ended_at) == (fault.id, state, 2, 120.0)


def test_a_later_start_is_a_new_fault_once_the_old_is_closed(record: SqliteRecord) -> None:
    """The same trouble, begun anew, is a fault and an incident of its own."""
    first, _ = record.open_fault(a_fault())
    record.set_fault_state(first.id, FaultState.HEALED, 120.0)
    second, new = record.open_fault(a_fault(starts_at=130.0, last_seen=130.0))
    assert new
    assert second.incident_id != first.incident_id


def test_what_came_before_the_end_of_a_healing_is_the_healed_fault(
    record: SqliteRecord,
) -> None:
    """Matched late, a report without a start of its own opens nothing; one that came after does,
    and so does any while the clock is before that end, for it was set back."""
    first, _ = record.open_fault(a_fault())
    record.set_fault_state(first.id, FaultState.HEALED, 120.0)
    late, new = record.open_fault(a_fault(starts_at=119.0, last_seen=119.0))
    assert (new, late.id, late.count, late.state) == (False, first.id, 2, FaultState.HEALED)
    record.set_fault_state(first.id, FaultState.HEALED, 1000.0 + 3600.0)
    assert record.open_fault(a_fault(starts_at=1000.0, last_seen=1000.0))[1]


def test_an_echo_that_is_heard_again_is_a_new_fault(record: SqliteRecord) -> None:
    """With the same start as well; what came before it was looked at is still the echo."""
    first, _ = record.open_fault(a_fault())
    record.set_fault_state(first.id, FaultState.ECHO, 120.0)
    late, new = record.open_fault(a_fault(last_seen=119.0))
    assert (new, late.id) == (False, first.id)
    again, new = record.open_fault(a_fault(last_seen=121.0))
    assert (new, again.starts_at) == (True, first.starts_at)
    assert again.incident_id != first.incident_id


def test_a_standing_fault_takes_in_repeats_of_an_older_one(record: SqliteRecord) -> None:
    """While the fingerprint stands, a late repeat of its closed fault is a report of it."""
    older, _ = record.open_fault(a_fault())
    record.set_fault_state(older.id, FaultState.HEALED, 120.0)
    standing, _ = record.open_fault(a_fault(starts_at=130.0, last_seen=130.0))
    again, new = record.open_fault(a_fault())
    assert (new, again.id, again.count) == (False, standing.id, 2)
    assert record.fault(older.id).count == 1


def test_a_fault_handed_to_a_human_stands_until_resolved(record: SqliteRecord) -> None:
    """The engine does not begin again with what it gave up, until the world says it is over."""
    first, _ = record.open_fault(a_fault())
    record.set_fault_state(first.id, FaultState.MANUAL, 120.0)
    again, new = record.open_fault(a_fault(starts_at=130.0))
    assert (new, again.id, again.ended_at) == (False, first.id, None)
    assert [fault.id for fault in record.resolve_faults("backend", "web1", 140.0)] == [first.id]
    assert record.open_fault(a_fault(starts_at=150.0))[1]


def test_resolving_takes_component_and_target(record: SqliteRecord) -> None:
    """Only the standing faults of the component, and of the target if one is named, are over."""
    here, _ = record.open_fault(a_fault(fingerprint="1", target="web1"))
    there, _ = record.open_fault(a_fault(fingerprint="2", target="web2"))
    other, _ = record.open_fault(a_fault(fingerprint="3", component="db"))
    resolved = record.resolve_faults("backend", "web1", 120.0)
    assert resolved == [record.fault(here.id)]
    assert (resolved[0].state, resolved[0].ended_at) == (FaultState.RESOLVED, 120.0)
    assert [fault.id for fault in record.resolve_faults("backend", "", 130.0)] == [there.id]
    assert record.resolve_faults("backend", "", 140.0) == []
    assert record.fault(other.id).state is FaultState.OPEN


def test_incidents_are_listed_newest_first(record: SqliteRecord) -> None:
    """The list is cut at the limit and filtered by state."""
    ids = [record.open_fault(a_fault(fingerprint=str(n)))[0].incident_id for n in range(4)]
    record.set_incident_state(ids[1], IncidentState.HEALED, 120.0)
    assert [incident.id for incident in record.incidents(limit=2)] == [ids[3], ids[2]]
    assert [incident.id for incident in record.incidents(state="healed")] == [ids[1]]
    assert record.incident(ids[1]).closed_at == 120.0


def test_a_prefix_names_an_incident_if_it_is_the_only_one(record: SqliteRecord) -> None:
    """People write the start of an id; what fits several or none is refused."""
    fault, _ = record.open_fault(a_fault(fingerprint="1"))
    record.open_fault(a_fault(fingerprint="2"))
    assert record.incident(fault.incident_id[:-1]).primary_fault_id == fault.id
    for wrong, reason in (("in-", "several"), ("in-zzz", "no incident"), ("", "no incident")):
        with pytest.raises(NotFoundError, match=reason):
            record.incident(wrong)


def test_hostile_text_is_kept_as_text(record: SqliteRecord) -> None:
    """Quotes, NUL, and half characters in an event neither break nor change a statement."""
    text = "'; DROP TABLE faults; --\x00\ud800é"
    fault, _ = record.open_fault(a_fault(message=text, metadata={"text": text}))
    kept = record.fault(fault.id)
    assert kept.message == "'; DROP TABLE faults; --\x00?é"
    assert kept.metadata == {"text": text}


reports = st.tuples(st.sampled_from("ab"), st.integers(1, 3))
closings = st.tuples(st.sampled_from("ab"), st.sampled_from(list(FaultState)[1:]))


@settings(max_examples=60, deadline=None)
@given(st.lists(reports | closings, max_size=25))
def test_at_most_one_fault_of_a_fingerprint_stands(steps: list[tuple[str, object]]) -> None:
    """Whatever comes in whatever order: counts add up, and nothing closed is reopened; what was
    taken for an echo, and is reported after that, is a new fault."""
    record = open_record(":memory:", ManualClock())
    known: dict[tuple[str, int], str] = {}
    standing: dict[str, str] = {}
    for fingerprint, what in steps:
        if isinstance(what, FaultState):
            if fault_id := standing.get(fingerprint):
                record.set_fault_state(fault_id, what, 50.0)
                if what is not FaultState.MANUAL:
                    del standing[fingerprint]
                if what is FaultState.ECHO:
                    known = {key: one for key, one in known.items() if one != fault_id}
            continue
        assert isinstance(what, int)
        expected = standing.get(fingerprint) or known.get((fingerprint, what))
        fault, new = record.open_fault(a_fault(fingerprint=fingerprint, starts_at=float(what)))
        assert new == (expected is None)
        assert expected in (None, fault.id)
        if new:
            known[fingerprint, what] = standing[fingerprint] = fault.id
    total = sum(row["count"] for row in record.db["faults"].rows)
    record.close()
    assert total == sum(isinstance(what, int) for _, what in steps)
