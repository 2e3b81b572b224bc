"""Compares what our engine did with what was recorded of ansible-rulebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.conformance_kinds.e2e_firings import Fired, Firings, our_firings, their_firings
from benchmarks.conformance_kinds.e2e_printed import our_printed, their_printed
from benchmarks.conformance_kinds.e2e_purpose import Both, purpose
from benchmarks.conformance_kinds.e2e_run import Run
from benchmarks.conformance_kinds.e2e_settled import canonical
from benchmarks.conformance_kinds.verdict import Verdict, agree, differ, on_purpose
from selfheal.errors import SelfhealError
from selfheal.model import Rulebook
from selfheal.rulebook import read_rulebook


def compare(folder: Path, record: Mapping[str, Any], run: Run, level: int) -> Verdict:
    """Return the verdict on one recording."""
    case = record["case"]
    rulebook = _rulebook(folder / record["rulebook"])
    theirs = their_firings(record)
    ours = our_firings(run, theirs, rulebook)
    details = [*_ends(record, run), *_differences(record, run, ours, theirs, level)]
    if not details:
        return agree(case)
    if reason := purpose(Both(record, run, rulebook, theirs, ours)):
        return on_purpose(case, reason)
    return differ(case, "; ".join(details))


def _rulebook(path: Path) -> Rulebook | None:
    try:
        return read_rulebook(path)
    except SelfhealError:
        return None


def _ends(record: Mapping[str, Any], run: Run) -> Iterator[str]:
    if record["timed_out"]:
        return
    if not run.ended:
        yield "it did not end by itself"
    elif run.exit_code != record["exit_code"]:
        yield f"exit code {run.exit_code} instead of {record['exit_code']}: {run.said[-300:]}"


def _differences(
    record: Mapping[str, Any], run: Run, ours: Firings, theirs: Firings, level: int
) -> Iterator[str]:
    if record["order"] == "unstable":
        return
    is_set = record["order"] == "set"
    for name in dict.fromkeys((*theirs, *ours)):
        yield from _compare_firings(name, ours.get(name, []), theirs.get(name, []), level, is_set)
    if level >= 2:
        yield from _compare_launches(record, run)
    if level >= 3:
        yield from _compare_printed(record, run)


def _compare_firings(
    ruleset: str, ours: Sequence[Fired], theirs: Sequence[Fired], level: int, is_set: bool
) -> Iterator[str]:
    our_part = [_at_level(fired, level) for fired in ours]
    their_part = [_at_level(fired, level) for fired in theirs]
    if is_set:
        our_part, their_part = sorted(our_part), sorted(their_part)
    if our_part == their_part:
        return
    pairs = enumerate(zip(our_part, their_part, strict=False))
    shorter = min(len(our_part), len(their_part))
    at = next((index for index, (left, right) in pairs if left != right), shorter)
    yield (
        f"ruleset {ruleset!r}: {len(our_part)} firings for {len(their_part)}; "
        f"at {at}: {our_part[at : at + 1]} instead of {their_part[at : at + 1]}"
    )


def _at_level(fired: Fired, level: int) -> tuple[Any, ...]:
    return (fired.rule, fired.actions, fired.matches)[: 2 if level < 2 else 3]


def _compare_launches(record: Mapping[str, Any], run: Run) -> Iterator[str]:
    theirs = sorted(
        (one["template"], one["kind"], canonical(one["body"]))
        for one in record.get("controller_launches", ())
    )
    ours = sorted((one.template, one.kind, canonical(one.body)) for one in run.launches)
    if ours != theirs:
        yield f"launched {ours} instead of {theirs}"


def _compare_printed(record: Mapping[str, Any], run: Run) -> Iterator[str]:
    ours, theirs = our_printed(run), their_printed(record)
    if ours != theirs:
        yield f"printed {list(ours - theirs)[:2]} instead of {list(theirs - ours)[:2]}"
