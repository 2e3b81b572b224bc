"""pause, resume, silence, maintenance, autonomy: what they leave on the record, and refuse."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.cli.answers import os_user
from selfheal.config import load_project
from selfheal.model import Autonomy, AutonomyChange, Kind, Storm, new_id
from selfheal.store import SqliteRecord, open_record
from tests.daemon.support import INSTALL

from .support import data_of, selfheal

RULEBOOK = """
- name: web
  hosts: all
  sources: []
  rules:
    - name: down
      condition: event.down is defined
      autonomy: approve
      action: {heal: {fault: connection_failure, component: web, root_cause: dead}}
    - name: chatter
      condition: event.chat is defined
      action: {debug: }
  solutions:
    - name: restart
      root_cause: dead
      strategy: quick_fix
      risk: low
      steps: [{playbook: restart.yml}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "rulebooks").mkdir()
    (tmp_path / "rulebooks" / "web.yml").write_text(RULEBOOK)
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "restart.yml").write_text("[]")
    return tmp_path


@pytest.fixture
def record(project: Path) -> Iterator[SqliteRecord]:
    """The record as the engine would see it."""
    record = open_record(load_project(project).database)
    yield record
    record.close()


def done(*words: str | Path) -> str:
    run = selfheal(*words)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def refused(*words: str | Path) -> str:
    run = selfheal(*words)
    assert run.returncode == 2
    return run.stderr


def test_pause_and_resume(project: Path, record: SqliteRecord) -> None:
    """A pause is on record with who and why; the engine finds a message; resume lifts it."""
    done("pause", "moving the database", "-p", project)
    [pause] = record.pauses(time.time())
    assert (pause.reason, pause.until) == ("moving the database", None)
    assert pause.who
    assert [kind for _, kind, _ in record.take()] == ["rails_changed"]
    entry = record.last_entry(Kind.RAIL)
    assert entry
    assert "moving the database" in entry.text
    [row] = data_of("pause", "--list", "-p", project)
    assert (row["id"], row["scope"]) == (pause.id, "global")
    done("resume", "-p", project)
    assert record.pauses(time.time()) == []
    assert "nothing such is paused" in refused("resume", "-p", project)


def test_a_pause_of_one_rule_for_an_hour(project: Path, record: SqliteRecord) -> None:
    """It ends by itself, and resuming everything else does not lift it."""
    done("pause", "noisy", "--rule", "down", "--for", "1h", "-p", project)
    done("pause", "broken", "--solution", "restart", "-p", project)
    refused("resume", "-p", project)
    by_rule, by_solution = record.pauses(time.time())
    assert by_rule.until == pytest.approx(time.time() + 3600, abs=60)
    done("resume", by_solution.id[:-2], "-p", project)
    assert record.pauses(time.time()) == [by_rule]
    done("resume", "--rule", "down", "-p", project)
    assert record.pauses(time.time()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pause"], "a reason is needed"),
        (["pause", "x", "--rule", "dwn"], "did you mean 'down'"),
        (["pause", "x", "--solution", "reboot"], "no solution is named"),
        (["pause", "x", "--for", "1h", "--until", "2099-01-01"], "not both"),
        (["pause", "x", "--until", "2001-01-01"], "is over already"),
        (["pause", "x", "--until", "soon"], "is no time"),
        (["silence", "add", "target=x", "-m", "x"], "for how long?"),
        (["silence", "add", "target=x", "--for", "1h"], "--reason"),
        (["silence", "add", "target", "-m", "x", "--for", "1h"], "is not a matcher"),
        (["silence", "add", "target!=x", "-m", "x", "--for", "1h"], "silences everything"),
        (["silence", "expire", "si-nope"], "no silence"),
        (["maintenance", "end", "mw-nope"], "no maintenance"),
        (["maintenance", "add", "-m", "x", "--for", "0s"], "over before it begins"),
        (["autonomy", "set", "dwn", "auto", "-m", "x"], "did you mean 'down'"),
        (["autonomy", "set", "down", "always", "-m", "x"], "'always' is not one of"),
    ],
    ids=" ".join,
)
def test_what_is_refused(project: Path, record: SqliteRecord, words: list[str], said: str) -> None:
    """Each mistake is named, and nothing of it is on record."""
    assert said in refused(*words, "-p", project)
    assert record.take() == []
    assert not record.pauses(time.time())
    assert not record.silences(0)
    assert not record.maintenances(0)


