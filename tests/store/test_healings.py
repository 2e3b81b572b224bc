"""Healings: intent before effect, one at a time, each with all that happened on it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.errors import NotFoundError, StoreError
from selfheal.model import (
    Decision,
    HealingState,
    Outcome,
    Refusal,
    Risk,
    StepState,
    Strategy,
    ValidationResult,
    Vote,
)
from selfheal.store import SqliteRecord, open_record
from tests.store.nouns import a_healing, a_result, a_step, a_task, an_attempt

CHECK = ValidationResult("http", True, "200", 3, 112.0, 113.0)


def test_a_healing_comes_back_whole(record: SqliteRecord) -> None:
    """Ladder, context, options, attempts, steps and validations are the same nouns again."""
    healing = a_healing(options={"check": False, "extra_vars": {"n": 1}}, origin="operator")
    attempt = an_attempt(healing)
    step = a_step(attempt)
    record.add_healing(healing)
    record.start_healing(healing.id, 105.0)
    record.add_attempt(attempt)
    record.add_step(step)
    record.add_task(step.ident, 1, a_task(), 111.5)
    record.end_step(a_result(step))
    record.set_validations(attempt.id, [CHECK], 113.0)
    record.end_attempt(attempt.id, Outcome.HEALED, 113.0)
    record.end_healing(healing.id, Outcome.HEALED, "it answers", 114.0)
    done = replace(step, state=StepState.SUCCESSFUL, ended_at=112.0, rc=0)
    tried = replace(
        attempt, ended_at=113.0, outcome=Outcome.HEALED, steps=(done,), validations=(CHECK,)
    )
    assert record.healing(healing.id) == replace(
        healing,
        state=HealingState.DONE,
        started_at=105.0,
        ended_at=114.0,
        outcome=Outcome.HEALED,
        reason="it answers",
        attempts=(tried,),
    )
    assert record.healings() == [record.healing(healing.id[:10])]
    assert record.tasks(step.ident) == [a_task()]


def test_not_validated_is_not_the_same_as_nothing_to_validate(record: SqliteRecord) -> None:
    """None means that the proof was not tried yet, () that there was none to try."""
    healing = a_healing()
    attempt = an_attempt(healing)
    record.add_healing(healing)
    record.add_attempt(attempt)
    assert record.healing(healing.id).attempts[0].validations is None
    record.set_validations(attempt.id, [], 113.0)
    assert record.healing(healing.id).attempts[0].validations == ()
    record.set_validations(attempt.id, [CHECK, CHECK], 114.0)
    record.set_validations(attempt.id, [CHECK], 115.0)
    assert record.healing(healing.id).attempts[0].validations == (CHECK,)


def test_a_fault_has_one_open_healing(record: SqliteRecord) -> None:
    """The second is refused until the first is done."""
    first = a_healing(fault_id="ft-1")
    record.add_healing(first)
    with pytest.raises(StoreError, match="ft-1 has an open healing already"):
        record.add_healing(a_healing(fault_id="ft-1"))
    record.end_healing(first.id, Outcome.FAILED, "", 120.0)
    record.add_healing(a_healing(fault_id="ft-1"))
    assert len(record.healings()) == 2


def test_healings_by_hand_have_no_fault_to_clash_on(record: SqliteRecord) -> None:
    """`run-runbook` may be queued twice; its resource still lets one run at a time."""
    first, second = a_healing(), a_healing()
    record.add_healing(first)
    record.add_healing(second)
    assert record.start_healing(first.id, 1.0)
    assert not record.start_healing(second.id, 1.0)


def test_a_busy_resource_changes_nothing(record: SqliteRecord) -> None:
    """A healing that must wait stays queued, untouched, and starts when the resource is free."""
    first, second = a_healing(fault_id="ft-1"), a_healing(fault_id="ft-2")
    for healing in (first, second):
        record.add_healing(healing)
    assert record.start_healing(first.id, 101.0)
    with record.transaction():
        assert not record.start_healing(second.id, 102.0)
    assert record.healing(second.id) == second
    record.end_healing(first.id, Outcome.HEALED, "", 103.0)
    assert record.start_healing(second.id, 104.0)
    assert record.healing(second.id).started_at == 104.0


def test_only_a_queued_healing_starts(record: SqliteRecord) -> None:
    """Running or done healings are not started again."""
    healing = a_healing()
    record.add_healing(healing)
    assert record.start_healing(healing.id, 101.0)
    assert not record.start_healing(healing.id, 102.0)
    record.end_healing(healing.id, Outcome.HEALED, "", 103.0)
    assert not record.start_healing(healing.id, 104.0)
    assert record.healing(healing.id).started_at == 101.0


def test_the_first_outcome_stands(record: SqliteRecord) -> None:
    """Ending twice the same way is harmless; another outcome is an error."""
    healing = a_healing()
    record.add_healing(healing)
    record.end_healing(healing.id, Outcome.ROLLED_BACK, "undone", 120.0)
    record.end_healing(healing.id, Outcome.ROLLED_BACK, "again", 130.0)
    with pytest.raises(StoreError, match="rolled_back"):
        record.end_healing(healing.id, Outcome.HEALED, "", 140.0)
    assert (record.healing(healing.id).reason, record.healing(healing.id).ended_at) == (
        "undone",
        120.0,
    )


def test_a_stop_is_a_message(record: SqliteRecord) -> None:
    """Asking to stop changes no state; the runtime reads it."""
    healing = a_healing()
    record.add_healing(healing)
    record.request_stop(healing.id, "operator: wrong host")
    assert record.healing(healing.id) == replace(healing, stop_requested="operator: wrong host")


def test_an_intent_shows_before_its_end(record: SqliteRecord) -> None:
    """A step is on record, running, before anything was run."""
    healing = a_healing()
    attempt, step = an_attempt(healing), a_step()
    record.add_healing(healing)
    record.add_attempt(attempt)
    step = a_step(attempt)
    record.add_step(step)
    assert record.healing(healing.id).attempts[0].steps == (step,)
    with pytest.raises(StoreError):
        record.add_step(step)


def test_an_action_run_belongs_to_no_attempt(record: SqliteRecord) -> None:
    """Runs of a rule's actions are recorded with their tasks but show in no healing."""
    step = a_step()
    record.add_step(step)
    record.end_step(a_result(step, state=StepState.FAILED, rc=2, message="no"))
    assert record.tasks(step.ident) == [a_task()]
    row = record.db.table("steps").get(step.ident)
    assert (row["state"], row["rc"], row["attempt_id"]) == ("failed", 2, None)


