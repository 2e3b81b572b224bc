"""A full drill with planted secrets: afterwards not one of them is anywhere it should not be."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from selfheal.model import HealingState
from selfheal.recovery.executors.command import find_program
from tests.daemon.support import EngineProcess, Install, needs_ansible
from tests.security.planted import CommandLines, leaks, leaks_in_folder
from tests.servers import free_port
from tests.servers.base import listens

VAULT = 'v4ult\'d "swordfish" & <Zoë> {{ 7*7 }}'
VAULT_PASSWORD = "open-sesame-of-the-vault"
FROM_FILE = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7bq1\nq2/w+3==xyz\n-----END KEY-----"
SOURCE_TOKEN = "source-token-9f8e7d6c"
NOTIFY_HEADER = "notify-header-5a4b3c2d"
NOTIFY_PATH = "T0000B1111X2222abcdef99"
BY_HAND_FILE = "by-hand-file-1q2w3e4r"
BY_HAND_WORD = "by-hand-word-5t6y7u8i"
ALL = (VAULT, VAULT_PASSWORD, FROM_FILE, SOURCE_TOKEN, NOTIFY_HEADER, NOTIFY_PATH)
BY_HAND = (BY_HAND_FILE, BY_HAND_WORD)

RULES = """
- name: shop
  hosts: all
  sources:
    - webhook: {port: PORT, token: SOURCE_TOKEN}
  rules:
    - name: it leaks wherever it can
      condition: event.payload.kind == "leak"
      actions:
        - debug: {msg: "the password is {{ db_password }}"}
        - debug: {}
        - print_event: {pretty: true}
        - post_event: {event: {kind: posted, password: "{{ db_password }}", key: "{{ APP_KEY }}"}}
        - set_fact: {fact: {remembered: "{{ APP_KEY }}"}}
        - run_playbook:
            name: leak.yml
            extra_vars: {pw: "{{ db_password }}", key: "{{ APP_KEY }}"}
        - run_module:
            name: ansible.builtin.fail
            module_args: {msg: "it says {{ db_password }}"}
    - name: down
      condition: event.payload.kind == "down"
      action:
        heal:
          fault: connection_failure
          component: web
          target: web1
          message: "it refuses {{ db_password }}"
          labels: {password: "{{ db_password }}"}
          metadata: {key: "{{ APP_KEY }}"}
          root_cause: web-dead
    - name: nobody knows it
      condition: event.payload.kind == "strange"
      action:
        heal: {fault: deadlock, component: db, target: db1, message: "is it {{ db_password }}?"}
    - name: hang
      condition: event.payload.kind == "hang"
      action: {run_playbook: {name: hang.yml, extra_vars: {pw: "{{ db_password }}"}}}
  solutions:
    - name: quick
      root_cause: web-*
      strategy: quick_fix
      risk: low
      steps:
        - {playbook: leak.yml, vars: {pw: "{{ vars.db_password }}", key: x}, timeout: 60s}
      validate:
        - command: {argv: ["sh", "-c", "echo never; false"]}
          within: 1ms
    - name: right
      root_cause: web-*
      strategy: standard
      risk: low
      steps:
        - {playbook: use.yml, vars: {pw: "{{ vars.db_password }}"}, timeout: 60s}
      validate:
        - http:
            url: "http://127.0.0.1:SITE/"
            headers: {Authorization: "Bearer {{ vars.db_password | b64 }}"}
          within: 5s
    - name: by-hand
      root_cause: other
      strategy: quick_fix
      risk: low
      steps:
        - {playbook: hand.yml, timeout: 60s}
""".replace(" | b64", " | urlencode")

PLAYBOOKS = {
    "leak.yml": """
    - debug: {msg: "{{ pw }} and {{ key }}"}
    - set_fact: {kept: "{{ pw }}"}
    - {set_stats: {data: {told: "{{ key }}"}}}
    - {command: cat, args: {stdin: "{{ pw }}"}}
    - {uri: {url: "http://127.0.0.1:1/{{ pw | urlencode }}"}, ignore_errors: true}
    - fail: {msg: "refused: {{ pw }} {{ key | b64encode }} {{ pw | to_json }}"}
      ignore_errors: true
""",
    "use.yml": """
    - copy: {content: "{{ pw | hash('sha256') }}", dest: "{{ playbook_dir }}/../used"}
""",
    "hang.yml": """
    - debug: {msg: "{{ pw }}"}
    - wait_for: {timeout: 120}
""",
    "hand.yml": """
    - debug: {msg: "{{ admin_password }} {{ db_token }}"}
    - copy:
        content: "{{ (admin_password + db_token) | hash('sha256') }}"
        dest: "{{ playbook_dir }}/../by-hand-used"
