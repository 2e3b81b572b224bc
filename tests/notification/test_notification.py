"""What each kind of target is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfheal.config import Notify, Secret, SmtpTarget, WebhookTarget
from selfheal.errors import ConfigError
from selfheal.model import Kind
from selfheal.notification import build_notifier
from selfheal.store import SqliteRecord, open_record
from tests.notification.servers import mail_server, webhook


@pytest.fixture
def record() -> Iterator[SqliteRecord]:
    opened = open_record(":memory:")
    yield opened
    opened.close()


async def test_a_webhook_gets_the_evidence(record: SqliteRecord) -> None:
    """The configured webhook is posted subject, body and data, with a key to drop a repeat by."""
    async with webhook() as hook:
        notifier = build_notifier(Notify(webhooks=[WebhookTarget(url=hook.url)]), record)
        await notifier.notify("redis full", "the evidence", {"incident_id": "in-1"})
        await notifier.drain()
    assert hook.heard == [
        {
            "text": "redis full\nthe evidence",
            "subject": "redis full",
            "body": "the evidence",
            "data": {"incident_id": "in-1"},
        }
    ]
    [delivery] = record.deliveries()
    assert hook.keys == [delivery.notification.id]


async def test_a_mail_server_gets_one_mail_whose_subject_is_one_line(record: SqliteRecord) -> None:
    """The mail carries the evidence and its own id; a line break in the subject adds no header."""
    mails: list[str] = []
    async with mail_server(mails) as port:
        target = SmtpTarget(
            host="127.0.0.1", port=port, sender="a@example.org", to=["b@example.org"]
        )
        notifier = build_notifier(Notify(smtp=[target]), record)
        await notifier.notify("redis\nBcc: evil@example.org", "the evidence", {})
        await notifier.drain()
    [delivery] = record.deliveries()
    lines = mails[0].splitlines()
    assert "Subject: [selfheal] redis Bcc: evil@example.org" in lines
    assert f"Message-ID: <{delivery.notification.id}@selfheal.invalid>" in lines
    assert "the evidence" in mails[0]


async def test_secrets_of_a_webhook_come_from_files_and_the_environment(
    record: SqliteRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers and address may refer to a file, a variable, or a variable that names a file; a
    changed file is heard of without a restart, and nothing of it is on record."""
    (tmp_path / "token").write_text("Bearer one\n")
    (tmp_path / "other").write_text("two\n")
    async with webhook() as hook:
        monkeypatch.setenv("SELFHEAL_HOOK", hook.url)
        monkeypatch.setenv("SELFHEAL_KEY_FILE", str(tmp_path / "other"))
        headers = {
            "Authorization": Secret(file="token"),
            "X-Key": Secret(env="SELFHEAL_KEY"),
            "X-Plain": "plain",
        }
        target = WebhookTarget(url=Secret(env="SELFHEAL_HOOK"), headers=headers)
        notifier = build_notifier(Notify(webhooks=[target]), record, root=tmp_path)
        await notifier.notify("first", "b", {})
        await notifier.drain()
        (tmp_path / "token").write_text("Bearer new\n")
        hook.status = 500
        await notifier.notify("second", "b", {})
        await notifier.drain()
    sent = [(one["Authorization"], one["X-Key"], one["X-Plain"]) for one in hook.headers]
    assert sent == [("Bearer one", "two", "plain"), ("Bearer new", "two", "plain")]
    said = repr([(entry.text, entry.data) for entry in record.entries()])
    assert "500" in said
    assert not [secret for secret in ("Bearer", "/hook") if secret in said]


def test_a_secret_that_cannot_be_read_is_refused_at_start(
    record: SqliteRecord, tmp_path: Path
) -> None:
    """Not at the first incident: the error names the file, or the variable."""
    nowhere = WebhookTarget(url="http://127.0.0.1:1/", headers={"a": Secret(file="nowhere")})
    with pytest.raises(ConfigError, match=r"nowhere: a secret can't be read: No such file"):
        build_notifier(Notify(webhooks=[nowhere]), record, root=tmp_path)
    unset = WebhookTarget(url=Secret(env="SELFHEAL_UNSET"))
    with pytest.raises(ConfigError, match="SELFHEAL_UNSET_FILE"):
        build_notifier(Notify(webhooks=[unset]), record)


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhooks": [{"url": {"file": "a", "env": "B"}}]},
        {"webhooks": [{"url": {}}]},
        {"webhooks": [{"url": "http://a", "name": "x"}, {"url": "http://b", "name": "x"}]},
        {"smtp": [{"host": "h", "sender": "a@b", "to": ["c@d"], "user": "u"}]},
    ],
)
def test_a_configuration_that_means_two_things_or_nothing_is_refused(wrong: dict) -> None:  # type: ignore[type-arg]  # as YAML gives it
    """One place a secret, one name a target, a password for each login."""
    with pytest.raises(ValidationError):
        Notify.model_validate(wrong)


async def test_without_any_target_the_record_still_knows(record: SqliteRecord) -> None:
    """A project that configures nobody has the call for help in its timeline."""
    await build_notifier(Notify(), record).notify("s", "b", {"incident_id": "in-9"})
    entry = record.last_entry(Kind.NOTIFICATION)
    assert entry is not None
    assert entry.incident_id == "in-9"
    assert "human needed" in entry.text