def test_an_adopted_run_brings_the_tasks_nobody_saw(record: SqliteRecord) -> None:
    """After a crash the artifact tells more tasks than were recorded live: all are kept, once."""
    step = a_step()
    record.add_step(step)
    record.add_task(step.ident, 7, a_task("one"), 111.0)
    result = a_result(step, tasks=(a_task("one"), a_task("two")))
    record.end_step(result)
    assert [task.task for task in record.tasks(step.ident)] == ["one", "two"]
    record.end_step(replace(result, tasks=()))
    assert [task.task for task in record.tasks(step.ident)] == ["one", "two"]


def test_nothing_hangs_in_the_air(record: SqliteRecord) -> None:
    """An attempt needs its healing, a step its attempt, a task its step."""
    healing = a_healing()
    attempt, step = an_attempt(healing), a_step()
    with pytest.raises(StoreError):
        record.add_attempt(attempt)
    with pytest.raises(StoreError):
        record.add_step(a_step(attempt))
    with pytest.raises(StoreError):
        record.add_task(step.ident, 1, a_task(), 1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.healing("he-none"),
        lambda r: r.start_healing("he-none", 1.0),
        lambda r: r.end_healing("he-none", Outcome.FAILED, "", 1.0),
        lambda r: r.request_stop("he-none", "why"),
        lambda r: r.end_attempt("at-none", Outcome.FAILED, 1.0),
        lambda r: r.set_validations("at-none", [], 1.0),
        lambda r: r.end_step(a_result(a_step())),
    ],
)
def test_what_is_not_there_is_not_found(record: SqliteRecord, call: object) -> None:
    """A wrong id never passes in silence."""
    assert callable(call)
    with pytest.raises(NotFoundError):
        call(record)


def test_lists_are_filtered_and_newest_first(record: SqliteRecord) -> None:
    """By state, by incident, up to the limit."""
    healings = [a_healing(created_at=float(n), incident_id=f"in-{n % 2}") for n in range(4)]
    for healing in healings:
        record.add_healing(healing)
    record.end_healing(healings[0].id, Outcome.FAILED, "", 9.0)
    assert record.healings(limit=2) == [healings[3], healings[2]]
    assert record.healings(incident_id="in-1") == [healings[3], healings[1]]
    assert [healing.id for healing in record.healings(state="done")] == [healings[0].id]


