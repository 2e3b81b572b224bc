"""Signed links and their key: nothing but what this key signed is a link."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.approvals import Link, Links, load_key
from selfheal.approvals.links import ANYBODY, Verb
from selfheal.errors import ConfigError

LINKS = Links(b"k" * 32, "https://heal.example/")
LINK = Link("ap-1", "anna", "approve", 1000)
DATA: dict[str, Any] = {"approval_id": "ap-1", "approvers": ["anna", "ben"], "expires_at": 1000.7}

names = st.text(min_size=1, max_size=40)


@given(names, names, st.sampled_from(["approve", "deny"]), st.integers(0, 2**40))
def test_what_is_signed_can_be_read_and_travels_in_a_url(
    ident: str, who: str, verb: Any, expires_at: int
) -> None:
    """A link comes back as it was, and its token needs no quoting."""
    link = Link(ident, who, verb, expires_at)
    token = LINKS.sign(link)
    assert quote(token, safe="") == token
    if len(token) <= 1000:
        assert LINKS.read(token) == link


@given(st.integers(0, 500), st.characters(codec="ascii"))
def test_no_letter_can_be_changed(place: int, letter: str) -> None:
    """A token with one letter changed, wherever, is no link, though base64 has spare bits."""
    token = LINKS.sign(LINK)
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        assert LINKS.read(changed) is None


@given(st.one_of(st.text(), st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_rubbish_is_no_link(text: str) -> None:
    """Whatever comes instead of a token is refused without an error."""
    assert LINKS.read(text) is None
    assert LINKS.read(f"{text}.{text}") is None


@pytest.mark.parametrize(
    "forged",
    [
        ["ap-1", "anna", "deny", 1000],
        ["ap-2", "anna", "approve", 1000],
        ["ap-1", "ben", "approve", 1000],
        ["ap-1", "anna", "approve", 9999],
        ["ap-1", "anna", "approve", 1000.0],
        ["ap-1", "anna", "approve", True],
        ["ap-1", "anna", "approve"],
        {"approval_id": "ap-1"},
        [[[[]]]],
    ],
)
def test_a_signature_is_of_one_link_only(forged: Any) -> None:
    """Another verb, question, person or time under the signature of a good link is no link."""
    mac = LINKS.sign(LINK).partition(".")[2]
    payload = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
    assert LINKS.read(f"{payload}.{mac}") is None


def test_another_key_another_link() -> None:
    """What another engine has signed does nothing here."""
    assert LINKS.read(Links(b"x" * 32, "https://heal.example").sign(LINK)) is None


def test_links_go_to_the_person_they_are_for() -> None:
    """An approver's own target gets that approver's links; a shared one, or a stranger's, none:
    a link says who answered."""
    lines = LINKS.text(DATA, "anna").splitlines()
    assert len(lines) == 2
    verbs: tuple[Verb, ...] = ("approve", "deny")
    for line, verb in zip(lines, verbs, strict=True):
        start, token = line.split("/answer/")
        assert start == f"{verb} (opens a page): https://heal.example"
        assert LINKS.read(token) == Link("ap-1", "anna", verb, 1000)
    assert LINKS.text(DATA) == LINKS.text(DATA, "eve") == ""


def test_where_nobody_is_named_anybody_gets_them() -> None:
    """Without approvers a shared target gets links; the record will say that a link answered."""
    data = DATA | {"approvers": []}
    token = LINKS.text(data).split("/answer/")[-1]
    assert LINKS.read(token) == Link("ap-1", ANYBODY, "deny", 1000)
    assert LINKS.text(data, "anna").count("/answer/") == 2


def test_other_messages_get_none() -> None:
    """A message that asks for no approval stays as it is."""
    assert LINKS.text({"incident_id": "in-1"}, "anna") == ""


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    """The first use makes a file of 0600, the next ones read it."""
    state = tmp_path / "state"
    key = load_key(state, {})
    assert len(key) >= 32
    assert stat.S_IMODE((state / "link.key").stat().st_mode) == 0o600
    assert load_key(state, {}) == key
    assert os.listdir(state) == ["link.key"]


def test_processes_that_race_have_one_key(tmp_path: Path) -> None:
    """Of many that make the key at the same moment all get the same."""
    code = (
        "import sys; from pathlib import Path; from selfheal.approvals import load_key;"
        "sys.stdin.readline(); print(load_key(Path(sys.argv[1]), {}).decode())"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    keys = {racer.communicate("go\n", timeout=60)[0] for racer in racers}
    assert len(keys) == 1
    assert len(keys.pop().strip()) == 64


def test_the_operator_may_give_the_key(tmp_path: Path) -> None:
    """By the environment, or by a file that it names; then none is made."""
    file = tmp_path / "given"
    file.write_text("f" * 40 + "\n")
    file.chmod(0o600)
    assert load_key(tmp_path, {"SELFHEAL_LINK_KEY": "e" * 32}) == b"e" * 32
    assert load_key(tmp_path, {"SELFHEAL_LINK_KEY_FILE": str(file)}) == b"f" * 40
    assert os.listdir(tmp_path) == ["given"]


def test_a_bad_key_is_refused(tmp_path: Path) -> None:
    """One that is short, missing, or readable by others is worse than no links."""
    short, open_to_all = tmp_path / "short", tmp_path / "open"
    short.write_text("abc")
    short.chmod(0o600)
    open_to_all.write_text("o" * 40)
    open_to_all.chmod(0o644)
    for environ, why in (
        ({"SELFHEAL_LINK_KEY": "abc"}, "32 characters"),
        ({"SELFHEAL_LINK_KEY_FILE": str(short)}, "32 characters"),
        ({"SELFHEAL_LINK_KEY_FILE": str(tmp_path / "none")}, "No such file"),
        ({"SELFHEAL_LINK_KEY_FILE": str(open_to_all)}, "others can read"),
    ):
        with pytest.raises(ConfigError, match=why):
            load_key(tmp_path, environ)
