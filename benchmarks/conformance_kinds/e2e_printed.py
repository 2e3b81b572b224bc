"""Compares what both printed under their banners."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.conformance_kinds.e2e_run import Run

_BANNER = re.compile(
    r"^\*\* \S+ \S+ \[(?P<title>[^]]+)\] \**\n(?P<content>.*?)\n\*{80}$", re.DOTALL | re.MULTILINE
)
_HEAD = re.compile(r"^\s*\*\* <time> \[[^]]+\] \**\n")
_PLACEHOLDERS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"), "<time>"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
)


def printed_alike(record: Mapping[str, Any], run: Run) -> Iterator[str]:
    """Yield what differs; rulesets print side by side, so the order is not compared."""
    ours = sorted(
        (found["title"], _settled(found["content"])) for found in _BANNER.finditer(run.printed)
    )
    theirs = sorted((one["banner"], _settled(one["content"])) for one in record["printed"])
    if ours != theirs:
        surplus = [one for one in ours if one not in theirs][:2]
        missing = [one for one in theirs if one not in ours][:2]
        yield f"printed {len(ours)} for {len(theirs)}: {surplus} instead of {missing}"


def _settled(content: str) -> str:
    content = _HEAD.sub("", content).strip()  # the recorder split one banner in two
    for pattern, placeholder in _PLACEHOLDERS:
        content = pattern.sub(placeholder, content)
    try:
        return json.dumps(ast.literal_eval(content), sort_keys=True)  # keys in any order
    except (ValueError, SyntaxError, TypeError):
        return content
