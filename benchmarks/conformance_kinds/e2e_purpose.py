"""Where we do otherwise and mean it: general traits, never single recordings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.conformance_kinds.e2e_firings import Fired, Firings
from benchmarks.conformance_kinds.e2e_printed import our_printed, their_printed
from benchmarks.conformance_kinds.e2e_run import Run
from selfheal.masking import MASK
from selfheal.model import Kind, Rulebook

_UNDEFINED = re.compile(r"is undefined|has no attribute|no attribute")
_SHORT_WINDOW = 2.0  # seconds
_WRONG_INPUT = 2  # our exit code for it
_FACTS = "debug: facts"
_ONLY_THERE = ["successful", "failed"]


@dataclass(frozen=True, slots=True)
class Both:
    """A recording and our run of it."""

    record: Mapping[str, Any]
    """The recording."""
    run: Run
    """Our run."""
    rulebook: Rulebook | None
    """What both ran; None when we refuse it."""
    theirs: Firings
    """What fired there."""
    ours: Firings
    """What fired here."""

    @property
    def end_alike(self) -> bool:
        """True when both ended by themselves, with the same code."""
        return self.run.ended and self.run.exit_code == self.record["exit_code"]

    @property
    def only_firings_differ(self) -> bool:
        """True when both ended in the same way, and something else fired."""
        return self.end_alike and bool(self.differing())

    def differing(self) -> dict[str, tuple[list[Fired], list[Fired]]]:
        """Return ours and theirs of each ruleset in which they differ."""
        names = dict.fromkeys((*self.theirs, *self.ours))
        pairs = {
            name: (list(self.ours.get(name, ())), list(self.theirs.get(name, ()))) for name in names
        }
        if self.record["order"] == "set":
            pairs = {name: (sorted(ours), sorted(theirs)) for name, (ours, theirs) in pairs.items()}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def purpose(both: Both) -> str:
    """Return why the difference is meant, or nothing."""
    return next((reason for trait, reason in _TRAITS if trait(both)), "")


def _both_refuse(both: Both) -> bool:
    they_refuse = both.record["exit_code"] == 1 and not both.theirs
    return they_refuse and both.run.exit_code == _WRONG_INPUT


def _lacks_a_plugin(both: Both) -> bool:
    lacks = re.compile(r"Could not find source (filter )?plugin")
    return both.run.exit_code == 0 and any(lacks.search(line) for line in both.record["log"])


def _dies_of_undefined_variable(both: Both) -> bool:
    died = any("is undefined" in line for line in both.record["log"])
    return died and any(
        entry.kind is Kind.ACTION and _UNDEFINED.search(entry.data["message"])
        for entry in both.run.entries
    )


def _actions_overtake_events(both: Both) -> bool:
    """Both fire the same, and in the same order, what events make fire and what actions make."""
    return both.only_firings_differ and all(
        Counter(ours) == Counter(theirs)
        and sorted(ours, key=_is_internal) == sorted(theirs, key=_is_internal)
        for ours, theirs in both.differing().values()
    )


def _is_internal(fired: Fired) -> bool:
    return fired.internal


def _keeps_no_short_window(both: Both) -> bool:
    """They differ only in which rule took the same events, and one of the two has little time."""
    short = _rules_with_short_window(both.rulebook)
    return both.only_firings_differ and all(
        len(ours) == len(theirs)
        and all(
            our == their
            or (
                our.matches == their.matches
                and {(our.ruleset, our.rule), (their.ruleset, their.rule)} & short
            )
            for our, their in zip(ours, theirs, strict=True)
        )
        for ours, theirs in both.differing().values()
    )


def _ends_sooner_or_later(both: Both) -> bool:
    """One side heard more of sources that were running when another ruleset's end ended all."""
    ended = [
        entry.data["ruleset"]
        for entry in both.run.entries
        if entry.kind is Kind.SOURCE and entry.data.get("kind") == "ended"
    ]
    return both.only_firings_differ and all(
        name not in ended[:1] and all(our == their for our, their in zip(*pair, strict=False))
        for name, pair in both.differing().items()
    )


def _starts_a_source_again(both: Both) -> bool:
    """A source raised: there the engine ends, here it goes on."""
    they_end = any("source plugins failed" in line for line in both.record["log"])
    return they_end and any(
        entry.kind is Kind.SOURCE and entry.data.get("kind") == "failed"
        for entry in both.run.entries
    )


def _a_task_failed_there(both: Both) -> bool:
    """Up to there all is the same; what follows from it is not compared."""
    return both.only_firings_differ and all(
        _is_their_failure(both, *_first_difference(ours, theirs))
        for ours, theirs in both.differing().values()
    )


def _first_difference(ours: list[Fired], theirs: list[Fired]) -> tuple[Fired | None, Fired | None]:
    pairs = zip(ours, theirs, strict=False)
    return next(((our, their) for our, their in pairs if our != their), (None, None))


def _is_their_failure(both: Both, our: Fired | None, their: Fired | None) -> bool:
    if our is None or their is None or (our.rule, our.matches) != (their.rule, their.matches):
        return False
    statuses = zip(our.actions, their.actions, strict=False)
    first = next((pair for pair in statuses if pair[0] != pair[1]), None)
    told = both.record["ansible_events"].get(f"{their.ruleset}::{their.rule}", ())
    failed = any(one.startswith(("runner_on_failed", "runner_on_unreachable")) for one in told)
    return failed and first is not None and [status for _, status in first] == _ONLY_THERE


def _shows_other_facts(both: Both) -> bool:
    ours, theirs = our_printed(both.run), their_printed(both.record)
    titles = {title for title, _ in (*(ours - theirs), *(theirs - ours))}
    return both.end_alike and not both.differing() and titles == {_FACTS}


def _masks_secrets(both: Both) -> bool:
    ours, theirs = our_printed(both.run), their_printed(both.record)
    surplus, missing = ours - theirs, theirs - ours
    only_masked = bool(surplus) and all(MASK in content for _, content in surplus)
    same_number = surplus.total() == missing.total()
    return both.end_alike and not both.differing() and only_masked and same_number


def _rules_with_short_window(rulebook: Rulebook | None) -> set[tuple[str, str]]:
    return {
        (ruleset.name, rule.name)
        for ruleset in (rulebook.rulesets if rulebook else ())
        for rule in ruleset.rules
        for window in (
            rule.condition.timeout,
            rule.throttle.window if rule.throttle else None,
        )
        if window is not None and window < _SHORT_WINDOW
    }


_TRAITS = (
    (
        _both_refuse,
        "both refuse; a wrong rulebook or argument is exit code 2 here, found before anything runs",
    ),
    (_lacks_a_plugin, "the original does not find a plugin that is there"),
    (
        _dies_of_undefined_variable,
        "an undefined variable in an action ends the original; here that action has failed",
    ),
    (
        _actions_overtake_events,
        "the same firings; what an action posts or sets is matched at once here, "
        "there after an event or two that came meanwhile",
    ),
    (
        _keeps_no_short_window,
        "the original keeps windows of less than two seconds on a clock moved by hand only",
    ),
    (
        _ends_sooner_or_later,
        "a source ended and with it the run; how much is heard of the others until then "
        "is a matter of speed",
    ),
    (
        _starts_a_source_again,
        "a source that raises is started again; the original ends with it",
    ),
    (
        _a_task_failed_there,
        "an Ansible task failed where it was recorded and not here, which no engine decides",
    ),
    (
        _shows_other_facts,
        "debug shows the facts of the moment, and the original its own bookkeeping among them",
    ),
    (_masks_secrets, "a value out of a vault is masked wherever it is printed"),
)
