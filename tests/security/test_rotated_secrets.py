"""Secrets that change while the engine runs: what is read anew is hidden before it is used."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

import pytest

from selfheal.config import Secret, load_project
from selfheal.config.secret import read_value
from selfheal.daemon.known_secrets import learn_project
from selfheal.daemon.masked_output import mask_process
from selfheal.daemon.options import Options
from selfheal.masking import MASK, Secrets
from selfheal.recovery.executors import MemoryRunner
from tests.daemon.support import engine_inside, write_project
from tests.security.planted import leaks_in_folder

NEW = "NEW9NEW9NEW9NEW9NEW9"
HEADER = "a-new-header-of-the-chat"


def test_a_secret_is_told_before_it_is_used(tmp_path: Path) -> None:
    """Each reading tells the learner: what stands in the file now, not at the start."""
    told: list[str] = []
    secret, path = Secret(file="pw", env=""), tmp_path / "pw"
    for text in ("the first", "the second"):
        path.write_text(f"{text}\n")
        assert secret.read(tmp_path, told.append) == text
        assert read_value(secret, tmp_path, told.append) == text
    assert read_value("in clear", tmp_path, told.append) == "in clear"
    assert told == ["the first", "the first", "the second", "the second"]


def test_the_path_of_a_url_in_a_file_is_secret(tmp_path: Path) -> None:
    """Of a URL from a file the token in its path is hidden alone, too; so is the key of links."""
    (tmp_path / "url").write_text(f"https://me:s3cr3t-one@hooks.example.com/services/{NEW}\n")
    folder = write_project(tmp_path, notify={"webhooks": [{"url": {"file": "url"}}]})
    secrets = Secrets()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFHEAL_LINK_KEY", "of-links-" * 5)
        learn_project(secrets, load_project(folder))
    shown = secrets.mask(f"me s3cr3t-one hooks.example.com {NEW} {'of-links-' * 5}")
    assert shown == f"me {MASK} hooks.example.com {MASK} {MASK}"


async def test_a_rotated_url_is_in_no_error_of_a_courier(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A courier that fails with the address in the error's text tells it masked: in the timeline,
    the log and the record, although the address came into its file after the start."""
    (tmp_path / "url").write_text("http://127.0.0.1:9/services/OLD0OLD0OLD0OLD0OLD0")
    (tmp_path / "header").write_text("the-old-header-of-the-chat")
    hook = {"name": "chat", "url": {"file": "url"}, "headers": {"X-Key": {"file": "header"}}}
    folder = write_project(tmp_path, notify={"webhooks": [hook]}, approval={"confidence": 0})
    secrets = Secrets()
    _restore_logging(monkeypatch)
    mask_process(secrets)
    async with engine_inside(folder, MemoryRunner(), options=Options(secrets=secrets)) as engine:
        # aiohttp refuses an address without a scheme, and quotes it.
        (tmp_path / "url").write_text(f"hooks.example.com/services/{NEW}")
        (tmp_path / "header").write_text(HEADER)
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.told("could not tell chat"), within=30)
        said = [text for text in engine.texts() if "could not tell" in text]
    assert any(MASK in text for text in said), said
    assert secrets.mask(HEADER) == MASK
    assert not leaks_in_folder([NEW, HEADER], tmp_path / ".selfheal")
    assert NEW not in caplog.text
    assert NEW not in str(said)


def _restore_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """What masks this process is undone when the test ends."""
    monkeypatch.setattr(logging, "_logRecordFactory", logging.getLogRecordFactory())
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
