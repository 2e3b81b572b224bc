"""Jinja values: sandboxed, undefined is an error, and what comes out is never a template again."""

from __future__ import annotations

import ast
import json
import math
import posixpath
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, Undefined, nodes
from jinja2.environment import TemplateExpression
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from selfheal.errors import TemplateError

_LONGEST_LITERAL = 4096
# What filters raise over a value that the author of the template did not foresee.
_WRONG_VALUE = (
    JinjaError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    RecursionError,
)


class _Environment(ImmutableSandboxedEnvironment):
    """A key of an event goes before a method of the same name: `event.values`, `event.items`."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _environment() -> _Environment:
    env = _Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    env.filters.update(
        basename=posixpath.basename,
        dirname=posixpath.dirname,
        # POSIX keeps two leading slashes; operators who normalize a path want one.
        normpath=lambda path: posixpath.normpath(str(path).replace("//", "/")),
        to_json=json.dumps,
        from_json=json.loads,
    )
    return env


_ENV = _environment()


def is_template(value: str) -> bool:
    """Tell whether `value` holds Jinja at all."""
    return "{{" in value or "{%" in value


def render(value: Any, context: Mapping[str, Any], *, literals: bool = False) -> Any:
    """Return `value` with the Jinja in its strings rendered, containers copied.

    A string that is one `{{ expression }}` becomes the expression's value with its type; any
    other template becomes text. With `literals` a text that came out of a template and spells a
    number, boolean, list or mapping in Python becomes that, as in ansible-rulebook. Keys are left
    alone. Raises `TemplateError`.
    """
    if isinstance(value, str):
        if not is_template(value):
            return value
        rendered = _render_text(value, context)
        return _literal(rendered) if literals and isinstance(rendered, str) else rendered
    if isinstance(value, Mapping):
        return {key: render(item, context, literals=literals) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render(item, context, literals=literals) for item in value]
    return value


def _literal(text: str) -> Any:
    """Return what a short text spells in Python if that is JSON, else the text."""
    if len(text) > _LONGEST_LITERAL:
        return text
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return value if _is_json(value) else text


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def check_syntax(value: str) -> None:
    """Raise `TemplateError` when `value` is no valid Jinja; variables are not looked up."""
    try:
        _ENV.parse(value)
    except JinjaError as error:
        raise TemplateError(f"{error} in {value!r}") from error


def _render_text(text: str, context: Mapping[str, Any]) -> Any:
    try:
        compiled = _compiled(text)
        if isinstance(compiled, Template):
            return compiled.render(context)
        result = compiled(**context)
    except _WRONG_VALUE as error:
        raise TemplateError(f"{error} in {text!r}") from error
    if isinstance(result, Undefined):
        raise TemplateError(f"{_undefined_message(result)} in {text!r}")
    if callable(result):
        raise TemplateError(f"{text!r} is a function, not a value")
    return result


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Template | TemplateExpression:
    """Return the template, or, when it is nothing but one expression, that. Rulebooks have few
    templates and render them for each event."""
    expression = _sole_expression(text)
    if expression is None:
        return _ENV.from_string(text)
    return _ENV.compile_expression(expression, undefined_to_none=False)


def _sole_expression(text: str) -> str | None:
    """Return the expression when the template is nothing but one, else None."""
    stripped = text.strip()
    body = _ENV.parse(stripped).body
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    if isinstance(body[0].nodes[0], nodes.TemplateData):
        return None
    inner = stripped[2:-2]
    return inner.removeprefix("-").removeprefix("+").removesuffix("-").removesuffix("+")


def _undefined_message(value: Undefined) -> str:
    try:
        return value._undefined_message
    except AttributeError:
        return "undefined variable"
