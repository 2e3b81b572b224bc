"""The proofs that a fault is gone, and what each kind takes.

These models check what is written, Jinja included; what comes out of the rendering is checked
again by the recovery stage before each proof.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, ValidationError, WithJsonSchema

from selfheal.model.solution import Validation
from selfheal.rulebook.schema.values import (
    Mapping,
    Part,
    Seconds,
    TemplatedInteger,
    TemplatedNumber,
    Text,
    TextOrTexts,
    absent,
)
from selfheal.strict import below, refusal, refusal_at
from selfheal.yamlfile import describe, did_you_mean


def _statuses(value: Any) -> Any:
    codes = value if isinstance(value, list) else [value]
    if codes and all(isinstance(code, int | str) and not isinstance(code, bool) for code in codes):
        return value
    raise refusal(f"must be a status code or a list of them, not {describe(value)}")


Statuses = Annotated[Any, PlainValidator(_statuses), WithJsonSchema({"type": ["integer", "array"]})]


class HttpArgs(Part):
    """A URL answers as it should."""

    url: Text
    method: Text = "GET"
    status: Statuses = 200
    contains: Text = ""
    regex: Text = ""
    json_: Mapping = Field(default_factory=dict, alias="json")
    headers: Mapping = Field(default_factory=dict)
    body: Text = ""
    verify: bool = True
    ca: Text = ""
    follow_redirects: bool = False


class TcpArgs(Part):
    """A port takes a connection, and answers if asked to."""

    host: Text = ""
    port: TemplatedInteger = 0
    address: Text = ""
    send: Text = ""
    expect: Text = ""
    tls: bool = False


class PromqlArgs(Part):
    """Prometheus says so."""

    expr: Text
    url: Text = ""
    op: Literal["==", "!=", "<", "<=", ">", ">="] = absent()
    value: TemplatedNumber = None
    headers: Mapping = Field(default_factory=dict)
    verify: bool = True


class CommandArgs(Part):
    """A program on the engine's machine ends as it should."""

    argv: TextOrTexts
    rc: int = 0
    regex: Text = ""
    chdir: Text = ""


class PlaybookArgs(Part):
    """A playbook that checks runs without a failure."""

    name: Text
    vars: Mapping = Field(default_factory=dict)
    limit: Text = ""


class EventArgs(Part):
    """The world itself says that the fault is over: a `resolve` action fired."""


KINDS: dict[str, type[Part]] = {
    "command": CommandArgs,
    "event": EventArgs,
    "http": HttpArgs,
    "playbook": PlaybookArgs,
    "promql": PromqlArgs,
    "tcp": TcpArgs,
}


def _positive(value: float) -> float:
    if value <= 0:
        raise refusal("must be longer than nothing")
    return value


Period = Annotated[Seconds, AfterValidator(_positive)]


class Around(Part):
    """What stands beside the kind of a validation."""

    stable_for: Seconds = 0.0
    within: Period = 30.0
    retries: int = absent(ge=1)
    interval: Period = 1.0
    timeout: Period = 5.0


def _validation(value: Any) -> Validation:
    if not isinstance(value, dict):
        raise refusal(f"must be a validation, not {describe(value)}", f"write one of {_kinds()}")
    kinds = [key for key in value if key in KINDS]
    if len(kinds) != 1:
        unknown = [key for key in value if key not in Around.model_fields and key not in KINDS]
        if unknown and not kinds:
            message = f"unknown kind of validation {unknown[0]!r}"
            raise refusal_at(unknown[0], value, message, did_you_mean(unknown[0], KINDS))
        raise refusal(f"a validation has exactly one kind: one of {_kinds()}")
    kind, args = kinds[0], value[kinds[0]]
    if args is None and kind == "event":
        args = {}
    around = Around.model_validate({key: value[key] for key in value if key != kind})
    try:
        KINDS[kind].model_validate(args)
    except ValidationError as error:
        raise below(kind, error) from None
    if around.stable_for > around.within:
        raise refusal_at("within", value, "is shorter than stable_for, so it can never hold")
    return Validation(kind, args, **around.model_dump())


def _kinds() -> str:
    return ", ".join(KINDS)


ValidationValue = Annotated[
    Validation, PlainValidator(_validation), WithJsonSchema({"type": "object"})
]
