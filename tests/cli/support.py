"""Running `selfheal` as a program, and small projects to run it on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.daemon.support import INSTALL, Install


def selfheal(
    *arguments: str | Path,
    cwd: Path | None = None,
    stdin: bytes = b"",
    install: Install = INSTALL,
) -> subprocess.CompletedProcess[str]:
    """Run `selfheal` to its end."""
    done = subprocess.run(
        [install.python, "-m", "selfheal.cli", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env=install.env,
        timeout=120,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def data_of(*arguments: str | Path) -> Any:
    """Return what a verb prints with `-o json`."""
    done = selfheal(*arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
