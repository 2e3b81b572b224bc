"""`api:` and `approval:` in selfheal.yml: what is refused, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.config import load_project
from selfheal.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("api: {host: 0.0.0.0}", "unencrypted over the network to 0.0.0.0"),
        ("api: {host: '::'}", "unencrypted"),
        ("api: {host: heal.example.org}", "unencrypted"),
        ("api: {keyfile: k}", "keyfile without certfile"),
        ("api: {users: [{name: a}]}", "a needs one token"),
        ("api: {users: [{name: a, token_file: f, token: {env: E}}]}", "a needs one token"),
        ("api: {users: [{name: a, token_file: f}, {name: a, token_file: g}]}", "two users"),
        ("api: {rate: 0}", "rate"),
        ("api: {body_timeout: 0}", "body_timeout"),
        ("api: {tokens: []}", "unknown key"),
        ("approval: {need: all}", "`all` of nobody"),
        ("approval: {need: all, approvers: []}", "`all` of nobody"),
        ("approval: {approvers: [anna, anna]}", "stands twice"),
        ("approval: {approvers: ['']}", "a name is empty"),
        ("approval: {expires: 0}", "expires"),
        ("approval: {expires: soon}", "expires"),
    ],
)
def test_refused(tmp_path: Path, text: str, why: str) -> None:
    """A setting that would let strangers in, or approve by nobody, is refused with its line."""
    (tmp_path / "selfheal.yml").write_text(f"{text}\n")
    with pytest.raises(ConfigError, match=why) as caught:
        load_project(tmp_path)
    assert [problem.line for problem in caught.value.problems] == [1]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{host: 127.0.0.2}",
        "{host: localhost}",
        "{host: '::1'}",
        "{host: 0.0.0.0, certfile: c.pem}",
        "{host: 0.0.0.0, insecure: true}",
    ],
)
def test_allowed(tmp_path: Path, text: str) -> None:
    """Loopback needs nothing, another address TLS or the operator's word."""
    (tmp_path / "selfheal.yml").write_text(f"api: {text}\n")
    assert load_project(tmp_path).config.api


def test_nothing_listens_by_default(tmp_path: Path) -> None:
    """Without `api:` there is no API."""
    assert load_project(tmp_path).config.api is None


def test_where_people_reach_it(tmp_path: Path) -> None:
    """Links begin with the configured URL, or with where it listens."""
    for text, url in (
        ("{}", "http://127.0.0.1:8421"),
        ("{host: '::1', port: 1, certfile: c}", "https://[::1]:1"),
        ("{url: 'https://heal.example.org/'}", "https://heal.example.org"),
    ):
        (tmp_path / "selfheal.yml").write_text(f"api: {text}\n")
        api = load_project(tmp_path).config.api
        assert api
        assert api.base_url == url