""",
}


@dataclass
class Site:
    """A server that notes what it is told and by whom."""

    port: int = 0
    authorizations: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    """A real HTTP server: the target of a validation and of notifications."""
    noted = Site()

    class Handler(BaseHTTPRequestHandler):
        def _note(self) -> None:
            noted.authorizations.append(self.headers.get("Authorization", ""))
            noted.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self.send_response(200)
            self.end_headers()

        do_GET = do_POST = _note  # noqa: N815 -- the names http.server calls

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    noted.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield noted
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Drill:
    """A project with planted secrets, the ways into it, and what its programs have said."""

    folder: Path
    outside: Path
    port: int
    said: list[bytes] = field(default_factory=list)

    @property
    def install(self) -> Install:
        """The environment of the engine."""
        return Install(sys.executable, {**os.environ, "APP_KEY_FILE": str(self.outside / "key")})

    @property
    def options(self) -> tuple[str, ...]:
        """What the engine is started with."""
        outside = self.outside
        secret = f"--vault-password-file={outside / 'vault-password'}"
        return ("-vv", "-e", str(outside / "vars.yml"), "-E", "APP_KEY", secret, "--print-events")

    def post(self, kind: str) -> None:
        """Send an event that holds a secret itself."""
        deadline = time.monotonic() + 20
        while not listens(self.port):
            assert time.monotonic() < deadline, "the source does not listen"
            time.sleep(0.02)
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/x",
            data=json.dumps({"kind": kind, "note": f"as {VAULT} says"}).encode(),
            headers={"Authorization": f"Bearer {SOURCE_TOKEN}", "X-Api-Key": NOTIFY_HEADER},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- loopback
            assert answer.status == 200

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run a verb, keep what it says."""
        command = [sys.executable, "-m", "selfheal.cli", *arguments, "-p", str(self.folder)]
        done = subprocess.run(command, capture_output=True, timeout=120, env=self.install.env)
        self.said += [done.stdout, done.stderr]
        return done


@pytest.fixture
def drill(tmp_path: Path, site: Site) -> Drill:
    """The project; what may hold secrets in clear stands outside of it."""
    needs_ansible()
    folder, outside = tmp_path / "project", tmp_path / "outside"
    for path in (folder / "playbooks", folder / "rulebooks", outside):
        path.mkdir(parents=True)
    (outside / "vault-password").write_text(VAULT_PASSWORD)
    (outside / "key").write_text(FROM_FILE + "\n")
    (outside / "hand.yml").write_text(json.dumps({"db_token": BY_HAND_FILE}))
    encrypt = [find_program("ansible-vault"), "encrypt_string", "--stdin-name=db_password"]
    encrypt.append(f"--vault-password-file={outside / 'vault-password'}")
    done = subprocess.run(encrypt, input=VAULT, capture_output=True, text=True, check=True)
    (outside / "vars.yml").write_text(done.stdout)
    drill = Drill(folder, outside, free_port())
    rules = RULES.replace("PORT", str(drill.port)).replace("SITE", str(site.port))
    (folder / "rulebooks" / "shop.yml").write_text(rules.replace("SOURCE_TOKEN", SOURCE_TOKEN))
    for name, tasks in PLAYBOOKS.items():
        play = f"- hosts: all\n  gather_facts: false\n  tasks:{tasks}"
        (folder / "playbooks" / name).write_text(play)
    (folder / "inventory").write_text("web1 ansible_connection=local\n")
    hook = {
        "url": f"http://127.0.0.1:{site.port}/services/{NOTIFY_PATH}",
        "headers": {"Authorization": f"Bearer {NOTIFY_HEADER}"},
    }
    config = {"join_engine": "python", "notify": {"webhooks": [hook]}}
    (folder / "selfheal.yml").write_text(json.dumps(config))
    return drill


def test_no_planted_secret_is_anywhere(drill: Drill, site: Site) -> None:
    """Vault, `_FILE`, source token and notification secrets are in no file of the state, in the
    record in no spelling, in no output, on no command line; and yet they were used, in clear."""
    lines = CommandLines()
    engine = EngineProcess(drill.folder, *drill.options, install=drill.install)
    try:
        engine.ready()
        drill.post("leak")
        drill.post("down")
        drill.post("strange")

        def ended() -> bool:
            lines.sample()
            healed = engine.healings() and engine.healings()[0].state is HealingState.DONE
            told = any(b"is it ******?" in one for one in site.bodies)
            return bool(healed and told and engine.told("run_module of rule"))

        engine.until(ended, within=120)
        used = (drill.folder / "used").read_text()
        assert used == hashlib.sha256(VAULT.encode()).hexdigest()
        assert any("swordfish" in one for one in site.authorizations), "the proof was in clear"
        assert f"Bearer {NOTIFY_HEADER}" in site.authorizations
        engine.send(signal.SIGTERM)
        engine.end()
    finally:
        engine.close()
    for verb in ("status", "incidents list", "runs list", "kb list"):
        assert drill.run(*verb.split(), "-o", "json").returncode == 0, verb
    for noun, listing in (("incidents", drill.said[2]), ("runs", drill.said[4])):
        for row in json.loads(listing):
            assert drill.run(noun, "show", row["id"], "-o", "json").returncode == 0
    content = [*drill.said, *lines.seen, (drill.folder / "engine.log").read_bytes()]
    found = leaks_in_folder(ALL, drill.folder / ".selfheal")
    found += [one for part in content for one in leaks(ALL, part[:80].decode("latin1"), part)]
    found += [one for body in site.bodies for one in leaks(ALL, "a notification", body)]
    assert not found, "\n".join(found)
    assert "******" in engine.output
    assert not list((drill.folder / ".selfheal").rglob("extra-vars*"))


