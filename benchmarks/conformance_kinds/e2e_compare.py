"""Compares what our engine did with what was recorded of ansible-rulebook."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.conformance_kinds.e2e_printed import printed_alike
from benchmarks.conformance_kinds.e2e_purpose import purpose
from benchmarks.conformance_kinds.e2e_run import Run
from benchmarks.conformance_kinds.verdict import Verdict, agree, differ, on_purpose
from selfheal.model import Kind

_VOLATILE = ("uuid", "received_at")
_THEIR_NAMES = {"noop": "none"}
_ENDED = ("successful", "failed")


@dataclass(frozen=True, slots=True)
class Fired:
    """One firing, as both sides can tell it."""

    ruleset: str
    """The ruleset."""
    rule: str
    """The rule."""
    actions: tuple[tuple[str, str], ...]
    """Name and status of each action that ended."""
    matches: str
    """The matching messages by alias, as canonical JSON."""

    def at_level(self, level: int) -> tuple[Any, ...]:
        """Return what that level compares."""
        return (self.rule, self.actions) if level < 2 else (self.rule, self.actions, self.matches)


def compare(record: Mapping[str, Any], run: Run, level: int) -> Verdict:
    """Return the verdict on one recording."""
    case = record["case"]
    details = list(_differences(record, run, level))
    if not details:
        return agree(case)
    if reason := purpose(record, run):
        return on_purpose(case, reason)
    return differ(case, "; ".join(details))


def _differences(record: Mapping[str, Any], run: Run, level: int) -> Iterator[str]:
    if not record["timed_out"]:
        if not run.ended:
            yield "it did not end by itself"
        elif run.exit_code != record["exit_code"]:
            yield f"exit code {run.exit_code} instead of {record['exit_code']}: {run.said[-300:]}"
    if record["order"] == "unstable":
        return
    is_set = record["order"] == "set"
    ours, theirs = _by_ruleset(our_firings(run)), _by_ruleset(_their_firings(record))
    for name in dict.fromkeys((*theirs, *ours)):
        yield from _compare_firings(name, ours.get(name, []), theirs.get(name, []), level, is_set)
    if level >= 2:
        yield from _compare_launches(record, run)
    if level >= 3:
        yield from printed_alike(record, run)


def _compare_firings(
    ruleset: str, ours: Sequence[Fired], theirs: Sequence[Fired], level: int, is_set: bool
) -> Iterator[str]:
    our_part = [fired.at_level(level) for fired in ours]
    their_part = [fired.at_level(level) for fired in theirs]
    if is_set:
        our_part, their_part = sorted(our_part), sorted(their_part)
    if our_part == their_part:
        return
    pairs = enumerate(zip(our_part, their_part, strict=False))
    at = next((index for index, (left, right) in pairs if left != right), None)
    if at is None:
        at = min(len(our_part), len(their_part))
    yield (
        f"ruleset {ruleset!r}: {len(our_part)} firings for {len(their_part)}; "
        f"at {at}: {our_part[at : at + 1]} instead of {their_part[at : at + 1]}"
    )


def our_firings(run: Run) -> list[Fired]:
    """Return our firings in the order in which they fired.

    An action that the end of the engine interrupted is left out, as in the recordings."""
    actions: dict[str, list[tuple[str, str]]] = {}
    for entry in run.entries:
        if entry.kind is Kind.ACTION and entry.data["status"] in _ENDED:
            ended = (entry.data["action"], entry.data["status"])
            actions.setdefault(entry.data["firing"], []).append(ended)
    return [
        Fired(
            entry.data["ruleset"],
            entry.data["rule"],
            tuple(actions[entry.data["firing"]]),
            _canonical(entry.data["matches"]),
        )
        for entry in run.entries
        if entry.kind is Kind.RULE and entry.data["firing"] in actions
    ]


def _their_firings(record: Mapping[str, Any]) -> list[Fired]:
    return [
        Fired(
            firing["ruleset"],
            firing["rule"],
            tuple(
                (_THEIR_NAMES.get(action["action"], action["action"]), action["status"])
                for action in firing["actions"]
            ),
            _canonical(firing["matching_events"]),
        )
        for firing in record["firings"]
    ]


def _by_ruleset(firings: Iterable[Fired]) -> dict[str, list[Fired]]:
    found: dict[str, list[Fired]] = {}
    for fired in firings:
        found.setdefault(fired.ruleset, []).append(fired)
    return found


def _compare_launches(record: Mapping[str, Any], run: Run) -> Iterator[str]:
    theirs = sorted(
        (one["template"], one["kind"], _canonical(one["body"]))
        for one in record.get("controller_launches", ())
    )
    ours = sorted((one.template, one.kind, _canonical(one.body)) for one in run.launches)
    if ours != theirs:
        yield f"launched {ours} instead of {theirs}"


def _canonical(value: Any) -> str:
    return json.dumps(_settled(value), sort_keys=True)


def _settled(value: Any) -> Any:
    """Leave out of each `meta` what is new in every run."""
    if isinstance(value, Mapping):
        return {
            key: _settled(
                {k: v for k, v in item.items() if k not in _VOLATILE}
                if key == "meta" and isinstance(item, Mapping)
                else item
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_settled(item) for item in value]
    return value
