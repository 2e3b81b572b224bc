"""Which join engine serves: durable_rules where it works, Python everywhere else."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

from selfheal.errors import JoinEngineError, MissingExtraError
from selfheal.rules.join import JoinEngine, Link, Shape
from selfheal.rules.join_durable import DurableJoin
from selfheal.rules.join_python import PythonJoin

CHOICES = ("auto", "durable", "python")
"""What `engine` may say."""


def open_join_engine(shapes: Sequence[Shape], choice: str = "auto") -> JoinEngine:
    """Return the engine; `auto` takes durable_rules when it is installed and its child starts.

    Raises `MissingExtraError` or `JoinEngineError` when `durable` is asked for and can't be, and
    ValueError for another choice.
    """
    if choice not in CHOICES:
        raise ValueError(f"engine is {choice!r}; it must be one of {', '.join(CHOICES)}")
    if choice == "python" or not shapes:
        return PythonJoin(shapes)
    if not _is_installed():
        if choice == "durable":
            raise MissingExtraError("the join engine durable_rules", "durable")
        return PythonJoin(shapes)
    try:
        return DurableJoin(shapes)
    except JoinEngineError:
        if choice == "durable":
            raise
        return PythonJoin(shapes)


def describe_join_engine() -> str:
    """Return which engine `auto` takes here, and why, in one line."""
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if not _is_installed():
        return (
            f"python: durable-rules is not installed (extra durable; needs a C compiler, {version})"
        )
    try:
        engine = DurableJoin([Shape(0, 2, (Link("r0s1t0", 0, 1),))])
    except JoinEngineError as error:
        return f"python: durable-rules is installed but its child does not start ({error})"
    engine.close()
    return "durable: durable-rules joins events, in a child process of its own"


def _is_installed() -> bool:
    # Found, not imported: its C code never enters this process.
    return importlib.util.find_spec("durable") is not None
