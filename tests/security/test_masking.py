"""One mask: every spelling of what it has learned, and nothing else."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import markupsafe
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jinja2.utils import htmlsafe_json_dumps

from selfheal.daemon.known_secrets import file_or_environment, learn_arguments
from selfheal.errors import ConfigError
from selfheal.masking import MASK, Secrets, looks_secret
from selfheal.store import open_record
from tests.security.planted import leaks

SECRETS = st.text(
    st.characters(codec="utf-8", exclude_characters="*"), min_size=10, max_size=60
).filter(lambda text: len(text.strip()) >= 10)


ENCODERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": json.dumps,
    "json of unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "repr": repr,
    "percent": quote,
    "percent all": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "shell": shlex.quote,
    "html": html.escape,
    "jinja's e": lambda text: str(markupsafe.escape(text)),
    "jinja's tojson": lambda text: str(htmlsafe_json_dumps(text)),
    "json with slashes escaped": lambda text: json.dumps(text).replace("/", "\\/"),
    "json three deep": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "json four deep": lambda text: json.dumps(json.dumps(json.dumps(json.dumps(text)))),
    "json of upper case": lambda text: re.sub(
        r"u[0-9a-f]{4}", lambda found: "u" + found[0][1:].upper(), json.dumps(text)
    ),
    "yaml": lambda text: yaml.safe_dump({"a": {"b": text}}),
    "yaml in double quotes": lambda text: yaml.safe_dump(text, default_style='"'),
    "yaml of unicode": lambda text: yaml.safe_dump(text, allow_unicode=True, width=20),
    "repr of bytes": lambda text: repr(text.encode()),
    "mime base64": lambda text: base64.encodebytes(b"p" * 50 + text.encode()).decode(),
    "mime base64 in json": lambda text: json.dumps(
        base64.encodebytes(b"p" * 49 + text.encode()).decode()
    ),
    "hex": lambda text: text.encode().hex(),
    "upper-case hex": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "url-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


@pytest.mark.parametrize("encoder", ENCODERS)
@settings(deadline=None)  # a pattern is compiled at its first use
@given(secret=SECRETS, before=st.text("xyz: ", max_size=5), after=st.text("xyz: ", max_size=5))
def test_no_spelling_is_left(encoder: str, secret: str, before: str, after: str) -> None:
    """Escaped, quoted, encoded, amid other text: no spelling of it is left."""
    secrets, secret = Secrets(), secret.strip()
    try:
        secrets.learn(secret, "a test")
    except ConfigError:
        assume(False)  # a word of the record
    masked = secrets.mask(ENCODERS[encoder](f"{before}{secret}{after}"))
    left = [one for one in leaks([secret], encoder, masked.encode()) if secret != MASK]
    assert not left
    assert MASK in masked


@given(
    data=st.recursive(
        st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_stays_json(data: object) -> None:
    """A masked document can still be read, and without the secret it is the same."""
    secrets = Secrets()
    secrets.learn("swordfish", "a test")
    document = json.dumps({"data": data, "said": "the swordfish"})
    masked = json.loads(secrets.mask_document(document))
    assert masked["said"] == f"the {MASK}"
    assert masked["data"] == data or "swordfish" in document.replace("the swordfish", "")


@pytest.mark.parametrize("known", ["sk-0123456789abcdef", "0123456789abcdef"])
def test_a_secret_shaped_like_an_id_is_hidden(known: str) -> None:
    """A token that looks like an id of the record is hidden: alone, in data, in documents, and
    it gets into no healing's variables."""
    secrets, token = Secrets(), "sk-0123456789abcdef"
    secrets.learn(known, "a test")
    for masked in (
        secrets.mask(token),
        secrets.mask_document(token),
        json.dumps(secrets.mask({token: [token]})),
        secrets.mask_document(json.dumps({"of": "in-0123456789abcdeg", "a": token})),
    ):
        assert MASK in masked
        assert known not in masked
    assert secrets.without_secrets({"api_token": token, "a": 1}) == {"a": 1}


def test_an_id_is_left_alone() -> None:
    """An id that holds a short secret by chance stays whole; a text around it is masked."""
    secrets = Secrets()
    secrets.learn("0123", "a test")
    assert secrets.mask("in-0123456789abcdef") == "in-0123456789abcdef"
    assert secrets.mask_document("in-0123456789abcdef") == "in-0123456789abcdef"
    assert secrets.mask({"id": "in-0123456789abcdef"}) == {"id": "in-0123456789abcdef"}
    assert secrets.mask("pw 0123 of in-zzzzzzzzzzzzzzzz") == f"pw {MASK} of in-zzzzzzzzzzzzzzzz"


