"""The actions of a rule and what each takes: ansible-rulebook's by its own rules, and ours."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, PlainValidator, ValidationError, WithJsonSchema

from selfheal.model.fault import Severity
from selfheal.rulebook.schema.values import (
    Mapping,
    Name,
    Part,
    Seconds,
    Text,
    TextOrMapping,
    TextOrTexts,
)
from selfheal.strict import below, refusal, refusal_at
from selfheal.templates import is_template
from selfheal.yamlfile import Vaulted, describe, did_you_mean


class NoneArgs(Part):
    """Do nothing."""

    model_config = ConfigDict(extra="allow")


class DebugArgs(Part):
    """Print a message, one variable, or all that is known."""

    msg: TextOrTexts = None
    var: Text = ""


class PrintEventArgs(Part):
    """Print the event."""

    pretty: bool = False
    var_root: TextOrMapping = None


class SetFactArgs(Part):
    """Keep a fact."""

    fact: Mapping
    ruleset: Text = ""


class RetractFactArgs(SetFactArgs):
    """Forget a fact."""

    partial: bool = True


class PostEventArgs(Part):
    """Post an event to a ruleset."""

    event: Mapping
    ruleset: Text = ""


class ShutdownArgs(Part):
    """End the engine."""

    delay: float = 60.0
    message: Text = ""
    kind: Literal["graceful", "now"] = "graceful"


class _RunArgs(Part):
    name: Text
    post_events: bool = False
    set_facts: bool = False
    verbosity: int = 0
    var_root: TextOrMapping = None
    json_mode: bool = False
    retry: bool = False
    retries: int = 0
    delay: float = 0.0
    extra_vars: Mapping = Field(default_factory=dict)
    lock: Text = ""
    timeout: Seconds = 3600.0


class RunPlaybookArgs(_RunArgs):
    """Run a playbook by Ansible."""

    copy_files: bool = False
    ruleset: Text = ""


class RunModuleArgs(_RunArgs):
    """Run one Ansible module."""

    module_args: TextOrMapping = None


class RunTemplateArgs(Part):
    """Launch a job or workflow template of an automation controller."""

    name: Text
    organization: Text
    job_args: Mapping = Field(default_factory=dict)
    post_events: bool = False
    set_facts: bool = False
    ruleset: Text = ""
    var_root: Text = ""
    retry: bool = False
    retries: int = 0
    delay: int = 0
    include_events: bool = True
    lock: Text = ""
    timeout: Seconds = 3600.0
    labels: list[Text] = Field(default_factory=list)
    add_event_uuid_label: bool = False


class PgNotifyArgs(Part):
    """Send an event through PostgreSQL's NOTIFY."""

    dsn: Text
    channel: Text
    event: TextOrMapping
    remove_meta: bool = False


def _severity(value: Any) -> Any:
    known = [member.value for member in Severity]
    if isinstance(value, Vaulted) or (isinstance(value, str) and is_template(value)):
        return value
    if value not in known:
        raise refusal(f"must be one of {', '.join(known)}", did_you_mean(value, known))
    return value


class HealArgs(Part):
    """Open a fault and heal it."""

    fault: Name
    component: Name
    severity: Annotated[Any, PlainValidator(_severity), WithJsonSchema({"type": "string"})] = ""
    target: Text = ""
    message: Text = ""
    root_cause: Text = ""
    fingerprint: Text = ""
    starts_at: Any = None
    labels: TextOrMapping = None
    metadata: TextOrMapping = None


class ResolveArgs(Part):
    """Tell that the faults of a component are over."""

    component: Name
    target: Text = ""


ACTIONS: dict[str, type[Part]] = {
    "none": NoneArgs,
    "debug": DebugArgs,
    "print_event": PrintEventArgs,
    "set_fact": SetFactArgs,
    "retract_fact": RetractFactArgs,
    "post_event": PostEventArgs,
    "shutdown": ShutdownArgs,
    "run_playbook": RunPlaybookArgs,
    "run_module": RunModuleArgs,
    "run_job_template": RunTemplateArgs,
    "run_workflow_template": RunTemplateArgs,
    "pg_notify": PgNotifyArgs,
    "heal": HealArgs,
    "resolve": ResolveArgs,
}
_NEED_NOTHING = ("none", "debug", "print_event", "shutdown")


class WrittenAction(NamedTuple):
    """An action that was checked, its arguments as written."""

    name: str
    args: Mapping


def _action(value: Any) -> WrittenAction:
    if isinstance(value, str) and value in ACTIONS:
        raise refusal("an action is a mapping, not a text", f"write `{value}:`, colon included")
    if not isinstance(value, dict):
        raise refusal(
            f"must be an action, not {describe(value)}", "write `NAME:` and its arguments"
        )
    if len(value) != 1:
        hint = "to do several things write `actions:` and a list"
        raise refusal(f"one action has one name, here are {len(value)}", hint)
    [(name, args)] = value.items()
    if name not in ACTIONS:
        hint = did_you_mean(name, ACTIONS)
        raise refusal_at(name, args, f"unknown action {name!r}", hint)
    if args is None and name in _NEED_NOTHING:
        return WrittenAction(name, {})
    _check_arguments(name, args)
    return WrittenAction(name, args)


def _check_arguments(name: str, args: Any) -> None:
    try:
        ACTIONS[name].model_validate(args)
    except ValidationError as error:
        raise below(name, error) from None
    if name == "debug" and "msg" in args and "var" in args:
        raise refusal_at(name, args, "debug takes msg or var, not both")


ActionValue = Annotated[WrittenAction, PlainValidator(_action), WithJsonSchema({"type": "object"})]
