#!/usr/bin/python
"""Ansible module: clear items of a memcached server, keeping a copy that can be put back."""

from __future__ import annotations

import base64
import fnmatch
import json
import os
import socket
import urllib.parse
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_memory import MemoryRefused, private_directory, write_privately

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


def copy_of(memcached: Memcached, expiries: dict[bytes, int], limit: int) -> bytes:
    """One line of JSON an item: key and value in base64, flags, expiry."""
    lines, size = [], 0
    for key, expiry in expiries.items():
        item = memcached.get(key)
        if item is None:
            continue
        lines.append(json.dumps([text(key), text(item[1]), item[0], expiry]) + "\n")
        size += len(lines[-1])
        if size > limit:
            raise MemcachedError(
                f"the copy of {len(expiries)} items would be larger than {limit} bytes"
            )
    return "".join(lines).encode()


def text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def remove(memcached: Memcached, options: dict[str, Any], check_mode: bool) -> int:
    listed = memcached.expiries().items()
    wanted = {key: end for key, end in listed if fnmatch.fnmatchcase(name(key), options["pattern"])}
    if not wanted or check_mode:
        return len(wanted)
    path = options["remember"]
    if path and not os.path.exists(path):
        private_directory(os.path.dirname(path))
        write_privately(path, copy_of(memcached, wanted, options["copy_limit"]))
    for key in wanted:
        memcached.delete(key)
    return len(wanted)


def name(key: bytes) -> str:
    return key.decode(errors="surrogateescape")


def put_back(memcached: Memcached, options: dict[str, Any], check_mode: bool) -> int:
    with open(options["remember"], encoding="ascii") as file:
        saved = [json.loads(line) for line in file]
    if check_mode:
        return len(saved)
    decode = base64.b64decode
    stored = [
        memcached.add(decode(key), flags, expiry, decode(value))
        for key, value, flags, expiry in saved
    ]
    os.unlink(options["remember"])
    return sum(stored)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 11211},
            "pattern": {"type": "str", "default": "*"},
            "state": {"type": "str", "default": "absent", "choices": ["absent", "restored"]},
            "remember": {"type": "path"},
            "copy_limit": {"type": "int", "default": 256 * 1024 * 1024},
        },
        supports_check_mode=True,
    )
    options = module.params
    if options["state"] == "restored" and not os.path.exists(options["remember"] or ""):
        module.exit_json(changed=False, items=0)
    verb = put_back if options["state"] == "restored" else remove
    try:
        memcached = Memcached(options["host"], options["port"])
        items = verb(memcached, options, module.check_mode)
    except (MemcachedError, MemoryRefused, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=items > 0, items=items)


if __name__ == "__main__":
    main()
