"""An event source of a ruleset, and the filters its events pass."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from selfheal.model.rulebook import FilterSpec, SourceSpec
from selfheal.rulebook.schema.values import Mapping, Part
from selfheal.strict import refusal
from selfheal.yamlfile import describe

LEGACY_SOURCES = {
    f"ansible.eda.{name}": f"eda.builtin.{name}" for name in ("generic", "pg_listener", "range")
}
LEGACY_FILTERS = {
    f"ansible.eda.{name}": f"eda.builtin.{name}"
    for name in (
        "dashes_to_underscores",
        "insert_hosts_to_meta",
        "json_filter",
        "noop",
        "normalize_keys",
    )
}


def _source(value: Any) -> SourceSpec:
    name, args, rest = _only_entry(value, "source", beside=("name", "filters"))
    around = _Around.model_validate(rest)
    kind = LEGACY_SOURCES.get(name, name)
    return SourceSpec(around.name or kind, kind, args, tuple(around.filters))


def _filter(value: Any) -> FilterSpec:
    name, args, _ = _only_entry(value, "filter")
    return FilterSpec(LEGACY_FILTERS.get(name, name), args)


def _only_entry(
    value: Any, noun: str, beside: tuple[str, ...] = ()
) -> tuple[str, Mapping, Mapping]:
    """Return the one `type: arguments` of a mapping, and what stands beside it."""
    if not isinstance(value, dict):
        raise refusal(f"must be a {noun}, not {describe(value)}", "write `- TYPE:`, colon included")
    types = [key for key in value if key not in beside]
    if len(types) != 1:
        hint = "one TYPE a list item, with its arguments below it"
        raise refusal(f"a {noun} has exactly one type, here are {len(types)}", hint)
    args = value[types[0]]
    if not (args is None or isinstance(args, dict)):
        raise refusal(f"the arguments of {types[0]} must be a mapping, not {describe(args)}")
    return str(types[0]), args or {}, {key: value[key] for key in beside if key in value}


FilterValue = Annotated[FilterSpec, PlainValidator(_filter), WithJsonSchema({"type": "object"})]


class _Around(Part):
    """What may stand beside the type of a source."""

    name: str = ""
    filters: list[FilterValue] = Field(default_factory=list)


SourceValue = Annotated[SourceSpec, PlainValidator(_source), WithJsonSchema({"type": "object"})]
