#!/usr/bin/python
"""Ansible module: keep the original bytes of a file or directory, and give them back."""

from __future__ import annotations

import filecmp
import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_memory import Memory, MemoryRefused, private_directory

DOCUMENTATION = r"""
module: remembered_path
short_description: Keep a copy of a file or directory before it is changed, or put the copy back
description:
- Content, modes, owners and times are kept. That there was nothing is remembered too, and putting
  it back removes the path.
- The first copy stays; putting back is atomic for files, and forgets the copy.
options:
  path:
    type: path
    required: true
    description: The file or directory.
  remember:
    type: path
    required: true
    description: Where the copy goes; a JSON file of the same name describes it.
  state:
    type: str
    default: remembered
    choices:
    - remembered
    - restored
    description: Keep, or put back.
author: The selfheal authors
"""
EXAMPLES = r"""
- remembered_path: {path: /etc/app.conf, remember: /var/tmp/step/app.conf}
- remembered_path: {path: /etc/app.conf, remember: /var/tmp/step/app.conf, state: restored}
"""
RETURN = r"""
remembered:
  type: str
  returned: always
  description: 'What the memory says was there: C(file), C(directory), C(nothing); empty without
    a memory.'
"""


def kind_of(path: str) -> str:
    if os.path.isdir(path):
        return "directory"
    return "file" if os.path.lexists(path) else "nothing"


def copy(source: str, to: str) -> None:
    """Copy with modes, times and owners."""
    remove(to)
    if os.path.isdir(source):
        shutil.copytree(source, to, symlinks=True)
        names = [
            os.path.join(at, name) for at, dirs, files in os.walk(source) for name in dirs + files
        ]
    else:
        shutil.copy2(source, to)
        names = []
    for name in [source, *names]:
        found = os.lstat(name)
        copied = os.path.normpath(os.path.join(to, os.path.relpath(name, source)))
        os.chown(copied, found.st_uid, found.st_gid, follow_symlinks=False)


def remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def same(path: str, kept: str, kind: str) -> bool:
    """Whether the path still is what was kept; a directory is never taken for unchanged."""
    if kind == "nothing" or kind_of(path) != kind:
        return kind == kind_of(path)
    return kind == "file" and filecmp.cmp(path, kept, shallow=False)


def put_back(path: str, kept: str, kind: str) -> None:
    if kind == "nothing":
        remove(path)
        return
    draft = path + ".selfheal-draft"
    copy(kept, draft)
    if kind == "directory":
        remove(path)  # a directory cannot be replaced in one move
    os.replace(draft, path)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "remember": {"type": "path", "required": True},
            "state": {
                "type": "str",
                "default": "remembered",
                "choices": ["remembered", "restored"],
            },
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(**module.params, check_mode=module.check_mode))
    except (MemoryRefused, OSError) as error:
        module.fail_json(msg=str(error))


def run(path: str, remember: str, state: str, check_mode: bool) -> dict[str, object]:
    # A link stays a link: the file it leads to is what is kept and put back.
    path = os.path.realpath(path)
    os.umask(0o077)  # a copy is private until it has the mode of its original
    memory = Memory(remember + ".json")
    kind = memory.recall()
    if state == "restored":
        differs = kind is not None and not same(path, remember, kind)
        if kind is not None and not check_mode:
            if differs:
                put_back(path, remember, kind)
            memory.forget()
            remove(remember)
        return {"changed": differs, "remembered": kind or ""}
    if kind is None and not check_mode:
        kind = kind_of(path)
        private_directory(os.path.dirname(remember))
        if kind != "nothing":
            copy(path, remember)
        memory.remember(kind)  # last: only a whole copy counts
    # Keeping a copy changes nothing that is managed.
    return {"changed": False, "remembered": kind or ""}


if __name__ == "__main__":
    main()
