"""What no single key can tell: names that are taken, files that are missing, Jinja that is broken.

Works on the data as written and takes any shape, so that these problems are shown beside those
of the schema, all at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from selfheal.errors import Problem, TemplateError
from selfheal.templates import check_syntax, is_template, render
from selfheal.yamlfile import Document, KeyPath, did_you_mean


class Node(NamedTuple):
    """A mapping in the document and its place."""

    path: KeyPath
    value: Mapping[Any, Any]


def check_document(
    document: Document, playbooks: Path | None, variables: Mapping[str, Any] | None
) -> Iterator[Problem]:
    """Yield every problem that the schema does not see."""
    rulesets = list(entries(document.value, ()))
    yield from _taken_names(document, rulesets, "ruleset", strip=True)
    solutions = [node for ruleset in rulesets for node in below(ruleset, "solutions")]
    yield from _taken_names(document, solutions, "solution")
    for ruleset in rulesets:
        yield from _incomplete_ruleset(document, ruleset)
        rules = list(below(ruleset, "rules"))
        yield from _unrenderable_names(document, rules, variables)
        yield from _taken_names(document, rules, "rule", variables)
        for rule in rules:
            yield from _one_action_key(document, rule)
    for solution in solutions:
        yield from _runbook(document, solution, playbooks)
    yield from _broken_jinja(document, document.value, ())


def entries(value: Any, path: KeyPath) -> Iterator[Node]:
    """Yield the mappings of a list."""
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, Mapping):
            yield Node((*path, index), item)


def below(node: Node, key: str) -> Iterator[Node]:
    """Yield the mappings of the list at `key`."""
    return entries(node.value.get(key), (*node.path, key))


def rendered_name(name: str, variables: Mapping[str, Any] | None) -> str:
    """Return a rule's name with its Jinja rendered, or as written without variables."""
    return str(render(name, variables)) if variables is not None else name


def _taken_names(
    document: Document,
    nodes: list[Node],
    noun: str,
    variables: Mapping[str, Any] | None = None,
    *,
    strip: bool = False,
) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for node in nodes:
        name = node.value.get("name")
        if not isinstance(name, str):
            continue
        try:
            name = rendered_name(name, variables)
        except TemplateError:
            continue  # _unrenderable_names tells
        name, path = name.strip() if strip else name, (*node.path, "name")
        if name in first:
            line = document.position(first[name]).line
            message = f"{noun} {name!r} is defined twice, first in line {line}"
            yield document.problem(message, path, hint="give each its own name")
        first.setdefault(name, path)


def _unrenderable_names(
    document: Document, rules: list[Node], variables: Mapping[str, Any] | None
) -> Iterator[Problem]:
    for rule in rules:
        name = rule.value.get("name")
        if isinstance(name, str) and variables is not None and _is_sound(name):
            try:
                rendered_name(name, variables)
            except TemplateError as error:
                yield document.problem(str(error), (*rule.path, "name"))


def _is_sound(template: str) -> bool:
    try:
        check_syntax(template)
    except TemplateError:
        return False
    return True


def _incomplete_ruleset(document: Document, ruleset: Node) -> Iterator[Problem]:
    if "solutions" not in ruleset.value:
        for key in ("sources", "rules"):
            if key not in ruleset.value:
                hint = "only a ruleset with solutions may leave it out"
                yield document.problem(f"the key {key!r} is missing", ruleset.path, hint=hint)


def _one_action_key(document: Document, rule: Node) -> Iterator[Problem]:
    written = [key for key in ("action", "actions") if key in rule.value]
    if not written:
        hint = "to do nothing write `action: {none: }`"
        yield document.problem("the rule has no action", rule.path, hint=hint)
    if len(written) == 2:
        message = "a rule has either 'action' or 'actions', not both"
        yield document.problem(message, (*rule.path, "action"), at_key=True)


def _runbook(document: Document, solution: Node, playbooks: Path | None) -> Iterator[Problem]:
    steps = list(below(solution, "steps"))
    is_manual = solution.value.get("strategy") == "manual"
    if is_manual and steps:
        message = "a manual solution tells a human; it has no steps"
        hint = "remove the steps, or choose another strategy"
        yield document.problem(message, (*solution.path, "steps"), hint=hint, at_key=True)
    if not is_manual and not solution.value.get("steps"):
        hint = "only `strategy: manual` has none"
        yield document.problem("the solution has no steps", solution.path, hint=hint)
    yield from _taken_names(document, steps, "step")
    for step in steps:
        for key in ("playbook", "rollback"):
            yield from _missing_file(document, step, key, key, playbooks)
    for validation in below(solution, "validate"):
        playbook = validation.value.get("playbook")
        if isinstance(playbook, Mapping):
            node = Node((*validation.path, "playbook"), playbook)
            yield from _missing_file(document, node, "name", "playbook", playbooks)


def _missing_file(
    document: Document, node: Node, key: str, noun: str, playbooks: Path | None
) -> Iterator[Problem]:
    name = node.value.get(key)
    if playbooks is None or not isinstance(name, str) or not name or is_template(name):
        return
    if "\0" in name or not (playbooks / name).is_file():
        known = [file.name for file in sorted(playbooks.glob("*.y*ml"))]
        hint = did_you_mean(name, known) or f"it is looked for in {playbooks}"
        yield document.problem(f"{noun} file {name!r} is missing", (*node.path, key), hint=hint)


def _broken_jinja(document: Document, value: Any, path: KeyPath) -> Iterator[Problem]:
    if isinstance(value, str) and is_template(value) and "condition" not in path:
        try:
            check_syntax(value)
        except TemplateError as error:
            yield document.problem(f"broken Jinja: {error}", path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _broken_jinja(document, item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _broken_jinja(document, item, (*path, index))
