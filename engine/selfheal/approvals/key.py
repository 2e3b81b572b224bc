"""The key that links are signed with: made at first use, or given by the operator."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from selfheal.errors import ConfigError, Problem

VARIABLE = "SELFHEAL_LINK_KEY"
FILE_NAME = "link.key"
_SHORTEST = 32  # characters


def load_key(state: Path, environ: Mapping[str, str]) -> bytes:
    """Return the key: of $SELFHEAL_LINK_KEY, of the file that $SELFHEAL_LINK_KEY_FILE names, or of
    `link.key` in the state folder, which is made (0600) when it is not there.

    Raises ConfigError for a key that is too short, and for a file that others may read."""
    if VARIABLE in environ:
        return _long_enough(environ[VARIABLE], f"${VARIABLE}")
    given = environ.get(f"{VARIABLE}_FILE", "")
    path = Path(given) if given else state / FILE_NAME
    try:
        if not given and not path.exists():
            _make(path)
        return _read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(f"the key of links can't be used: {error}")]) from error


def _make(path: Path) -> None:
    """Whole or not at all, and once, also between processes."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was faster: its key is as good
    finally:
        draft.unlink()


def _read(path: Path) -> bytes:
    with path.open() as file:
        if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            hint = f"chmod 600 {path}"
            raise ConfigError([Problem("others can read the key of links", str(path), hint=hint)])
        return _long_enough(file.read(), str(path))


def _long_enough(text: str, place: str) -> bytes:
    if len(text.strip()) < _SHORTEST:
        message = f"a key of links has {_SHORTEST} characters or more"
        raise ConfigError([Problem(message, place, hint="make one with: openssl rand -hex 32")])
    return text.strip().encode()
