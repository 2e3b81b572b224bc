"""Values encrypted by ansible-vault: opened by Ansible's own program, learned as secrets."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfheal.errors import ConfigError, Problem
from selfheal.masking import Secrets
from selfheal.recovery.executors.command import find_program
from selfheal.yamlfile import Vaulted

_TIMEOUT = 60.0


class Vault:
    """Opens `!vault` values; `secrets` learns what was opened, and the passwords.

    `password_files` and `ids` (`label@file`) are what ansible-vault calls `--vault-password-file`
    and `--vault-id`; a password is read only to be hidden.
    """

    def __init__(
        self,
        password_files: tuple[Path, ...] = (),
        ids: tuple[str, ...] = (),
        secrets: Secrets | None = None,
    ) -> None:
        self._secrets = secrets or Secrets()
        for path in (*password_files, *(Path(one.rpartition("@")[2]) for one in ids)):
            self._learn_password(path)
        files = [f"--vault-password-file={path}" for path in password_files]
        self._flags = [*files, *(f"--vault-id={one}" for one in ids)]
        self._opened: dict[str, str] = {}

    def reveal(self, value: Any, place: str) -> Any:
        """Return a copy of `value` with every encrypted value in it opened.

        Raises `ConfigError`, which names `place`, when one can't be."""
        if isinstance(value, Vaulted):
            return self._open(value, place)
        if isinstance(value, Mapping):
            return {key: self.reveal(item, place) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.reveal(item, place) for item in value]
        return value

    def _learn_password(self, path: Path) -> None:
        """A script that prints the password is Ansible's to run, not ours to read."""
        if path.is_file() and not os.access(path, os.X_OK):
            self._secrets.learn(path.read_text(errors="replace"), str(path))

    def _open(self, value: Vaulted, place: str) -> str:
        if value.ciphertext not in self._opened:
            opened = self._decrypt(value.ciphertext, place)
            self._secrets.learn(opened, place)
            self._opened[value.ciphertext] = opened
        return self._opened[value.ciphertext]

    def _decrypt(self, ciphertext: str, place: str) -> str:
        if not self._flags:
            hint = "give --vault-password-file or --vault-id"
            raise ConfigError(
                [Problem("holds a value encrypted by ansible-vault", place, hint=hint)]
            )
        command = [find_program("ansible-vault"), "decrypt", *self._flags, "--output=-"]
        try:
            done = subprocess.run(
                command, input=ciphertext, capture_output=True, text=True, timeout=_TIMEOUT
            )
        except subprocess.TimeoutExpired as error:
            raise ConfigError([Problem("ansible-vault does not answer", place)]) from error
        if done.returncode:
            why = " ".join(done.stderr.split())[:300]
            raise ConfigError([Problem(f"ansible-vault can't decrypt a value: {why}", place)])
        return done.stdout


def holds_encrypted(value: Any) -> bool:
    """Tell whether an encrypted value stands anywhere in `value`."""
    if isinstance(value, Mapping):
        return any(holds_encrypted(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds_encrypted(item) for item in value)
    return isinstance(value, Vaulted)
