"""From a firing and the arguments of `heal` to a fault; what comes from events is only data."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from selfheal.actions.arguments import Args, mapping, text
from selfheal.actions.context import ActionContext
from selfheal.actions.key_path import value_at
from selfheal.errors import ActionError
from selfheal.model import Fault, Severity, fingerprint_of, new_id

_LONGEST_NAME = 255
_LONGEST_MESSAGE = 500
_MOST_LABELS = 64
_LARGEST_METADATA = 64 * 1024  # bytes of JSON
_MESSAGES = ("alert.annotations.summary", "alert.annotations.description", "message")


def fault_of(args: Args, context: ActionContext) -> Fault:
    """Return the fault that the firing reports. Raises ActionError."""
    firing = context.firing
    event = first_event(context)
    kind, component = name(args, "fault"), name(args, "component")
    target = target_of(args, context)
    if not target and args.get("target") is not None:
        raise ActionError("argument target is empty; leave it out for a fault without a target")
    return Fault(
        id=new_id("ft"),
        fingerprint=name(args, "fingerprint", "")
        or _fingerprint(event, firing.ruleset, component, kind, target),
        type=kind,
        severity=_severity(text(args, "severity", Severity.ERROR.value)),
        component=component,
        target=target,
        message=_message(args, event, f"{kind} of {component}"),
        # The firing's time, not this moment's: repeated after a crash it is the same fault.
        starts_at=_starts_at(args.get("starts_at") or _alert_text(event, "startsAt"), firing.at),
        last_seen=firing.at,
        root_cause=name(args, "root_cause", ""),
        labels=_labels(args, event),
        metadata=_metadata(context.matches, mapping(args, "metadata")),
        ruleset=firing.ruleset,
        rule=firing.rule,
        event_id=firing.event_ids[0] if firing.event_ids else "",
    )


def first_event(context: ActionContext) -> Mapping[str, Any]:
    """The event that matched; of several the first that is an alert, else the first."""
    events = list(context.firing.matches.values())
    alerts = [event for event in events if isinstance(event.get("alert"), Mapping)]
    return next(iter([*alerts, *events]), {})


def target_of(args: Args, context: ActionContext) -> str:
    """`target`, else the alert's instance, else the first host of `meta.hosts`, else empty."""
    event = first_event(context)
    instance = value_at(event, "alert.labels.instance", None)
    hosts = value_at(event, "meta.hosts", None)
    first_host = hosts[0] if isinstance(hosts, list) and hosts else hosts
    found = next((item for item in (instance, first_host) if item and isinstance(item, str)), "")
    return name(args, "target", found)


def name(args: Args, key: str, default: str | None = None) -> str:
    """A one-line argument that names something. Too long is refused: cut, it would name another."""
    value = one_line(text(args, key, default))
    if len(value) > _LONGEST_NAME:
        raise ActionError(f"argument {key} is longer than {_LONGEST_NAME} characters")
    if not value and default is None:
        raise ActionError(f"argument {key} is empty")
    return value


def one_line(value: str) -> str:
    """Control and invisible characters become spaces, runs of spaces one."""
    visible = "".join(" " if unicodedata.category(char)[0] == "C" else char for char in value)
    return " ".join(visible.split())


def _fingerprint(event: Mapping[str, Any], *what: str) -> str:
    """An alert's own fingerprint is only a part of it: one alert may report several faults."""
    alert = _alert_text(event, "fingerprint")
    return fingerprint_of(*what, *([alert] if alert else []))


def _alert_text(event: Mapping[str, Any], key: str) -> str:
    found = value_at(event, f"alert.{key}", "")
    return found if isinstance(found, str) else ""


def _severity(given: str) -> Severity:
    try:
        return Severity(given.strip().lower())
    except ValueError:
        known = ", ".join(severity.value for severity in Severity)
        raise ActionError(f"argument severity must be one of {known}, not {given!r}") from None


def _message(args: Args, event: Mapping[str, Any], otherwise: str) -> str:
    found = [value_at(event, path, None) for path in _MESSAGES]
    default = next((item for item in found if item and isinstance(item, str)), otherwise)
    message = one_line(text(args, "message", default))
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[: _LONGEST_MESSAGE - 1]}…"


def _starts_at(given: Any, otherwise: float) -> float:
    """Unix time, or RFC 3339 as Alertmanager writes it."""
    if given in ("", None):
        return otherwise
    try:
        moment = (
            datetime.fromisoformat(given).timestamp() if isinstance(given, str) else float(given)
        )
    except (ValueError, TypeError, OverflowError, OSError):
        moment = math.nan
    if not math.isfinite(moment):
        raise ActionError(f"starts_at {str(given)[:40]!r} is no time: write RFC 3339 or Unix time")
    return moment


def _labels(args: Args, event: Mapping[str, Any]) -> dict[str, str]:
    alert = value_at(event, "alert.labels", {})
    labels = mapping(args, "labels") or (alert if isinstance(alert, Mapping) else {})
    kept = list(labels.items())[:_MOST_LABELS]
    return {
        one_line(str(key))[:_LONGEST_NAME]: one_line(str(value))[:_LONGEST_NAME]
        for key, value in kept
    }


def _metadata(matches: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """What matched beside what the rule adds; of too large a match only the keys that fit, and a
    note that some did not. Raises ActionError when what the rule adds is too large."""
    if _size(more) > _LARGEST_METADATA:
        raise ActionError(f"argument metadata is larger than {_LARGEST_METADATA} bytes")
    ((kind, body),) = matches.items()
    return {**more, **_fitting(kind, body)}


def _fitting(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    if _size(body) <= _LARGEST_METADATA:
        return {kind: body}
    kept: dict[str, Any] = {}
    left = _LARGEST_METADATA
    for key, value in body.items():
        size = _size({key: value})
        if size <= left:
            kept[key] = value
            left -= size
    return {kind: kept, "cut": True}


def _size(value: Any) -> int:
    return len(json.dumps(value, default=str))
