"""Variables for Ansible in which no string is a template.

Ansible evaluates Jinja found in the value of an extra variable, `lookup('pipe', …)` included: a
value that came with an event would run commands on the controller. `!unsafe` forbids it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


class _Unsafe(str):
    """A string that Ansible must take as it is."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    _Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"')
)


def dump_unsafe(value: Mapping[str, Any] | list[Any]) -> str:
    """Return YAML of JSON-like `value` with every string value tagged `!unsafe`."""
    return yaml.dump(unsafe(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def dump_plain(value: Any) -> str:
    """Return YAML of `value`, in which only what went through `unsafe` is tagged."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def unsafe(value: Any) -> Any:
    """Return `value` with every string in it marked; keys stay plain."""
    if isinstance(value, str):
        # A lone surrogate can't be written as UTF-8.
        return _Unsafe(value.encode("utf-8", "replace").decode())
    if isinstance(value, Mapping):
        return {str(key): unsafe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [unsafe(item) for item in value]
    return value
