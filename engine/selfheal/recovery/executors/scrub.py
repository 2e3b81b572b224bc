"""What a run leaves on disk holds no secrets: at its end, or at the next start after a crash.

While a run is under way its artifacts hold what Ansible says, in a folder private to the user. A
lock file stands in the folder from before the first secret is written until the last is gone; the
kernel lets the lock go when the engine dies, so a lock file nobody holds marks a run to scrub.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from selfheal.masking import Secrets
from selfheal.recovery.executors.processes import processes_of
from selfheal.recovery.executors.unsafe import load_unsafe

_log = logging.getLogger(__name__)

LOCK = "scrub.lock"
SECRET_FILES = ("extra-vars.yml", "module.yml", "command")
"""Files that are for Ansible's eyes only and go with the run."""

Mask = Callable[[Any], Any]
"""Blots out secrets in a text, or in JSON-like data."""


class ScrubLock:
    """The promise, on disk, that a folder will be scrubbed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """True while we hold it."""
        return self._descriptor is not None

    def take(self) -> bool:
        """Return False when another process holds it: the run is not ours."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self, *, scrubbed: bool) -> None:
        """Let go; without `scrubbed` the next start tries again."""
        if self._descriptor is None:
            return
        if scrubbed:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None


def is_held(folder: Path) -> bool:
    """Tell whether a living process of ours works on that run."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def scrub_run(folder: Path, mask: Mask) -> bool:
    """Remove the files for Ansible alone, blot out secrets in the others; False if one resists."""
    whole = True
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_symlink() or not path.is_file() or path.name == LOCK:
                continue
            if path.parent == folder and path.name in SECRET_FILES:
                path.unlink()
            else:
                _scrub_file(path, mask)
        except OSError:
            whole = False
            _log.exception("%s may hold secrets and can't be scrubbed", path)
    return whole


def scrub_leftovers(state: Path, mask: Mask) -> int:
    """Scrub the runs that a dead engine left under `<state>/runner`; return how many.

    Call it at the start, before a run of ours begins and after what still runs was ended: a run
    of which a process lives, or that another process of ours is working on, is left alone."""
    private = state.absolute() / "runner"
    scrubbed, alive = 0, False
    for mark in sorted((private / "artifacts").glob(f"*/{LOCK}")):
        folder, lock = mark.parent, ScrubLock(mark.parent)
        if processes_of(str(folder)) or not lock.take():
            alive = True
            continue
        # An operator's own secrets are known from nowhere else any more.
        own = _named_secrets(folder / SECRET_FILES[0])
        done = scrub_run(folder, partial(_masked_twice, mask, own.mask))
        lock.release(scrubbed=done)
        scrubbed += done
    if not alive:
        _empty(private / "tmp")
    return scrubbed


def _masked_twice(first: Mask, second: Mask, value: Any) -> Any:
    return second(first(value))


def _named_secrets(path: Path) -> Secrets:
    """Return the variables of an interrupted run whose names look like a secret's."""
    secrets = Secrets()
    try:
        secrets.learn_named(load_unsafe(path.read_text(encoding="utf-8")), path.name)
    except FileNotFoundError:
        pass  # a run without variables
    except (OSError, ValueError, yaml.YAMLError):
        _log.warning("%s can't be read: what secrets it held is not known", path)
    return secrets


def _scrub_file(path: Path, mask: Mask) -> None:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    if (masked := _masked(path, text, mask)) == text:
        return
    draft = path.with_name(f".{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(masked.encode("utf-8", "surrogateescape"))
    draft.replace(path)


def _masked(path: Path, text: str, mask: Mask) -> str:
    plain = str(mask(text))
    if plain == text or path.suffix != ".json":
        return plain
    try:
        return json.dumps(mask(json.loads(text)))  # what is read back must stay JSON
    except (ValueError, RecursionError):
        return plain


def _empty(folder: Path) -> None:
    """Ansible's temporary files hold the arguments of modules; nobody uses them any more."""
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
