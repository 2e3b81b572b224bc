"""What a step remembers on the managed host, so that its rollback can give it back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import time
from typing import Any

KEPT_SECONDS = 7 * 24 * 3600
# The engine makes up both names, and after six days it calls a human instead of rolling back:
# what is removed here nobody needs any more.
_ROOT = re.compile(r"selfheal-\d+")
_STEP = re.compile(r"(at-[0-9a-z]+)-\d+")


class MemoryRefused(Exception):
    """The directory of a memory is not private, so what it holds cannot be trusted."""


def private_directory(path: str) -> None:
    """Make `path` (and what is missing above it) readable by this user only."""
    before = os.umask(0o077)
    try:
        os.makedirs(path, exist_ok=True)
    finally:
        os.umask(before)
    # The name can be guessed: whoever made a directory above before us could swap what is in it.
    places = _up_to_root(path)
    for place in places:
        _check_private(place)
    if len(places) > 1:
        step = os.path.basename(places[-2])
        with contextlib.suppress(OSError):  # house-keeping: the step itself goes on
            _forget_old(places[-1], step)


def _up_to_root(path: str) -> list[str]:
    """Return `path` and what is above it, up to the directory of all steps; without that `path`."""
    places = [path, os.path.dirname(path), os.path.dirname(os.path.dirname(path))]
    for number, place in enumerate(places):
        if _ROOT.fullmatch(os.path.basename(place)):
            return places[: number + 1]
    return [path]


def _forget_old(root: str, step: str) -> None:
    """Remove what steps of other attempts left here long ago."""
    mine = _STEP.fullmatch(step)
    for name in os.listdir(root):
        found = _STEP.fullmatch(name)
        if not (mine and found) or found[1] == mine[1]:
            continue
        place = os.path.join(root, name)
        if os.lstat(place).st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(place, ignore_errors=True)


def _check_private(path: str) -> None:
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o022:
        raise MemoryRefused(f"{path} is not a private directory: others may write to it")
    # Root, and whoever became root to run this, may have made it in another step.
    trusted = {os.geteuid(), 0, int(os.environ.get("SUDO_UID", "0"))}
    if found.st_uid not in trusted:
        raise MemoryRefused(f"{path} belongs to user {found.st_uid}, not to us")


def write_privately(path: str, data: bytes) -> None:
    """Write a file of mode 0600 whole or not at all, surviving a power cut."""
    draft = f"{path}.{os.getpid()}.draft"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


class Memory:
    """One JSON value in one private file; the first value remembered stays until forgotten.

    A memory without a path remembers nothing: that is a module run on its own.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path

    def recall(self) -> Any:
        """The remembered value, or None when there is none."""
        if self.path is None or not os.path.exists(self.path):
            return None
        with open(self.path, encoding="utf-8") as file:
            return json.load(file)

    def remember(self, value: Any) -> None:
        """Keep `value` unless something is remembered already: the original must survive."""
        if self.path is None or os.path.exists(self.path):
            return
        private_directory(os.path.dirname(self.path))
        write_privately(self.path, json.dumps(value).encode())

    def forget(self) -> None:
        """Drop the value, so that a second rollback finds nothing to do."""
        if self.path is not None and os.path.exists(self.path):
            os.unlink(self.path)
