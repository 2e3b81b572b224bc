"""docs/approvals.md: each example is loaded or run."""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from selfheal.config import CONFIG_NAME, load_project
from selfheal.model import ApprovalState, Grant
from selfheal.store import open_record
from tests.approvals.support import Bench
from tests.cli.support import selfheal
from tests.cli.test_approving import asked
from tests.servers import require
from tests.web.support import TOKENS, site

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "approvals.md").read_text()


def blocks(kind: str) -> list[str]:
    """The examples of one kind, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_configuration(tmp_path: Path, text: str) -> None:
    """What is shown of selfheal.yml is accepted, and each section of it is read."""
    (tmp_path / CONFIG_NAME).write_text(text)
    config = load_project(tmp_path).config
    assert set(yaml.safe_load(text)) <= config.model_fields_set


def test_every_key_is_shown() -> None:
    """No key of `approval:` and `api:` is left out of the page."""
    from selfheal.config import Api, Approval

    shown = [yaml.safe_load(text) for text in blocks("yaml")]
    for name, model, left_out in (("approval", Approval, set()), ("api", Api, {"insecure"})):
        keys = {key for one in shown for key in one.get(name, {})}
        assert keys == set(model.model_fields) - left_out
    assert "insecure: true" in PAGE


def test_commands(tmp_path: Path) -> None:
    """Each command line of the page does its work on a project with two questions and a grant."""
    (tmp_path / CONFIG_NAME).write_text("approval: {approvers: [anna, ben]}\n")
    record = open_record(tmp_path / ".selfheal" / "selfheal.db")
    asked(record, id="ap-1")
    asked(record, id="ap-2", rung=0)
    now = time.time()
    record.add_grant(Grant("gr-1", "x", "y", now, now + 60, 1, "anna", "", now))
    lines = [line for block in blocks("console") for line in block.splitlines()]
    assert len(lines) == 8
    for line in lines:
        prompt, program, *words = shlex.split(line)
        assert (prompt, program) == ("$", "selfheal")
        done = selfheal(*words, "-p", tmp_path)
        assert done.returncode == 0, (line, done.stderr)
    assert record.approval("ap-1").state is ApprovalState.APPROVED
    assert record.approval("ap-2").state is ApprovalState.DENIED
    assert [grant.uses for grant in record.grants()] == [1, 3, 1]
    assert record.grant("gr-1").revoked_at
    record.close()


async def test_curl(tmp_path: Path, bench: Callable[..., Bench]) -> None:
    """The two requests, as a shell runs them: the list, and the approval of what is in it."""
    require("curl")
    made = bench()
    [script] = blocks("sh")
    async with site(tmp_path, made) as one, made.asking(made.healing()) as task:
        ident = made.pending().id
        environ = {"TOKEN": TOKENS["anna"], "API": f"http://{one.address}", "PATH": "/usr/bin:/bin"}
        shell = await asyncio.create_subprocess_exec(
            "sh",
            "-ec",
            script.replace("ap-1", ident),
            env=environ,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(shell.communicate(), 30)
        approval = await asyncio.wait_for(task, 5)
    assert ident in out.decode()
    assert [answer.why for answer in approval.answers] == ["go on"]


def test_every_route_is_on_the_page() -> None:
    """The table of routes is the server's own."""
    from selfheal.web.routes import Routes

    shown = set(re.findall(r"^\| `((?:GET|POST) /api/[^`?]+)` \|", PAGE, re.MULTILINE))
    known = set()
    for method, pattern, _ in Routes(None, None, str, None)._table:  # type: ignore[arg-type]
        path = pattern.pattern.replace("([^/]+)", "ID")
        verbs = ("approve", "deny") if "(approve|deny)" in path else ("",)
        known |= {f"{method} {path.replace('(approve|deny)', verb)}" for verb in verbs}
    assert shown == known
