"""The rulebooks an engine runs: loaded together, with the plugins they name, or refused whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from selfheal.clock import SystemClock
from selfheal.config import Project
from selfheal.daemon.known_secrets import learn_arguments, learn_project
from selfheal.daemon.options import Options
from selfheal.daemon.vault import holds_encrypted
from selfheal.errors import ConditionError, ConfigError, Problem, RulebookError, SourceError
from selfheal.filters import Filter, load_filters
from selfheal.masking import Secrets
from selfheal.model import Rule, Rulebook, Ruleset, Solution, SourceSpec
from selfheal.plugin_lookup import Places
from selfheal.rulebook import load_directory
from selfheal.rules import build_matcher
from selfheal.sources import Source, load_source, render_args


@dataclass(frozen=True, slots=True)
class ReadySource:
    """A source whose plugin, filters and arguments were found good."""

    spec: SourceSpec
    """As the rulebook has it."""
    source: Source
    """Its plugin."""
    filters: tuple[Filter, ...]
    """Its filters, in order."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One consistent set of rulebooks: it runs whole or not at all."""

    rulebooks: tuple[Rulebook, ...]
    """What was loaded."""
    sources: Mapping[str, tuple[ReadySource, ...]]
    """Ruleset name to its sources."""

    @property
    def rulesets(self) -> Iterator[Ruleset]:
        """All rulesets, in order."""
        return (ruleset for book in self.rulebooks for ruleset in book.rulesets)

    def rule(self, ruleset: str, name: str) -> Rule | None:
        """Return a rule by name; None when there is no such rule."""
        rules = (rule for one in self.rulesets if one.name == ruleset for rule in one.rules)
        return next((rule for rule in rules if rule.name == name), None)

    @property
    def solutions(self) -> tuple[Solution, ...]:
        """The knowledge base."""
        return tuple(one for ruleset in self.rulesets for one in ruleset.solutions)


def load_edition(
    project: Project, paths: Sequence[Path] = (), options: Options | None = None
) -> Edition:
    """Load the rulebooks at `paths`, or the project's.

    Raises `RulebookError` with every problem of every file; nothing of it then runs.
    """
    variables, options = project.config.vars, options or Options()
    learn_project(options.secrets, project)
    books: list[Rulebook] = []
    problems: list[Problem] = []
    for path in paths or [project.rulebooks]:
        try:
            books += load_directory(path, playbooks=project.playbooks, variables=variables)
        except RulebookError as error:
            problems += error.problems
    problems += _doubles(books)
    books = [_settled(book, options, problems) for book in books]
    sources: dict[str, tuple[ReadySource, ...]] = {}
    for book in books:
        for ruleset in book.rulesets:
            sources[ruleset.name] = tuple(_ready(book, ruleset, variables, options, problems))
            problems += _unmatchable(book, ruleset, variables)
    if problems:
        raise RulebookError(problems)
    return Edition(tuple(books), sources)


def _settled(book: Rulebook, options: Options, problems: list[Problem]) -> Rulebook:
    """Fill in what the file leaves to the command line: the strategy, and passwords of vaults."""
    try:
        _refuse_secret_steps(book)
        rulesets = tuple(_settled_ruleset(ruleset, options, book.path) for ruleset in book.rulesets)
        return replace(book, rulesets=rulesets)
    except ConfigError as error:
        problems += error.problems
        return book


def _refuse_secret_steps(book: Rulebook) -> None:
    """A healing is recorded with its solution, so a solution must hold no secret."""
    solutions = [one for ruleset in book.rulesets for one in ruleset.solutions]
    hint = (
        "give it as an encrypted or environment variable and write {{ vars.NAME }}, or put it "
        "into Ansible's own encrypted group_vars"
    )
    problems = [
        Problem(f"{what} of solution {one.name!r} has {why}", file=book.path, hint=hint)
        for one in solutions
        for what, data in _recorded_parts(one)
        if (why := _secret_in(data))
    ]
    if problems:
        raise ConfigError(problems)


def _recorded_parts(solution: Solution) -> Iterator[tuple[str, Any]]:
    for step in solution.steps:
        yield f"step {step.name!r}", step.vars
    for validation in solution.validate:
        yield f"validation {validation.kind!r}", validation.args


def _secret_in(data: Any) -> str:
    """Return what is wrong with recording `data`; empty when nothing is."""
    if holds_encrypted(data):
        return "an encrypted value"
    found = Secrets()
    learn_arguments(found, data, "solution")
    return "a secret in clear" if found.count else ""


def _settled_ruleset(ruleset: Ruleset, options: Options, file: str) -> Ruleset:
    def opened(part: Any, place: str = file) -> Any:
        return replace(part, args=options.vault.reveal(part.args, place))

    sources = (
        replace(opened(source), filters=tuple(opened(one) for one in source.filters))
        for source in ruleset.sources
    )
    for rule in ruleset.rules:
        for action in rule.actions:
            learn_arguments(options.secrets, action.args, action.place)
    rules = (
        replace(rule, actions=tuple(opened(action, action.place) for action in rule.actions))
        for rule in ruleset.rules
    )
    return replace(
        ruleset,
        sources=tuple(sources),
        rules=tuple(rules),
        execution_strategy=ruleset.execution_strategy or options.strategy,
    )


def _ready(
    book: Rulebook,
    ruleset: Ruleset,
    variables: Mapping[str, Any],
    options: Options,
    problems: list[Problem],
) -> Iterator[ReadySource]:
    places = Places(rulebook_dir=Path(book.path).parent, plugin_dirs=options.plugin_dirs)
    for spec in ruleset.sources:
        try:
            source = load_source(spec.type, places)
            args = render_args(spec, variables)
            learn_arguments(options.secrets, args, f"{book.path}: source {spec.name}")
            source.check(args)
            yield ReadySource(spec, source, load_filters(spec, places, variables))
        except SourceError as error:
            path = f"ruleset {ruleset.name!r}, source {spec.name!r}"
            problems.append(Problem(str(error), file=book.path, path=path))


def _unmatchable(
    book: Rulebook, ruleset: Ruleset, variables: Mapping[str, Any]
) -> Iterator[Problem]:
    """What only the matching can tell, such as a pattern that is no regular expression."""
    try:
        build_matcher(ruleset, variables, SystemClock(), "python").close()
    except ConditionError as error:
        yield Problem(str(error), file=book.path, path=f"ruleset {ruleset.name!r}", hint=error.hint)


def _doubles(books: Iterable[Rulebook]) -> Iterator[Problem]:
    """Rulesets are addressed by name (post_event, emit), so names are unique over all files."""
    seen: dict[str, str] = {}
    for book in books:
        for ruleset in book.rulesets:
            if (other := seen.setdefault(ruleset.name, book.path)) != book.path:
                yield Problem(
                    f"ruleset {ruleset.name!r} is defined in {other}, too",
                    file=book.path,
                    hint="give each ruleset a name of its own",
                )