def test_broken_rulebooks_are_no_reason_not_to_pause(project: Path, record: SqliteRecord) -> None:
    """When everything is on fire the name is taken as it is."""
    (project / "rulebooks" / "web.yml").write_text("- nonsense")
    done("pause", "fire", "--rule", "down", "-p", project)
    assert [one.name for one in record.pauses(time.time())] == ["down"]


def test_silences(project: Path, record: SqliteRecord) -> None:
    """Added, listed while they hold or will, expired by the beginning of the id."""
    ident = done("silence", "add", 'target=~"web.*"', "team=shop", "-m", "deploy", "--for", "2h",
                 "-p", project)  # fmt: skip
    later = done("silence", "add", "target=db", "-m", "x", "--start", "2098-01-01", "--for", "1h",
                 "-p", project)  # fmt: skip
    rows = {row["id"]: row for row in data_of("silence", "list", "-p", project)}
    assert {key: row["state"] for key, row in rows.items()} == {ident: "active", later: "pending"}
    assert rows[ident]["matchers"] == 'target=~"web.*", team="shop"'
    done("silence", "expire", ident[:-2], "-p", project)
    assert [row["id"] for row in data_of("silence", "list", "-p", project)] == [later]
    assert len(data_of("silence", "list", "--all", "-p", project)) == 2
    assert len(record.take()) == 3


def test_maintenance(project: Path, record: SqliteRecord) -> None:
    """Windows of this once stand beside those of the configuration."""
    (project / "selfheal.yml").write_text(
        "rails: {maintenance: [{name: always, time_intervals: [{years: ['2000:2990']}]}]}"
    )
    ident = done("maintenance", "add", "-m", "new disks", "--for", "30m", "-p", project)
    once, recurring = data_of("maintenance", "list", "-p", project)
    assert (once["id"], once["state"], once["reason"]) == (ident, "active", "new disks")
    assert (recurring["reason"], recurring["state"]) == ("always", "active")
    done("maintenance", "end", ident, "-p", project)
    assert [row["reason"] for row in data_of("maintenance", "list", "-p", project)] == ["always"]


def test_autonomy(project: Path, record: SqliteRecord) -> None:
    """What the rulebook says, what was set and why, what the engine took back; rules that heal."""
    [row] = data_of("autonomy", "list", "-p", project)
    assert (row["rule"], row["written"], row["now"], row["changed_by"]) == (
        "down",
        "approve",
        "approve",
        "",
    )
    done("autonomy", "set", "down", "auto", "-m", "it works", "-p", project)
    [row] = data_of("autonomy", "list", "-p", project)
    assert (row["now"], row["reason"]) == ("auto", "it works")
    record.change_autonomy(
        AutonomyChange(
            id=new_id("au"),
            ruleset="web",
            rule="down",
            level=Autonomy.APPROVE,
            written=Autonomy.APPROVE,
            reason="3 of its last 3 healings failed",
            who="",
            at=time.time(),
            evidence={"failed": ["he-1"]},
        )
    )
    [row] = data_of("autonomy", "list", "-p", project)
    assert (row["now"], row["changed_by"]) == ("approve", "the engine")
    assert row["evidence"] == {"failed": ["he-1"]}
    rulebook = project / "rulebooks" / "web.yml"
    rulebook.write_text(RULEBOOK.replace("approve", "suggest"))
    [row] = data_of("autonomy", "list", "-p", project)
    assert (row["written"], row["now"], row["changed_by"]) == ("suggest", "suggest", "the engine")
    rulebook.write_text(RULEBOOK.replace("approve", "auto"))
    [row] = data_of("autonomy", "list", "-p", project)
    assert (row["written"], row["now"]) == ("auto", "approve"), "no engine has taken it up"