def test_by_hand_secrets_are_used_and_not_kept(drill: Drill) -> None:
    """`-e @FILE` and `-e admin_password=…` reach the playbook and are nowhere afterwards."""
    arguments = ["run-runbook", "by-hand", "-e", f"@{drill.outside / 'hand.yml'}", "-y"]
    done = drill.run(*arguments, "-e", f"admin_password={BY_HAND_WORD}")
    expected = hashlib.sha256((BY_HAND_WORD + BY_HAND_FILE).encode()).hexdigest()
    assert (drill.folder / "by-hand-used").read_text() == expected, done.stderr
    found = leaks_in_folder(BY_HAND, drill.folder / ".selfheal")
    found += [one for part in drill.said for one in leaks(BY_HAND, "the output", part)]
    assert not found, "\n".join(found)


def test_what_kill_9_leaves_is_scrubbed_at_the_next_start(drill: Drill) -> None:
    """The variables' file and clear artifacts of a run cut short are gone after a restart; while
    it ran no secret was in the environment or on the command line of any of its processes."""
    state = drill.folder / ".selfheal"
    engine = EngineProcess(drill.folder, *drill.options, install=drill.install)
    try:
        engine.ready()
        drill.post("hang")
        engine.until(lambda: _events(state))
        assert (mode := _mode(next(iter(state.rglob("extra-vars.yml"))))) == 0o600, oct(mode)
        artifacts = {path.parent for path in state.rglob("extra-vars.yml")}
        assert {_mode(path) for path in artifacts} == {0o700}
        files = list(_process_files(str(drill.folder)))
        shown = [leak for one in files for leak in leaks(ALL, "/proc", one)]
        assert files
        assert not shown, "\n".join(shown)
        engine.send(signal.SIGKILL)
        engine.end()
        assert leaks_in_folder(ALL, state / "runner"), "nothing was there to be scrubbed"
    finally:
        engine.close()
    again = EngineProcess(drill.folder, *drill.options, install=drill.install)
    try:
        again.ready()
        assert not leaks_in_folder(ALL, state)
        assert not list(state.rglob("extra-vars*"))
    finally:
        again.close()


def _events(state: Path) -> list[Path]:
    """The events of a run that have told the secret; files come and go meanwhile."""
    found = []
    for path in state.rglob("job_events/*.json"):
        with contextlib.suppress(FileNotFoundError):
            if b"swordfish" in path.read_bytes():
                found.append(path)
    return found


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_an_operators_secrets_are_scrubbed_after_kill_9(drill: Drill) -> None:
    """The next engine knows an operator's secrets by the variables that the dead run left."""
    state, word = drill.folder / ".selfheal", "swordfish-of-the-operator"
    tasks = "    - debug: {msg: '{{ admin_password }}'}\n    - pause: {seconds: 60}\n"
    play = f"- hosts: all\n  tasks:\n{tasks}"
    (drill.folder / "playbooks" / "hand.yml").write_text(play)
    command = [sys.executable, "-m", "selfheal.cli", "run-runbook", "by-hand", "-y"]
    command += ["-e", f"admin_password={word}", "-p", str(drill.folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 60
        while not _events(state):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.kill()
    _until_gone(str(state))
    assert leaks_in_folder([word], state), "nothing was there to be scrubbed"
    again = EngineProcess(drill.folder, *drill.options, install=drill.install)
    try:
        again.ready()
        assert not leaks_in_folder([word], state)
    finally:
        again.close()


def _process_files(needle: str) -> Iterator[bytes]:
    """Command line and environment of every process of a run in that folder."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ, line = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"SELFHEAL_RUN={needle}".encode() in environ:
            yield environ
            yield line


def _until_gone(needle: str, within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while list(_process_files(needle)):
        assert time.monotonic() < deadline, "a run outlives its engine"
        time.sleep(0.05)