@pytest.mark.parametrize("value", ["abc", "true", "running", "healed"])
def test_what_cannot_be_hidden_is_refused(value: str) -> None:
    """Too short, or a word of the record's own: the place is named, the value is not."""
    with pytest.raises(ConfigError, match="vault: password") as refused:
        Secrets().learn(value, "vault: password")
    assert f"{value!r}" not in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        {"db_passwords": ["hunter2hunter2", "zebra-zebra-9"]},
        {"password": {"prod": "hunter2hunter2", "test": {"eu": "zebra-zebra-9"}}},
        {"credentials": [{"user": "a", "value": "hunter2hunter2"}, {"pin": "zebra-zebra-9"}]},
        {"secrets": {"db": "hunter2hunter2", "token_url": "zebra-zebra-9"}},
        {"deep": [[{"api_tokens": [["hunter2hunter2"]], "plain": {"pwd": "zebra-zebra-9"}}]]},
    ],
)
def test_lists_and_mappings_under_secret_names(data: object) -> None:
    """Under a name of secrets each text in a list or a mapping is one."""
    secrets = Secrets()
    secrets.learn_named(data, "vars")
    assert secrets.mask("hunter2hunter2") == MASK
    beside = "token_url" in str(data)
    assert secrets.mask("zebra-zebra-9") == ("zebra-zebra-9" if beside else MASK)


def test_what_stands_beside_a_secret_is_shown() -> None:
    """User, host, port and the place of a secret are none, and neither is a template."""
    secrets = Secrets()
    beside = {"user": "alice", "db_host": "db1.example.com", "port": 123456, "userName": "robert"}
    where = {"password": {"file": "secrets/pw", "env": "THE_PASSWORD"}, "max_tokens": ["many"]}
    secrets.learn_named({"credentials": [beside], **where, "token": ["{{ a }}"]}, "vars")
    assert secrets.count == 0


@pytest.mark.parametrize(
    "name",
    [
        *("password", "DB_PASSWORD", "api-key", "apiKey", "X-Auth-Token", "client_secret"),
        *("api_tokens", "MYSQL_PWD", "pwd", "link_key", "SELFHEAL_LINK_KEY", "master_key"),
        *("accountKey", "shared_key", "secret_id", "GITHUB_PAT", "wg_psk", "storage_key"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    """What sounds like a secret is one."""
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("password_file", "passive", "token_url", "key", "monkey", "author", "hmac_algo", "host"),
        *("PWD", "OLDPWD", "max_tokens", "access_key_id", "token_id", "path", "pattern"),
    ],
)
def test_names_of_other_things(name: str) -> None:
    """What only contains such a word is none."""
    assert not looks_secret(name)


def test_urls_and_connection_strings_hold_passwords() -> None:
    """`//user:password@`, `?token=` and `password=` are learned from arguments."""
    secrets = Secrets()
    learn_arguments(secrets, {"a": "https://me:s3cr3t-one@x/?token=s3cr3t-two"}, "x")
    learn_arguments(secrets, {"dsn": "host=x password='s3cr3t three' user=me"}, "x")
    assert secrets.mask("s3cr3t-one s3cr3t-two s3cr3t three") == f"{MASK} {MASK} {MASK}"


def test_the_environment_and_its_file_variant(tmp_path: Path) -> None:
    """`NAME_FILE` is read in the place of NAME and always a secret; both at once are refused."""
    (tmp_path / "secret").write_text("from the file\n")
    secrets, environ = Secrets(), {"WORD_FILE": str(tmp_path / "secret"), "PLAIN": "visible"}
    assert file_or_environment("WORD", environ, secrets) == "from the file"
    assert file_or_environment("PLAIN", environ, secrets) == "visible"
    assert secrets.mask("from the file, visible") == f"{MASK}, visible"
    with pytest.raises(ConfigError, match="both"):
        file_or_environment("WORD", {**environ, "WORD": "x"}, secrets)


def test_the_record_never_gets_it(tmp_path: Path) -> None:
    """Whatever is written through the record's connection is masked, in bytes on the disk."""
    secrets = Secrets()
    secrets.learn('sword"fish', "a test")
    record = open_record(tmp_path / "r.db", mask=secrets.mask_document)
    record.post("emit", {"event": {"a": ['say sword"fish', {'sword"fish': 1}]}}, 1.0)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    record.close()
    assert b"fish" not in stored
    assert MASK.encode() in stored


@pytest.mark.parametrize(
    "secret", ["\"'\"'\"'\"'\"'", "< > < > < >", "+ + + + +", "it's '<c>' \\ 1"]
)
@pytest.mark.parametrize(
    "unit", ["\\", "'", " ", "+", "\\u0020", "&#39;", "< ", '" \\n', "it's '<"]
)
def test_no_text_makes_masking_slow(secret: str, unit: str) -> None:
    """What somebody sends to make the search go back and forth costs linear time."""
    secrets = Secrets()
    secrets.learn(secret, "a test")
    began = time.perf_counter()
    secrets.mask(unit * (16_000 // len(unit)))
    assert time.perf_counter() - began < 5


def test_a_row_costs_little() -> None:
    """With thirty secrets a row of a kilobyte is masked in well under a millisecond."""
    secrets = Secrets()
    for number in range(30):
        secrets.learn(f"a secret of number {number}", "a test")
    row = json.dumps({"text": "nothing of it " * 70})
    began = time.perf_counter()
    for _ in range(200):
        secrets.mask_document(row)
    assert (time.perf_counter() - began) / 200 < 0.002
