"""A certificate authority for one test, by the openssl program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers import require


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path


def authority(folder: Path) -> Certificate:
    """A self-made authority."""
    return _make(folder, "ca", ["-x509", "-subj", "/CN=test authority"])


def issued(ca: Certificate, folder: Path, name: str) -> Certificate:
    """A certificate of that authority for 127.0.0.1."""
    signing = ["-x509", "-CA", str(ca.cert), "-CAkey", str(ca.key), "-subj", f"/CN={name}"]
    extensions = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"]
    return _make(folder, name, [*signing, *extensions])


def _make(folder: Path, name: str, extra: list[str]) -> Certificate:
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    new = [require("openssl"), "req", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    files = ["-out", str(made.cert), "-keyout", str(made.key)]
    subprocess.run([*new, *files, *extra], check=True, capture_output=True, timeout=30)
    return made