def test_a_storm_is_ended_by_hand(project: Path, record: SqliteRecord) -> None:
    """Who ended it is on record, and why in the story; only one that holds can be ended."""
    record.put_storm(Storm("sm-1", "", ("web1",), began_at=time.time()))
    [row] = data_of("storm", "list", "-p", project)
    assert (row["over"], row["state"]) == ("the inventory", "holds")
    done("storm", "end", "sm", "--why", "the switch is back", "-p", project)
    assert data_of("storm", "list", "-p", project) == []
    [row] = data_of("storm", "list", "--all", "-p", project)
    assert (row["state"], row["ended_by"]) == ("over", os_user())
    [told] = [one for one in record.entries() if one.kind is Kind.RAIL]
    assert told.text == f"storm sm-1 ended by {os_user()}: the switch is back"
    again = selfheal("storm", "end", "sm-1", "--why", "x", "-p", project)
    assert again.returncode != 0
    assert "there are: none" in again.stderr


@pytest.mark.parametrize(
    "words",
    [("silence", "list"), ("maintenance", "list"), ("autonomy", "list"), ("pause", "--list")],
    ids=" ".join,
)
def test_tables_and_yaml(project: Path, words: tuple[str, ...]) -> None:
    """Each list is printed in every form, without colour."""
    done("pause", "x", "-p", project)
    for form in ("table", "yaml"):
        assert "\x1b" not in done(*words, "-p", project, "-o", form)


def test_a_word_that_is_a_verb_elsewhere_is_no_reason(project: Path) -> None:
    """`pause list` pauses nothing: whoever types it wants to look."""
    refused = selfheal("pause", "list", "-p", project)
    assert refused.returncode == 2
    assert "selfheal pause --list" in refused.stderr
    assert data_of("pause", "--list", "-p", project) == []


def test_a_resume_lifts_what_is_meant_and_nothing_else(project: Path) -> None:
    """The hint of a pause lifts that pause; an ID that fits several, or is empty, lifts none."""
    first = selfheal("pause", "one", "-p", project).stderr
    selfheal("pause", "two", "-p", project)
    assert selfheal("resume", "pa-", "-p", project).returncode == 2
    assert selfheal("resume", "", "-p", project).returncode == 2
    assert len(data_of("pause", "--list", "-p", project)) == 2
    hint = next(line for line in first.splitlines() if "selfheal resume" in line)
    assert selfheal("resume", hint.split()[-1], "-p", project).returncode == 0
    assert [one["reason"] for one in data_of("pause", "--list", "-p", project)] == ["two"]


def test_a_wrong_folder_gets_no_record(tmp_path: Path) -> None:
    """A verb typed in the wrong place fails and leaves nothing behind."""
    refused = selfheal("pause", "stop now", "-p", tmp_path)
    assert refused.returncode == 1
    assert "no project of selfheal" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_everything_can_be_paused_while_the_configuration_is_wrong(project: Path) -> None:
    """To stop and to look must be possible while somebody edits selfheal.yml."""
    (project / "selfheal.yml").write_text("railz: {}\n")
    paused = selfheal("pause", "stop now", "-p", project)
    assert paused.returncode == 0
    assert "railz" in paused.stderr
    assert "stop now" in selfheal("status", "-p", project).stdout


def test_who_paused_needs_no_entry_in_the_password_file(project: Path) -> None:
    """A container may run as a number only, and the environment can say anything."""
    install = INSTALL._replace(env={**INSTALL.env, "LOGNAME": "somebody", "USER": "somebody"})
    assert selfheal("pause", "stop now", "-p", project, install=install).returncode == 0
    [pause] = data_of("pause", "--list", "-p", project)
    assert pause["who"] == os_user()
