"""The firings of a run, in one shape for both sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.conformance_kinds.e2e_run import Run
from benchmarks.conformance_kinds.e2e_settled import canonical
from selfheal.actions.key_path import narrow
from selfheal.errors import ActionError
from selfheal.model import Kind, Rule, Rulebook

_THEIR_NAMES = {"noop": "none"}
_ENDED = ("successful", "failed")


@dataclass(frozen=True, slots=True, order=True)
class Fired:
    """One firing."""

    ruleset: str
    """The ruleset."""
    rule: str
    """The rule."""
    actions: tuple[tuple[str, str], ...]
    """Name and status of each action that ended."""
    matches: str
    """The matching messages by alias, as canonical JSON; empty: not recorded."""
    internal: bool
    """An action made what matched."""


Firings = Mapping[str, Sequence[Fired]]
"""Ruleset to its firings, in the order in which they fired."""


def their_firings(record: Mapping[str, Any]) -> Firings:
    """Return what was recorded."""
    return _by_ruleset(
        Fired(
            firing["ruleset"],
            firing["rule"],
            tuple(
                (_THEIR_NAMES.get(action["action"], action["action"]), action["status"])
                for action in firing["actions"]
            ),
            # An action that raised took the events with it.
            canonical(firing["matching_events"]) if firing["matching_events"] is not None else "",
            _is_internal(firing["matching_events"]),
        )
        for firing in record["firings"]
    )


def our_firings(run: Run, theirs: Firings, rulebook: Rulebook | None) -> Firings:
    """Return ours, shown as the recordings show them.

    Actions that the end of the engine interrupted are left out, messages that were not recorded
    are not told, and those that the recording shows as `var_root` leaves them are shown so.
    """
    actions: dict[str, list[tuple[str, str]]] = {}
    for entry in run.entries:
        if entry.kind is Kind.ACTION and entry.data["status"] in _ENDED:
            ended = (entry.data["action"], entry.data["status"])
            actions.setdefault(entry.data["firing"], []).append(ended)
    rules = _rules(rulebook)
    return _by_ruleset(
        _as_recorded(
            Fired(
                entry.data["ruleset"],
                entry.data["rule"],
                tuple(actions[entry.data["firing"]]),
                "",
                _is_internal(entry.data["matches"]),
            ),
            entry.data["matches"] or {"m": {}},
            theirs,
            rules,
        )
        for entry in run.entries
        if entry.kind is Kind.RULE and entry.data["firing"] in actions
    )


def _as_recorded(
    fired: Fired,
    matches: Mapping[str, Any],
    theirs: Firings,
    rules: Mapping[tuple[str, str], Rule],
) -> Fired:
    recorded = {one.matches for one in theirs.get(fired.ruleset, ()) if one.rule == fired.rule}
    plain = canonical(matches)
    if recorded == {""}:
        return fired
    rule = rules.get((fired.ruleset, fired.rule))
    if plain not in recorded and rule is not None:
        roots = [action.args["var_root"] for action in rule.actions if "var_root" in action.args]
        shown = next((text for root in roots if (text := _narrowed(matches, root)) in recorded), "")
        return replace(fired, matches=shown or plain)
    return replace(fired, matches=plain)


def _narrowed(matches: Mapping[str, Any], root: Any) -> str:
    is_single = set(matches) == {"m"}
    try:
        found = narrow({"event": matches["m"]} if is_single else {"events": matches}, root)
    except ActionError:
        return ""
    return canonical({"m": found["event"]} if is_single else found["events"])


def _rules(rulebook: Rulebook | None) -> dict[tuple[str, str], Rule]:
    rulesets = rulebook.rulesets if rulebook else ()
    return {(ruleset.name, rule.name): rule for ruleset in rulesets for rule in ruleset.rules}


def _is_internal(matches: Any) -> bool:
    """Tell whether an action posted, set or retracted something to make it fire."""
    messages = matches.values() if isinstance(matches, Mapping) else ()
    return any(_source_type(message) == "internal" for message in messages)


def _source_type(message: Any) -> Any:
    for key in ("meta", "source", "type"):
        message = message.get(key) if isinstance(message, Mapping) else None
    return message


def _by_ruleset(firings: Iterable[Fired]) -> dict[str, list[Fired]]:
    found: dict[str, list[Fired]] = {}
    for fired in firings:
        found.setdefault(fired.ruleset, []).append(fired)
    return found
