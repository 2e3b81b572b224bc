"""What event data may not do to a proof: ask another host, run another program, bend a query.

Each function returns why the rendered arguments are refused; empty when they are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from selfheal.errors import TemplateError
from selfheal.provenance import NAME, by_author, free_of
from selfheal.templates import is_template, render

Args = Mapping[str, Any]

_HOST = r"(?:[A-Za-z0-9_](?:[\w.-]*\w)?|\[[0-9A-Fa-f:.]+\])"
HOST = re.compile(_HOST, re.ASCII)
HOST_PORT = re.compile(rf"{_HOST}(?::\d{{1,5}})?", re.ASCII)
# The author's own scheme and login, then the authority, then the rest; Jinja holds no `/` of ours.
_URL = re.compile(r"(https?://(?:[^{}@/]*@)?)((?:\{\{.*?\}\}|[^/?#{])+)(.*)", re.DOTALL)
_BEYOND_A_PATH = re.compile(r"[\s\\#?&\x00-\x1f\x7f-\x9f]|\.\.")
_BEYOND_A_LABEL = re.compile(r"[\"'`\\{}()\r\n#]")
_BEYOND_A_WORD = re.compile(r"[^\w.:-]", re.ASCII)
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"})


def url(raw: Args, rendered: Args, variables: Args, key: str = "url") -> str:
    """An event may fill in a host with its port, or parts of path and query."""
    given, value = raw.get(key, ""), rendered.get(key, "")
    if by_author(given, value, variables):
        return ""
    parts = _URL.fullmatch(str(given))
    if not parts:
        return f"{key}: an event may fill in parts of a URL, not the whole"
    try:
        authority = str(render(parts[2], variables))
    except TemplateError as error:
        return str(error)
    if not HOST_PORT.fullmatch(authority):
        return f"{key}: {authority[:80]!r} is no host with or without a port"
    if not free_of(_BEYOND_A_PATH, given, value, variables):
        return f"{key}: event data with spaces, backslashes, #, ?, & or .. would lead elsewhere"
    return ""


def place(raw: Args, rendered: Args, variables: Args) -> str:
    """An event may name a host, or a host with its port."""
    for key, pattern in (("host", HOST), ("address", HOST_PORT)):
        value = rendered.get(key, "")
        if by_author(raw.get(key, ""), value, variables) or pattern.fullmatch(str(value)):
            continue
        return f"{key}: {str(value)[:80]!r} is no host"
    return ""


def query(raw: Args, rendered: Args, variables: Args) -> str:
    """An event may fill in the text of a label, or a bare word; never more of the query."""
    given, value = raw.get("expr", ""), rendered.get("expr", "")
    if by_author(given, value, variables):
        return url(raw, rendered, variables)
    harmful = _BEYOND_A_LABEL if _all_quoted(str(given)) else _BEYOND_A_WORD
    if not free_of(harmful, given, value, variables):
        return "expr: event data would change the query"
    return url(raw, rendered, variables)


def words(raw: Args, rendered: Args, variables: Args) -> str:
    """An event may fill in words; not the program, an option, or a part of a shell's script."""
    given, argv = raw.get("argv"), rendered.get("argv")
    if not isinstance(given, list) or not isinstance(argv, list):
        return "" if by_author(given, argv, variables) else "argv: an event may not choose it"
    for number, (written, word) in enumerate(zip(given, argv, strict=True)):
        if by_author(written, word, variables):
            continue
        if number == 0:
            return "argv: an event may not choose the program"
        if str(word).startswith("-") and not str(written).startswith("-"):
            return f"argv: {str(word)[:80]!r} came with an event and would be an option"
        if _is_script(argv, number):
            return 'argv: no event data in a script: write ["sh", "-c", "… $1 …", "sh", "{{ … }}"]'
    folder = rendered.get("chdir", "")
    return "" if by_author(raw.get("chdir", ""), folder, variables) else "chdir: not by an event"


def playbook(raw: Args, rendered: Args, variables: Args) -> str:
    """An event may choose among the files in playbooks/, and fill in variables."""
    name, given = rendered.get("name", ""), raw.get("vars", {})
    if not by_author(raw.get("name", ""), name, variables) and not NAME.fullmatch(str(name)):
        return "name: an event may name a file in playbooks/, not a path"
    if isinstance(given, Mapping) or by_author(given, rendered.get("vars"), variables):
        return ""
    return "vars: an event may fill in variables, not choose them"


def _all_quoted(expression: str) -> bool:
    """Tell whether every template stands inside quotes of the query."""
    outside = re.sub(r'"(?:\{\{.*?\}\}|\\.|[^"\\])*"', "", expression, flags=re.DOTALL)
    outside = re.sub(r"'(?:\{\{.*?\}\}|\\.|[^'\\])*'", "", outside, flags=re.DOTALL)
    return not is_template(outside)


def _is_script(argv: list[Any], number: int) -> bool:
    program = str(argv[0]).rpartition("/")[2]
    before = str(argv[number - 1])
    return program in _SHELLS and before.startswith("-") and before.endswith("c")
