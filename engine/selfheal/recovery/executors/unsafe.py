"""Variables for Ansible in which no string is a template.

Ansible evaluates Jinja found in the value of an extra variable, `lookup('pipe', …)` included: a
value that came with an event would run commands on the controller. `!unsafe` forbids it, for a
whole list or mapping too, keys included: `dict2items` makes values of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_TEXT = "tag:yaml.org,2002:str"


class _Unsafe(str):
    """A string that Ansible must take as it is."""

    __slots__ = ()


class _Quoted(str):
    """A string inside something unsafe."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _UnsafeTree:
    """A list or mapping in which Ansible must take every string as it is."""

    data: Any


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def quoted(self, text: str, tag: str = _TEXT) -> yaml.Node:
        return self.represent_scalar(tag, str(text), style='"')

    def unsafe_text(self, text: str) -> yaml.Node:
        # Ansible asks anew what an unsafe scalar is: `no`, `*`, an empty one would not stay texts.
        # None of those can hold a template, so they need no tag.
        kind = self.resolve(yaml.ScalarNode, str(text), (True, False))  # type: ignore[no-untyped-call]  # PyYAML has none
        return self.quoted(text, "!unsafe" if kind == _TEXT else _TEXT)

    def unsafe_tree(self, tree: _UnsafeTree) -> yaml.Node:
        node = self.represent_data(tree.data)
        node.tag = "!unsafe"
        return node


class _Loader(yaml.SafeLoader):
    def unsafe(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        return node.value


_Loader.add_constructor("!unsafe", _Loader.unsafe)
_Dumper.add_representer(_Unsafe, _Dumper.unsafe_text)
_Dumper.add_representer(_Quoted, _Dumper.quoted)
_Dumper.add_representer(_UnsafeTree, _Dumper.unsafe_tree)


def dump_unsafe(variables: Mapping[str, Any]) -> str:
    """Return YAML of variables whose JSON-like values hold no template."""
    return dump_plain(unsafe_values(variables))


def dump_plain(value: Any) -> str:
    """Return YAML of `value`, in which only what went through `unsafe` is tagged."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def load_unsafe(text: str) -> Any:
    """Return what `dump_unsafe` wrote. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 -- a SafeLoader with one more tag


def unsafe_values(named: Mapping[str, Any]) -> dict[str, Any]:
    """Return variables or arguments with their values marked; their names stay plain."""
    return {str(name): unsafe(value) for name, value in named.items()}


def unsafe(value: Any) -> Any:
    """Return `value` marked: no string in it, keys included, is a template."""
    if isinstance(value, str):
        return _Unsafe(_writable(value))
    if isinstance(value, Mapping | list | tuple):
        return _UnsafeTree(_quoted(value))
    return value


def _quoted(value: Any) -> Any:
    if isinstance(value, str):
        return _Quoted(_writable(value))
    if isinstance(value, Mapping):
        return {_quoted(str(key)): _quoted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_quoted(item) for item in value]
    return value


def _writable(text: str) -> str:
    """A lone surrogate can't be written as UTF-8."""
    return text.encode("utf-8", "replace").decode()
