"""What every playbook does here: say so in a log that no kill can undo, and change the world.

    effect.py FOLDER do|undo|act fx/<key>/<attempt>/<step>/<mode>/<milliseconds>/xf

A program of its own without imports from the project: Ansible's command module runs it, and so
does the stand-in. A key's world is the file FOLDER/world/<key>: there when the fault is mended.
"""

import json
import os
import sys
import time
from pathlib import Path

FAILING = {
    ("do", "prepare", "f1"),
    ("do", "fix", "f2"),
    ("do", "fix", "badundo"),
    ("undo", "fix", "badundo"),
    ("do", "replace", "f1"),
}
"""(what, step, mode) of runs that end with rc 1."""
MENDING = {("do", "fix", "ok"), ("do", "replace", "ok")}
"""Those after which the key's fault is gone."""


def main() -> int:
    """Log the start, take time, change the world in the middle, log the end."""
    folder, what, spec = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    _, key, attempt, step, mode, milliseconds, _ = spec.split("/")
    fact = {
        "ident": Path(os.environ.get("SELFHEAL_RUN", "none")).name,
        "what": what,
        "key": key,
        "attempt": attempt,
        "step": step,
        "mode": mode,
        "pid": os.getpid(),
    }
    _log(folder, {**fact, "phase": "S"})
    half = int(milliseconds or 0) / 2000
    time.sleep(half)
    rc = 1 if (what, step, mode) in FAILING else 0
    world = folder / "world" / key
    if (what, step, mode) in MENDING:
        world.write_text(attempt)
    elif what == "undo" and rc == 0:
        world.unlink(missing_ok=True)
    time.sleep(half)
    _log(folder, {**fact, "phase": "E", "rc": rc})
    return rc


def _log(folder: Path, fact: dict[str, object]) -> None:
    line = json.dumps({"at": time.time(), **fact}) + "\n"
    descriptor = os.open(folder / "effects.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
