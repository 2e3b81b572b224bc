#!/usr/bin/python
"""Ansible module: clear items of a memcached server, keeping a copy that can be put back."""

from __future__ import annotations

import base64
import fnmatch
import socket
import urllib.parse
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_copy import Copy, CopyTooLarge, copy_arguments
from ansible.module_utils.selfheal_memory import MemoryRefused

DOCUMENTATION = r"""
module: memcached_items
short_description: Remove memcached items by pattern, or put removed ones back
description:
- Items are listed by C(lru_crawler metadump all) (memcached 1.5 and later) and deleted one by
  one, so a second run finds none.
- Putting back uses C(add), which leaves items that were written since alone, and keeps each item's
  expiry time.
options:
  host:
    type: str
    default: 127.0.0.1
    description: Address of the server.
  port:
    type: int
    default: 11211
    description: Port of the server.
  pattern:
    type: str
    default: '*'
    description: Glob of the keys.
  state:
    type: str
    default: absent
    choices:
    - absent
    - restored
    description: C(restored) puts back what I(remember) holds, then forgets it.
  remember:
    type: path
    description: File for the copy; without it no copy is made. A file that is there already is
      kept.
  copy_limit:
    type: int
    default: 268435456
    description: Refuse when the copy would be larger, in bytes.
author: The selfheal authors
"""
EXAMPLES = r"""
- memcached_items: {pattern: "session:*", remember: /var/tmp/step/items.jsonl}
"""
RETURN = r"""
items:
  type: int
  returned: always
  description: How many items were (or in check mode would be) removed or put back.
"""


class MemcachedError(Exception):
    """Memcached cannot be reached, or answered with an error."""


class Memcached:
    """One connection, speaking the text protocol."""

    def __init__(self, host: str, port: int) -> None:
        self._where = f"memcached at {host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), 10)
        except OSError as error:
            raise MemcachedError(f"{self._where} does not answer: {error}") from error
        self._answers = self._socket.makefile("rb")

    def _tell(self, command: bytes) -> None:
        self._socket.sendall(command + b"\r\n")

    def _line(self) -> bytes:
        line = self._answers.readline()
        word = line.split(b" ")[0].strip()
        if not line or word in (b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR", b"BUSY"):
            raise MemcachedError(f"{self._where}: {line.decode(errors='replace').strip()}")
        return line.rstrip(b"\r\n")

    def expiries(self) -> dict[bytes, int]:
        """Expiry time (seconds of the wall clock, 0: never) of each item, by key."""
        self._tell(b"lru_crawler metadump all")
        found = {}
        for line in iter(self._line, b"END"):
            fields = dict(word.split(b"=", 1) for word in line.split() if b"=" in word)
            key = urllib.parse.unquote_to_bytes(fields[b"key"].decode())
            found[key] = max(int(fields[b"exp"]), 0)
        return found

    def get(self, key: bytes) -> tuple[int, bytes] | None:
        """Flags and value, or None when the item is gone."""
        self._tell(b"get " + key)
        head = self._line()
        if head == b"END":
            return None
        flags, size = (int(word) for word in head.split()[2:4])
        value = self._answers.read(size + 2)[:-2]
        self._line()
        return flags, value

    def add(self, key: bytes, flags: int, expiry: int, value: bytes) -> bool:
        """Whether it was stored: False when an item of that key exists."""
        self._tell(b"add %s %d %d %d\r\n%s" % (key, flags, expiry, len(value), value))
        return self._line() == b"STORED"

    def delete(self, key: bytes) -> None:
        self._tell(b"delete " + key)
        self._line()


def items_of(memcached: Memcached, expiries: dict[bytes, int]) -> Iterator[list[Any]]:
    """Key, value, flags and expiry of each item that is there."""
    for key, expiry in expiries.items():
        item = memcached.get(key)
        if item is not None:
            yield [key, item[1], item[0], expiry]


def remove(memcached: Memcached, pattern: str, copy: Copy, check_mode: bool) -> int:
    listed = memcached.expiries().items()
    wanted = {key: end for key, end in listed if fnmatch.fnmatchcase(name(key), pattern)}
    if wanted and not check_mode:
        copy.keep(items_of(memcached, wanted))
        for key in wanted:
            memcached.delete(key)
    return len(wanted)


def name(key: bytes) -> str:
    return key.decode(errors="surrogateescape")


def put_back(memcached: Memcached, copy: Copy, check_mode: bool) -> int:
    saved = copy.entries()
    if check_mode:
        return len(saved)
    decode = base64.b64decode
    stored = [
        memcached.add(decode(key), flags, expiry, decode(value))
        for key, value, flags, expiry in saved
    ]
    copy.forget()
    return sum(stored)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 11211},
            **copy_arguments(),
        },
        supports_check_mode=True,
    )
    options = module.params
    copy = Copy(options["remember"], options["copy_limit"])
    restored = options["state"] == "restored"
    if restored and not copy.exists:
        module.exit_json(changed=False, items=0)
    try:
        memcached = Memcached(options["host"], options["port"])
        if restored:
            items = put_back(memcached, copy, module.check_mode)
        else:
            items = remove(memcached, options["pattern"], copy, module.check_mode)
    except (MemcachedError, MemoryRefused, CopyTooLarge, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=items > 0, items=items)


if __name__ == "__main__":
    main()
