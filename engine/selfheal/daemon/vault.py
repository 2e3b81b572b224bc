"""Values encrypted by ansible-vault: opened by Ansible's own program, never shown again."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selfheal.errors import ConfigError, Problem
from selfheal.recovery.executors.command import find_program
from selfheal.yamlfile import Vaulted

MASK = "******"
_SHORTEST = 3  # masking a shorter secret would spell it out by what it leaves of other texts
_TIMEOUT = 60.0


class Vault:
    """Opens `!vault` values, and hides what it has opened wherever text leaves the engine.

    `password_files` and `ids` (`label@file`) are what ansible-vault calls `--vault-password-file`
    and `--vault-id`; passwords themselves are never read here.
    """

    def __init__(self, password_files: tuple[Path, ...] = (), ids: tuple[str, ...] = ()) -> None:
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

    def mask(self, value: Any) -> Any:
        """Return `value`, or for containers a copy, with opened secrets blotted out of texts."""
        if not self._opened:
            return value
        if isinstance(value, str):
            for secret in self._secrets():
                value = value.replace(secret, MASK)
            return value
        if isinstance(value, Mapping):
            return {key: self.mask(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask(item) for item in value]
        return value

    def without_secrets(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables that hold nothing opened, fit to be recorded."""
        return {name: value for name, value in variables.items() if self.mask(value) == value}

    def _secrets(self) -> list[str]:
        """Longest first, so that none is left in part because it holds another."""
        texts = {text.strip() for text in self._opened.values()}
        return sorted((text for text in texts if len(text) >= _SHORTEST), key=len, reverse=True)

    def _open(self, value: Vaulted, place: str) -> str:
        if value.ciphertext not in self._opened:
            self._opened[value.ciphertext] = self._decrypt(value.ciphertext, place)
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


class MaskingFilter(logging.Filter):
    """Keeps opened secrets out of a log handler."""

    def __init__(self, vault: Vault) -> None:
        super().__init__()
        self._vault = vault

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if (masked := self._vault.mask(text)) != text:
            record.msg, record.args = masked, None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_text = self._vault.mask(record.exc_text)
        return True