def test_decisions_keep_their_reasons_in_order(record: SqliteRecord) -> None:
    """Chosen or refused, with every vote, in the order in which they were made."""
    votes = (Vote("ladder", "restart", 0.9, "cheapest"),)
    chosen = Decision(
        "de-1", "in-1", "ft-1", 5.0, Strategy.QUICK_FIX, "restart", 0.8, Risk.LOW, False, None,
        ("it fits",), votes,
    )  # fmt: skip
    # The clock was set back in between.
    refused = replace(chosen, id="de-2", at=4.0, solution="", refused=Refusal.LADDER_EXHAUSTED)
    record.add_decision(chosen)
    record.add_decision(refused)
    record.add_decision(replace(chosen, id="de-3", incident_id="in-2"))
    assert record.decisions("in-1") == [chosen, refused]


moves = st.lists(
    st.tuples(st.sampled_from(["add", "start", "end"]), st.integers(0, 5)), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(moves)
def test_never_two_on_a_resource_or_for_a_fault(moves: list[tuple[str, int]]) -> None:
    """Any order of calls keeps both uniqueness rules, and refuses only what would break one."""
    record = open_record(":memory:")
    slots: dict[int, str] = {}
    running: dict[int, bool] = {}
    for verb, slot in moves:
        # Six faults on two resources: slot n is fault n on resource n % 2.
        if verb == "add":
            healing = a_healing(fault_id=f"ft-{slot}", resource=f"web{slot % 2}")
            if slot in slots:
                with pytest.raises(StoreError):
                    record.add_healing(healing)
            else:
                record.add_healing(healing)
                slots[slot], running[slot] = healing.id, False
        elif verb == "start" and slot in slots:
            busy = any(on and other % 2 == slot % 2 for other, on in running.items())
            assert record.start_healing(slots[slot], 1.0) == (not busy)
            running[slot] = running[slot] or not busy
        elif verb == "end" and slot in slots:
            record.end_healing(slots.pop(slot), Outcome.FAILED, "", 2.0)
            del running[slot]
    assert len(record.healings(state="running")) == sum(running.values())
    record.close()


def test_a_ladder_is_frozen_when_it_begins(record: SqliteRecord) -> None:
    """What is queued may be planned anew; once it runs, or anything was tried, it stays."""
    first, second = a_healing(), a_healing(fault_id="ft-2")
    for healing in (first, second):
        record.add_healing(healing)
        assert record.replace_ladder(healing.id, healing.ladder[:0], ["db"])
        changed = record.healing(healing.id)
        assert (changed.ladder, changed.locks) == ((), ("db",))
    record.start_healing(first.id, 1.0)
    record.add_attempt(an_attempt(second))
    for healing in (first, second):
        assert not record.replace_ladder(healing.id, healing.ladder, [])
        assert record.healing(healing.id).ladder == ()


def test_the_newest_healing_of_an_incident_says_how_far_it_is(record: SqliteRecord) -> None:
    """None without one; an earlier one that has ended does not speak for the one after it."""
    first, second = a_healing(fault_id="ft-1"), a_healing(fault_id="ft-1")
    assert first.incident_id == second.incident_id
    assert record.newest_state(first.incident_id) is None
    record.add_healing(first)
    assert record.newest_state(first.incident_id) is HealingState.QUEUED
    record.end_healing(first.id, Outcome.FAILED, "it did not help", 114.0)
    assert record.newest_state(first.incident_id) is HealingState.DONE
    record.add_healing(second)
    assert record.newest_state(first.incident_id) is HealingState.QUEUED


def test_a_whole_id_is_meant_even_when_another_begins_with_it(record: SqliteRecord) -> None:
    """A prefix of two is refused, unless it is one of them."""
    short, long = a_healing(id="he-1"), a_healing(id="he-12")
    record.add_healing(short)
    record.add_healing(long)
    assert record.healing("he-1").id == "he-1"
    assert record.healing("he-12").id == "he-12"
    with pytest.raises(NotFoundError, match="several"):
        record.healing("he-")
