"""Where we do otherwise and mean it: general traits, never single recordings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmarks.conformance_kinds.e2e_run import Run
from selfheal.cli.exits import USAGE
from selfheal.model import Kind

_UNDEFINED = re.compile(r"is undefined|has no attribute|Undefined jinja variable")


def purpose(record: Mapping[str, Any], run: Run) -> str:
    """Return why the difference is meant, or nothing."""
    return next((reason for trait, reason in _TRAITS if trait(record, run)), "")


def _both_refuse(record: Mapping[str, Any], run: Run) -> bool:
    return record["exit_code"] == 1 and run.exit_code == USAGE and not record["firings"]


def _dies_of_undefined_variable(record: Mapping[str, Any], run: Run) -> bool:
    they_died = any("is undefined" in line for line in record["log"])
    return they_died and any(
        entry.kind is Kind.ACTION and _UNDEFINED.search(entry.data["message"])
        for entry in run.entries
    )


_TRAITS = (
    (
        _both_refuse,
        "both refuse; a wrong rulebook or argument is exit code 2 here, found before anything runs",
    ),
    (
        _dies_of_undefined_variable,
        "an undefined variable in an action ends the original; here that action has failed",
    ),
)
