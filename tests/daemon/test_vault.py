"""Encrypted values: opened by the real ansible-vault, hidden wherever text leaves the engine."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from selfheal.daemon.masked_output import MaskingFilter
from selfheal.daemon.vault import Vault
from selfheal.errors import ConfigError
from selfheal.masking import MASK, Secrets
from selfheal.recovery.executors.command import find_program
from selfheal.yamlfile import Vaulted
from tests.daemon.support import needs_ansible

SECRET = "swordfish {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def password(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the vault's password."""
    needs_ansible()
    path = tmp_path_factory.mktemp("vault") / "password"
    path.write_text("open sesame")
    return path


@pytest.fixture(scope="module")
def ciphertext(password: Path) -> str:
    """`SECRET`, encrypted."""
    command = [find_program("ansible-vault"), "encrypt", f"--vault-password-file={password}"]
    done = subprocess.run(
        [*command, "--output=-"], input=SECRET, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_values_are_opened_wherever_they_stand(password: Path, ciphertext: str) -> None:
    """Encrypted values in lists and mappings are opened, everything else is left as it is."""
    given = {"a": [1, {"b": Vaulted(ciphertext)}], "c": "plain"}
    assert Vault((password,)).reveal(given, "x.yml") == {"a": [1, {"b": SECRET}], "c": "plain"}


def test_what_was_opened_is_masked(password: Path, ciphertext: str) -> None:
    """An opened secret is blotted out of texts, also inside containers and within other text."""
    secrets = Secrets()
    Vault((password,), secrets=secrets).reveal(Vaulted(ciphertext), "x.yml")
    assert secrets.mask("open sesame") == MASK
    assert secrets.mask({"a": [f"<{SECRET}>", 5]}) == {"a": [f"<{MASK}>", 5]}
    assert secrets.without_secrets({"a": {"deep": SECRET}, "b": "open"}) == {"b": "open"}


def test_the_log_shows_no_secret(password: Path, ciphertext: str) -> None:
    """Neither a log line's arguments nor its traceback bring a secret to light."""
    secrets = Secrets()
    Vault((password,), secrets=secrets).reveal(Vaulted(ciphertext), "x.yml")
    record = logging.LogRecord("x", logging.ERROR, "f.py", 1, "it says %s", (SECRET,), None)
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    assert MaskingFilter(secrets).filter(record)
    text = logging.Formatter().format(record)
    assert MASK in text
    assert SECRET not in text


def test_a_wrong_password_is_named_by_place(
    tmp_path: Path, password: Path, ciphertext: str
) -> None:
    """What can't be decrypted is refused with the file it stands in, and without the password."""
    wrong = tmp_path / "wrong"
    wrong.write_text("open barley")
    with pytest.raises(ConfigError, match=r"rules\.yml.*can't decrypt") as refused:
        Vault((wrong,)).reveal([Vaulted(ciphertext)], "rules.yml")
    assert "barley" not in str(refused.value)


def test_without_a_password_the_option_is_named() -> None:
    """An encrypted value without any password says which option to give."""
    with pytest.raises(ConfigError, match="--vault-password-file"):
        Vault().reveal(Vaulted("$ANSIBLE_VAULT;1.1;AES256\n00"), "x.yml")
