"""What event data may not steer: which playbook or module runs, with which options, as whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from selfheal.errors import ActionError
from selfheal.provenance import NAME, by_author, free_of

Args = Mapping[str, Any]

# Beyond these a word could end, or an option begin, where Ansible splits text into words.
_UNSAFE_IN_WORDS = re.compile(r"[^\w.:/@+,%-]|^-+", re.ASCII)
_OPTION = re.compile(r"^-+")
_WORDS = ("command", "shell", "raw", "script", "expect", "win_command", "win_shell")


def refuse_steering(action: str, raw: Args, rendered: Args, variables: Args) -> None:
    """Raise ActionError when event data would steer `action` instead of filling in a value."""
    if check := _CHECKS.get(action):
        check(raw, rendered, variables)


def _playbook(raw: Args, rendered: Args, variables: Args) -> None:
    name = rendered.get("name")
    if not by_author(raw.get("name"), name, variables) and not NAME.fullmatch(str(name)):
        raise ActionError("argument name: an event may name a file in playbooks/, not a path")
    _extra_vars(raw, rendered, variables)


def _module(raw: Args, rendered: Args, variables: Args) -> None:
    if not by_author(raw.get("name"), rendered.get("name"), variables):
        raise ActionError("argument name: an event may not choose the module")
    _extra_vars(raw, rendered, variables)
    given, args = raw.get("module_args"), rendered.get("module_args")
    if isinstance(args, str) and not free_of(_UNSAFE_IN_WORDS, given, args, variables):
        raise ActionError(
            "argument module_args: event data with spaces, quotes or = could add options here; "
            "write module_args as a mapping"
        )
    if isinstance(args, Mapping):
        _module_options(str(rendered.get("name")), given, args, variables)


def _module_options(name: str, given: Any, args: Args, variables: Args) -> None:
    if not isinstance(given, Mapping):
        if not by_author(given, args, variables):
            raise ActionError("argument module_args: an event may not choose the options")
        return
    if name.rpartition(".")[2] not in _WORDS:
        return
    for key, value in args.items():
        harmful = _OPTION if key == "argv" else _UNSAFE_IN_WORDS
        if key != "stdin" and not free_of(harmful, given.get(key), value, variables):
            raise ActionError(
                f"argument module_args: event data could become a word or an option of {key}; "
                "give it in stdin, or use a playbook that quotes it"
            )


def _extra_vars(raw: Args, rendered: Args, variables: Args) -> None:
    given, args = raw.get("extra_vars"), rendered.get("extra_vars")
    if not isinstance(args, Mapping):
        return
    written = given if isinstance(given, Mapping) else {}
    for name, value in args.items():
        if not str(name).startswith("ansible_"):
            continue
        known = by_author(written.get(name), value, variables) if written else False
        if not known and not by_author(given, args, variables):
            raise ActionError(f"argument extra_vars: an event may not set {name}")


def _template(raw: Args, rendered: Args, variables: Args) -> None:
    given, args = raw.get("job_args"), rendered.get("job_args")
    if not isinstance(args, Mapping) or by_author(given, args, variables):
        return
    if not isinstance(given, Mapping):
        raise ActionError("argument job_args: an event may not choose them")
    _extra_vars(given, args, variables)
    limit = args.get("limit")
    if not by_author(given.get("limit"), limit, variables) and not NAME.fullmatch(str(limit)):
        raise ActionError(f"argument job_args.limit: {str(limit)[:60]!r} is no host name")


def _pg_notify(raw: Args, rendered: Args, variables: Args) -> None:
    if not by_author(raw.get("dsn"), rendered.get("dsn"), variables):
        raise ActionError("argument dsn: an event may not choose the database")


_CHECKS: Mapping[str, Callable[[Args, Args, Args], None]] = {
    "run_playbook": _playbook,
    "run_module": _module,
    "run_job_template": _template,
    "run_workflow_template": _template,
    "pg_notify": _pg_notify,
}
