"""Findings about rulebooks: what is refused, and what is taken but looks like a mistake.

SH101  a step of a solution of medium risk or more has no rollback
SH102  a solution has no validation, so its outcome can only be `unknown`
SH103  no rule names a root cause that this solution is for
SH104  a rule can never fire: the rule above it has the same condition and takes the event
SH105  a rule has an autonomy, but no `heal` action that it could bind
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from selfheal.errors import Problem, RulebookError
from selfheal.model import Quantifier, Risk, Rule, Rulebook, Ruleset, Solution, Strategy
from selfheal.model.condition import Condition
from selfheal.rulebook.loader import Variables, load_rulebook, rulebook_files, shared_names
from selfheal.templates import is_template
from selfheal.yamlfile import Document, KeyPath, read_yaml


@dataclass(frozen=True, slots=True)
class Finding:
    """A warning: the rulebook is taken, but somebody should look."""

    code: str
    """Stable, such as `SH101`."""
    problem: Problem
    """What, where, and what to do."""

    def __str__(self) -> str:
        return str(replace(self.problem, message=f"{self.code} {self.problem.message}"))


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found in some rulebooks."""

    files: int
    """How many were read."""
    errors: tuple[Problem, ...]
    """Why some of them are refused."""
    warnings: tuple[Finding, ...]
    """What looks wrong in those that are not."""


def lint_files(
    targets: Iterable[Path | str],
    *,
    playbooks: Path | None = None,
    variables: Variables | None = None,
) -> Report:
    """Check rulebook files and folders of them, taken together; raises nothing."""
    files: list[Path] = []
    errors: list[Problem] = []
    rulebooks: list[Rulebook] = []
    for target in targets:
        try:
            files += rulebook_files(target)
        except RulebookError as error:
            errors += error.problems
    for file in dict.fromkeys(files):
        try:
            rulebooks.append(load_rulebook(file, playbooks=playbooks, variables=variables))
        except RulebookError as error:
            errors += error.problems
    errors += shared_names(rulebooks)
    return Report(len(set(files)), tuple(errors), tuple(warnings_of(rulebooks)))


def warnings_of(rulebooks: list[Rulebook]) -> Iterator[Finding]:
    """Yield the warnings on rulebooks that make up one knowledge base, in file order."""
    causes = list(_root_causes(rulebooks))
    for rulebook in rulebooks:
        document = read_yaml(rulebook.path)
        for number, ruleset in enumerate(rulebook.rulesets):
            yield from _shadowed_rules(document, (number, "rules"), ruleset)
            yield from _idle_autonomy(document, (number, "rules"), ruleset)
            for index, solution in enumerate(ruleset.solutions):
                path = (number, "solutions", index)
                yield from _unsafe_steps(document, path, solution)
                yield from _unproven(document, path, solution)
                yield from _unreachable(document, path, solution, causes)


def _root_causes(rulebooks: list[Rulebook]) -> Iterator[str | None]:
    """Yield the root causes that rules name; None for one that only the run can tell."""
    for rulebook in rulebooks:
        for ruleset in rulebook.rulesets:
            for action in (action for rule in ruleset.rules for action in rule.actions):
                if action.name == "heal":
                    cause = action.args.get("root_cause")
                    known = isinstance(cause, str) and cause and not is_template(cause)
                    yield cause if known else None


def _shadowed_rules(document: Document, path: KeyPath, ruleset: Ruleset) -> Iterator[Finding]:
    if ruleset.match_multiple_rules:
        return
    first: dict[str, Rule] = {}
    for index, rule in enumerate(ruleset.rules):
        # A throttled rule lets go of the events it suppresses; joins take none from others.
        if not rule.enabled or not _takes_single_events(rule.condition):
            continue
        # To Python 1, 1.0 and True are one key, in a condition they are three.
        condition = repr(rule.condition)
        if above := first.get(condition):
            message = f"rule {rule.name!r} never fires: {above.name!r} above it takes its events"
            hint = "give one rule both actions, or set match_multiple_rules: true"
            yield Finding("SH104", document.problem(message, (*path, index), hint=hint))
        elif rule.throttle is None:
            first[condition] = rule


def _idle_autonomy(document: Document, path: KeyPath, ruleset: Ruleset) -> Iterator[Finding]:
    for index, rule in enumerate(ruleset.rules):
        if rule.autonomy and all(action.name != "heal" for action in rule.actions):
            message = f"the autonomy of rule {rule.name!r} binds nothing: it has no heal action"
            hint = "autonomy is about healings; other actions run whenever the rule fires"
            place = (*path, index, "autonomy")
            yield Finding("SH105", document.problem(message, place, hint=hint, at_key=True))


def _takes_single_events(condition: Condition) -> bool:
    return condition.quantifier is Quantifier.ALL and len(condition.expressions) == 1


def _unsafe_steps(document: Document, path: KeyPath, solution: Solution) -> Iterator[Finding]:
    if solution.risk.level < Risk.MEDIUM.level:
        return
    for index, step in enumerate(solution.steps):
        if not step.rollback:
            message = f"step {step.name!r} of {solution.risk.value} risk has no rollback"
            hint = "add `rollback:`, or lower the risk if there is nothing to undo"
            yield Finding("SH101", document.problem(message, (*path, "steps", index), hint=hint))


def _unproven(document: Document, path: KeyPath, solution: Solution) -> Iterator[Finding]:
    if solution.strategy is not Strategy.MANUAL and not solution.validate:
        message = f"solution {solution.name!r} has no validation: nothing proves that it helped"
        hint = "add `validate:`, for example with an http or tcp check"
        yield Finding("SH102", document.problem(message, path, hint=hint))


def _unreachable(
    document: Document, path: KeyPath, solution: Solution, causes: list[str | None]
) -> Iterator[Finding]:
    if any(cause is None or fnmatchcase(cause, solution.root_cause) for cause in causes):
        return
    message = f"no rule heals a root cause that matches {solution.root_cause!r}"
    hint = f"root causes named by rules: {', '.join(sorted({str(c) for c in causes})) or 'none'}"
    yield Finding("SH103", document.problem(message, (*path, "root_cause"), hint=hint))
