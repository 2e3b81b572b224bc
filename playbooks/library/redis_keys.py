#!/usr/bin/python
"""Ansible module: clear keys of a redis server, keeping a copy that can be put back."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_copy import Copy, CopyTooLarge, copy_arguments
from ansible.module_utils.selfheal_memory import MemoryRefused
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


def dumps(redis: Redis, keys: list[bytes]) -> Iterator[list[Any]]:
    """Key, dump, and expiry in ms of the wall clock (0: never) of each key that is there."""
    for batch in batches(keys, 500):
        answers = redis.ask_all([ask for key in batch for ask in (("DUMP", key), ("PTTL", key))])
        now = time.time() * 1000
        for key, dump, left in zip(batch, answers[::2], answers[1::2]):  # noqa: B905 - Python 3.8
            if dump is not None:  # it may have expired in the meantime
                yield [key, dump, int(now + left) if left > 0 else 0]


def remove(redis: Redis, pattern: str, copy: Copy, check_mode: bool) -> int:
    keys = redis.keys(pattern)
    if keys and not check_mode:
        copy.keep(dumps(redis, keys))
        for batch in batches(keys, 1000):
            redis.ask("UNLINK", *batch)
    return len(keys)


def put_back(redis: Redis, copy: Copy, check_mode: bool) -> int:
    saved = copy.entries()
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
    copy.forget()
    return count


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection_arguments(),
            **copy_arguments(),
        },
        supports_check_mode=True,
    )
    options = module.params
    copy = Copy(options["remember"], options["copy_limit"])
    restored = options["state"] == "restored"
    if restored and not copy.exists:
        module.exit_json(changed=False, keys=0)
    try:
        redis = Redis(options)
        if restored:
            keys = put_back(redis, copy, module.check_mode)
        else:
            keys = remove(redis, options["pattern"], copy, module.check_mode)
    except (RedisError, MemoryRefused, CopyTooLarge) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=keys > 0, keys=keys)


if __name__ == "__main__":
    main()
