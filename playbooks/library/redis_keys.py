#!/usr/bin/python
"""Ansible module: clear keys of a redis server, keeping a copy that can be put back."""

from __future__ import annotations

import base64
import json
import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_memory import MemoryRefused, private_directory, write_privately
from ansible.module_utils.selfheal_redis import (
    Redis,
    RedisError,
    batches,
    connection_arguments,
)

DOCUMENTATION = r"""
module: redis_keys
short_description: Remove redis keys by pattern, or put removed ones back
description:
- The copy is made by DUMP before anything is removed (UNLINK); both work on a server that is
  out of memory.
- Putting back (RESTORE) leaves keys that were written since alone, and keeps each key's expiry
  time.
options:
  host:
    type: str
    default: 127.0.0.1
    description: Address of the server.
  port:
    type: int
    default: 6379
    description: Port of the server.
  username:
    type: str
    description: User, where the server has ACLs.
  password:
    type: str
    description: Password, where one is needed.
  database:
    type: int
    default: 0
    description: Database number.
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
- redis_keys: {port: 6379, pattern: "cache:*", remember: /var/tmp/step/keys.jsonl}
"""
RETURN = r"""
keys:
  type: int
  returned: always
  description: How many keys were (or in check mode would be) removed or put back.
"""


def copy_of(redis: Redis, keys: list[bytes], limit: int) -> bytes:
    """One line of JSON a key: key and dump in base64, expiry in ms of the wall clock (0: never)."""
    lines, size = [], 0
    for batch in batches(keys, 500):
        answers = redis.ask_all([ask for key in batch for ask in (("DUMP", key), ("PTTL", key))])
        now = time.time() * 1000
        for key, dump, left in zip(batch, answers[::2], answers[1::2]):  # noqa: B905 - Python 3.8
            if dump is None:
                continue  # it expired in the meantime
            line = json.dumps([text(key), text(dump), int(now + left) if left > 0 else 0])
            size += len(line) + 1
            lines.append(line)
        if size > limit:
            raise RedisError(f"the copy of {len(keys)} keys would be larger than {limit} bytes")
    return "".join(line + "\n" for line in lines).encode()


def text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def remove(redis: Redis, options: dict[str, Any], check_mode: bool) -> int:
    keys = redis.keys(options["pattern"])
    if not keys or check_mode:
        return len(keys)
    path = options["remember"]
    if path and not os.path.exists(path):
        private_directory(os.path.dirname(path))
        write_privately(path, copy_of(redis, keys, options["copy_limit"]))
    for batch in batches(keys, 1000):
        redis.ask("UNLINK", *batch)
    return len(keys)


def put_back(redis: Redis, options: dict[str, Any], check_mode: bool) -> int:
    path = options["remember"]
    if not path or not os.path.exists(path):
        return 0
    with open(path, encoding="ascii") as file:
        saved = [json.loads(line) for line in file]
    if check_mode:
        return len(saved)
    count = 0
    for batch in batches(saved, 500):
        decoded = [(base64.b64decode(key), base64.b64decode(dump), end) for key, dump, end in batch]
        commands = [("RESTORE", key, end, dump, "ABSTTL") for key, dump, end in decoded]
        for answer in redis.try_all(commands):
            if not isinstance(answer, RedisError):
                count += 1
            elif "BUSYKEY" not in str(answer):
                raise answer
    os.unlink(path)
    return count


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection_arguments(),
            "pattern": {"type": "str", "default": "*"},
            "state": {"type": "str", "default": "absent", "choices": ["absent", "restored"]},
            "remember": {"type": "path"},
            "copy_limit": {"type": "int", "default": 256 * 1024 * 1024},
        },
        supports_check_mode=True,
    )
    options = module.params
    if options["state"] == "restored" and not os.path.exists(options["remember"] or ""):
        module.exit_json(changed=False, keys=0)
    verb = put_back if options["state"] == "restored" else remove
    try:
        keys = verb(Redis(options), options, module.check_mode)
    except (RedisError, MemoryRefused) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=keys > 0, keys=keys)


if __name__ == "__main__":
    main()
