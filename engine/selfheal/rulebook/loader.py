"""Rulebook files in, checked rulebooks out: refused whole, with everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from selfheal.errors import Problem, RulebookError
from selfheal.model import ActionSpec, ExecutionStrategy, Rule, Rulebook, Ruleset
from selfheal.rulebook.checks import check_document, rendered_name
from selfheal.rulebook.schema import RulesetPart
from selfheal.rulebook.schema.rule import RulePart
from selfheal.rulebook.variables import bind
from selfheal.yamlfile import Document, KeyPath, describe, format_path, problems_from, read_yaml

Variables = Mapping[str, Any]

_FILE = TypeAdapter(list[RulesetPart])


def load_rulebook(
    path: Path | str, *, playbooks: Path | None = None, variables: Variables | None = None
) -> Rulebook:
    """Return the rulebook of one file; raises one `RulebookError` with every problem in it.

    With `playbooks` each playbook and rollback of a solution must be a file in that folder. With
    `variables` (an empty mapping, too) conditions and rule names are bound to them; with None
    they stay as written, which is enough to look at a rulebook but not to run it.
    """
    rulebook = read_rulebook(path, playbooks=playbooks, variables=variables)
    return rulebook if variables is None else _bound(rulebook, variables)


def load_directory(
    path: Path | str, *, playbooks: Path | None = None, variables: Variables | None = None
) -> tuple[Rulebook, ...]:
    """Return the rulebooks `*.yml` and `*.yaml` of a folder by name, or that of a single file.

    Raises one `RulebookError` with the problems of all files; rulesets and solutions must not
    share a name, not even across files.
    """
    rulebooks: list[Rulebook] = []
    problems: list[Problem] = []
    for file in rulebook_files(path):
        try:
            rulebooks.append(load_rulebook(file, playbooks=playbooks, variables=variables))
        except RulebookError as error:
            problems.extend(error.problems)
    problems.extend(shared_names(rulebooks))
    if problems:
        raise RulebookError(problems)
    return tuple(rulebooks)


def rulebook_files(path: Path | str) -> list[Path]:
    """Return the rulebook files of a folder, sorted, or the file itself.

    Raises `RulebookError` when there is no such folder or file."""
    path = Path(path)
    if path.is_dir():
        found = (file for file in path.iterdir() if file.suffix in (".yml", ".yaml"))
        return sorted(file for file in found if file.is_file() and file.name[0] != ".")
    if not path.exists():
        raise RulebookError([Problem("there is no such rulebook", str(path))])
    return [path]


def read_rulebook(
    path: Path | str, *, playbooks: Path | None = None, variables: Variables | None = None
) -> Rulebook:
    """Like `load_rulebook`, checked against the variables but not bound to them."""
    document = read_yaml(path)
    problems = list(document.problems)
    rulesets: list[RulesetPart] = []
    if isinstance(document.value, list) and document.value:
        problems += check_document(document, playbooks, variables)
        try:
            rulesets = _FILE.validate_python(document.value, context=variables)
        except ValidationError as error:
            problems += problems_from(error, document)
    elif not problems:
        problems.append(_no_rulebook(document))
    if problems:
        raise RulebookError(_in_order(problems))
    parts = tuple(_ruleset(document, (i,), part) for i, part in enumerate(rulesets))
    return Rulebook(str(path), parts, document.digest)


def _no_rulebook(document: Document) -> Problem:
    found = f"must be a list of rulesets, not {describe(document.value)}"
    message = f"a rulebook {found}" if document.value else "the rulebook is empty"
    return document.problem(message, (), hint="begin with `- name:`")


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda problem: (problem.line, problem.column))


def _ruleset(document: Document, path: KeyPath, part: RulesetPart) -> Ruleset:
    name, hosts = part.name.strip(), (part.hosts,)
    rules = (_rule(document, (*path, "rules", i), rule) for i, rule in enumerate(part.rules))
    ruleset = Ruleset(
        name=name,
        hosts=hosts,
        sources=tuple(part.sources),
        rules=tuple(rules),
        gather_facts=part.gather_facts,
        match_multiple_rules=part.match_multiple_rules,
        solutions=tuple(solution.noun(name, hosts) for solution in part.solutions),
        place=document.place(path),
    )
    if part.execution_strategy:
        ruleset = replace(ruleset, execution_strategy=ExecutionStrategy(part.execution_strategy))
    if ttl := part.default_events_ttl:
        return replace(ruleset, default_events_ttl=ttl.seconds, default_events_ttl_text=ttl.text)
    return ruleset


def _rule(document: Document, path: KeyPath, part: RulePart) -> Rule:
    written = {(*path, "action"): part.action}
    if part.actions is not None:
        written = {(*path, "actions", i): action for i, action in enumerate(part.actions)}
    actions = (
        ActionSpec(action.name, action.args, document.place(place))
        for place, action in written.items()
    )
    return Rule(
        name=part.name,
        condition=part.condition,
        actions=tuple(actions),
        enabled=part.enabled,
        throttle=part.throttle.noun() if part.throttle else None,
        condition_text=_condition_text(document, (*path, "condition")),
        place=document.place(path),
        autonomy=part.autonomy,
    )


def _condition_text(document: Document, path: KeyPath) -> str:
    written: Any = document.value
    for key in path:
        written = written[key]
    if not isinstance(written, dict):
        return str(written).lower() if isinstance(written, bool) else str(written)
    return "; ".join(
        f"{key}: {', '.join(value) if isinstance(value, list) else value}"
        for key, value in written.items()
    )


def _bound(rulebook: Rulebook, variables: Variables) -> Rulebook:
    def rule(item: Rule) -> Rule:
        name = rendered_name(item.name, variables)
        return replace(item, name=name, condition=bind(item.condition, variables))

    rulesets = (
        replace(ruleset, rules=tuple(rule(item) for item in ruleset.rules))
        for ruleset in rulebook.rulesets
    )
    return replace(rulebook, rulesets=tuple(rulesets))


def shared_names(rulebooks: Iterable[Rulebook]) -> Iterator[Problem]:
    """Yield a problem for each ruleset or solution whose name another file has taken."""
    first: dict[tuple[str, str], str] = {}
    for rulebook in rulebooks:
        for number, ruleset in enumerate(rulebook.rulesets):
            names = [("ruleset", ruleset.name)]
            names += [("solution", solution.name) for solution in ruleset.solutions]
            for noun, name in names:
                other = first.setdefault((noun, name), rulebook.path)
                if other != rulebook.path:
                    yield Problem(
                        f"{noun} {name!r} is also defined in {other}",
                        rulebook.path,
                        path=format_path((number,)),
                        hint="give each its own name",
                    )
