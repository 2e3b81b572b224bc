"""What both printed under their banners."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks.conformance_kinds.e2e_run import Run
from benchmarks.conformance_kinds.e2e_settled import settled_text

_BANNER = re.compile(
    r"^\*\* \S+ \S+ \[(?P<title>[^]]+)\] \**\n(?P<content>.*?)\n\*{80}$", re.DOTALL | re.MULTILINE
)
_HEAD = re.compile(r"^\s*\*\* <time> \[[^]]+\] \**\n")
_VALUE = re.compile(r"[\[{].*[\]}]", re.DOTALL)

Printed = Counter[tuple[str, str]]
"""How often each (title, content) was printed; rulesets print side by side, in no fixed order."""


def our_printed(run: Run) -> Printed:
    """Return ours."""
    found = _BANNER.finditer(run.printed)
    return Counter((one["title"], _settled(one["content"])) for one in found)


def their_printed(record: Mapping[str, Any]) -> Printed:
    """Return what was recorded."""
    return Counter((one["banner"], _settled(one["content"])) for one in record["printed"])


def _settled(content: str) -> str:
    content = settled_text(_HEAD.sub("", content).strip())  # the recorder split one banner in two
    return _VALUE.sub(lambda found: _keys_in_order(found[0]), content)


def _keys_in_order(text: str) -> str:
    try:
        return json.dumps(ast.literal_eval(text), sort_keys=True)
    except (ValueError, SyntaxError, TypeError):
        return text
