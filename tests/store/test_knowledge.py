"""What the record says about solutions is computed from what happened."""

from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.model import Outcome, SolutionRecord
from selfheal.store import SqliteRecord, open_record
from tests.store.nouns import OUTCOMES_THAT_COUNT, a_fault, a_healing, an_attempt


def attempt(
    record: SqliteRecord, outcome: Outcome | None, *, start: float = 110.0, **healing: object
) -> None:
    """Record one attempt that took 10 s."""
    one = a_healing(**healing)
    tried = an_attempt(one, started_at=start)
    record.add_healing(one)
    record.add_attempt(tried)
    if outcome:
        record.end_attempt(tried.id, outcome, start + 10)
        record.end_healing(one.id, outcome, "", start + 10)


def test_a_solution_never_used_has_no_rate(record: SqliteRecord) -> None:
    """Nothing is claimed about what was never tried."""
    unused = record.solution_record("restart-backend")
    assert unused == SolutionRecord("restart-backend", 0, 0, None, None)
    assert unused.success_rate is None
    assert record.solution_records() == []


def test_rates_and_mttr_come_from_the_attempts(record: SqliteRecord) -> None:
    """Mean time counts from the fault's start to the validated end, over healed attempts."""
    for start, outcome in (
        (100.0, Outcome.HEALED),
        (200.0, Outcome.HEALED),
        (300.0, Outcome.FAILED),
    ):
        fault, _ = record.open_fault(a_fault(fingerprint=str(start), starts_at=start))
        attempt(record, outcome, start=start + 5, fault_id=fault.id)
    known = record.solution_record("restart-backend")
    assert known == SolutionRecord("restart-backend", 3, 2, 305.0, 15.0)
    assert known.success_rate == 2 / 3
    assert record.solution_records() == [known]


def test_check_mode_proves_nothing(record: SqliteRecord) -> None:
    """A run by hand in Ansible's check mode changed nothing, so it does not count."""
    attempt(record, Outcome.HEALED, options={"check": True})
    assert record.solution_record("restart-backend").usage_count == 0
    attempt(record, Outcome.HEALED, options={"check": False})
    by_hand = record.solution_record("restart-backend")
    assert (by_hand.usage_count, by_hand.mttr) == (1, None)


def test_under_way_is_used_but_not_counted(record: SqliteRecord) -> None:
    """An attempt without an end moves `last_used` only."""
    attempt(record, None, start=500.0)
    assert record.solution_record("restart-backend") == SolutionRecord(
        "restart-backend", 0, 0, 500.0, None
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(list(Outcome)), max_size=12))
def test_counts_equal_a_recount(outcomes: list[Outcome]) -> None:
    """For any history the view says what counting by hand says."""
    record = open_record(":memory:")
    for outcome in outcomes:
        attempt(record, outcome)
    known = record.solution_record("restart-backend")
    record.close()
    assert known.usage_count == sum(outcome in OUTCOMES_THAT_COUNT for outcome in outcomes)
    assert known.healed == outcomes.count(Outcome.HEALED)
