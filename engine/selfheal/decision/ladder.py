"""The ladder: the solutions that fit a root cause, in the order in which to try them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from selfheal.decision.confidence import confidence
from selfheal.model import Solution, SolutionRecord, Vote

RecordOf = Callable[[str], SolutionRecord]


def build_ladder(
    root_cause: str, solutions: Iterable[Solution], record_of: RecordOf
) -> tuple[Solution, ...]:
    """Return the solutions whose pattern fits, the cheapest strategy first.

    Within a strategy the one the record believes in most comes first, then the lesser risk,
    then the name, so that the order never depends on chance.
    """
    fitting = [one for one in solutions if fnmatchcase(root_cause, one.root_cause)]
    return tuple(
        sorted(
            fitting,
            key=lambda one: (
                one.strategy.rung,
                -confidence(record_of(one.name)),
                one.risk.level,
                one.name,
            ),
        )
    )


def ladder_votes(ladder: Iterable[Solution], record_of: RecordOf) -> tuple[Vote, ...]:
    """Return each voter's opinion on each rung, so that the order can be argued with."""
    votes: list[Vote] = []
    for rung, solution in enumerate(ladder):
        record = record_of(solution.name)
        votes.append(
            Vote(
                "ladder",
                solution.name,
                1.0 / (rung + 1),
                f"rung {rung + 1}: strategy {solution.strategy.value}",
            )
        )
        votes.append(Vote("record", solution.name, confidence(record), _history(record)))
        votes.append(
            Vote(
                "risk",
                solution.name,
                1.0 - solution.risk.level / 4,
                f"risk {solution.risk.value}",
            )
        )
    return tuple(votes)


def _history(record: SolutionRecord) -> str:
    if not record.usage_count:
        return "never used; believed in as a new solution is"
    return f"healed {record.healed} of {record.usage_count} times"
