#!/usr/bin/python
"""Ansible module: clear entries of a directory, keeping them where they can be put back from."""

from __future__ import annotations

import fnmatch
import os
import shutil
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_memory import MemoryRefused, private_directory

DOCUMENTATION = r"""
module: directory_entries
short_description: Remove entries of a cache directory, or put removed ones back
description:
- Only entries directly in I(path) are matched; a matching subdirectory goes whole. Links are
  removed, never followed.
- Refuses a path that is a link, the root, or a directory directly below the root.
options:
  path:
    type: path
    required: true
    description: The directory; it stays.
  pattern:
    type: str
    default: '*'
    description: Glob of the entries' names. Hidden ones match too.
  older_than:
    type: float
    default: 0
    description: Only entries that were modified at least this many seconds ago.
  state:
    type: str
    default: absent
    choices:
    - absent
    - restored
    description: C(restored) puts back what I(remember) holds, then forgets it.
  remember:
    type: path
    description: Directory the entries are moved to; without it they are deleted.
author: The selfheal authors
"""
EXAMPLES = r"""
- directory_entries: {path: /var/cache/app, older_than: 3600, remember: /var/tmp/step/entries}
"""
RETURN = r"""
entries:
  type: list
  returned: always
  description: Names that were (or in check mode would be) removed or put back.
"""


class Refused(Exception):
    """The path is not one that may be cleared."""


def matching(options: dict[str, Any]) -> list[str]:
    """The names to remove, sorted."""
    path = options["path"]
    if not os.path.isdir(path):
        return []
    if os.path.islink(path) or os.path.realpath(path).count("/") < 2:
        raise Refused(f"{path}: a link, or too near the root to be a cache")
    newest = time.time() - options["older_than"]
    return sorted(
        entry.name
        for entry in os.scandir(path)
        if fnmatch.fnmatchcase(entry.name, options["pattern"])
        and (not options["older_than"] or entry.stat(follow_symlinks=False).st_mtime <= newest)
    )


def remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def clear(options: dict[str, Any], check_mode: bool) -> list[str]:
    names = matching(options)
    if check_mode or not names:
        return names
    keep = options["remember"]
    if keep:
        private_directory(keep)
    for name in names:
        path = os.path.join(options["path"], name)
        # What was kept first is the original: an entry that came again is only deleted.
        if keep and not os.path.lexists(os.path.join(keep, name)):
            shutil.move(path, os.path.join(keep, name))
        else:
            remove(path)
    return names


def put_back(options: dict[str, Any], check_mode: bool) -> list[str]:
    keep = options["remember"]
    if not keep or not os.path.isdir(keep):
        return []
    kept = sorted(os.listdir(keep))
    back = [name for name in kept if not os.path.lexists(os.path.join(options["path"], name))]
    if not check_mode:
        for name in back:
            shutil.move(os.path.join(keep, name), os.path.join(options["path"], name))
        shutil.rmtree(keep)
    return back


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "pattern": {"type": "str", "default": "*"},
            "older_than": {"type": "float", "default": 0},
            "state": {"type": "str", "default": "absent", "choices": ["absent", "restored"]},
            "remember": {"type": "path"},
        },
        supports_check_mode=True,
    )
    os.umask(0o077)  # a copy is private until it has the mode of its original
    verb = put_back if module.params["state"] == "restored" else clear
    try:
        entries = verb(module.params, module.check_mode)
    except (Refused, MemoryRefused, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(entries), entries=entries)


if __name__ == "__main__":
    main()
