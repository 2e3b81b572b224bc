"""The page behind a link: looking does nothing, pressing once decides."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from selfheal.approvals import Link
from selfheal.model import ApprovalState, Channel
from tests.approvals.support import Bench

from .support import SECRET, Site, site

Make = Callable[..., Bench]


def path_for(one: Site, who: str = "anna", verb: str = "approve") -> str:
    """The path of a link to the question that waits."""
    lines = one.links.text(one.bench.told[-1][2], who).splitlines()
    [line] = [line for line in lines if line.startswith(verb)]
    return line[line.index("/answer/") :]


async def test_looking_does_nothing(tmp_path: Path, bench: Make) -> None:
    """However often a chat program looks, by GET or HEAD, the question stays open."""
    made = bench(approvers=["anna"])
    async with site(tmp_path, made) as one, made.asking(made.healing()) as task:
        path = path_for(one)
        for method in ("GET", "HEAD", "GET"):
            status, body, headers = await one.stranger(method, path)
            assert status == 200
            assert "form-action 'self'" in headers["Content-Security-Policy"]
            assert headers["Referrer-Policy"] == "no-referrer"
        assert b"restart-backend on web1" in body
        assert b'<form method="post">' in body
        assert (await one.stranger("PUT", path))[:2] == (401, b"")
        await made.clock.advance(60)
        assert not task.done()
        assert made.pending().answers == ()


@pytest.mark.parametrize(
    ("verb", "state"), [("approve", ApprovalState.APPROVED), ("deny", ApprovalState.DENIED)]
)
async def test_pressing_decides(
    tmp_path: Path, bench: Make, verb: str, state: ApprovalState
) -> None:
    """The button answers as the person whose link it is, with the reason given on the page."""
    made = bench(approvers=["anna"])
    async with site(tmp_path, made) as one, made.asking(made.healing()) as task:
        form = {"why": "go & see", "who": "ben", "verb": "approve"}
        status, body, _ = await one.stranger("POST", path_for(one, verb=verb), data=form)
        approval = await asyncio.wait_for(task, 5)
    assert status == 200
    assert b"Your answer is on record." in body
    assert approval.state is state
    [answer] = approval.answers
    assert (answer.who, answer.why, answer.channel) == ("anna", "go & see", Channel.LINK)


async def test_a_link_works_once(tmp_path: Path, bench: Make) -> None:
    """Pressed again, or looked at again, it says that it was used; nothing is added."""
    made = bench(approvers=["anna", "ben"], need="all")
    async with site(tmp_path, made) as one, made.asking(made.healing()) as task:
        path = path_for(one)
        assert b"More answers are needed" in (await one.stranger("POST", path))[1]
        for method in ("POST", "GET"):
            status, body, _ = await one.stranger(method, path)
            assert status == 410
            assert b"was used already" in body
        assert len(made.pending().answers) == 1
        assert not task.done()


async def test_a_link_to_what_is_decided(tmp_path: Path, bench: Make) -> None:
    """It says what was decided and by whom, and changes nothing."""
    made = bench(approvers=["anna", "ben"])
    async with site(tmp_path, made) as one, made.asking(made.healing()) as task:
        path = path_for(one, "anna")
        made.approvals.answer(made.pending().id, made.says("ben", yes=False))
        await asyncio.wait_for(task, 5)
        for method in ("GET", "POST"):
            status, body, _ = await one.stranger(method, path)
            assert status == 410
            assert b"denied by ben" in body
    assert len(made.record.approvals()[0].answers) == 1


async def test_a_link_ends_with_its_question(tmp_path: Path, bench: Make) -> None:
    """After the time it says so, though no engine has looked at the question since."""
    made = bench(expires="10m")
    async with site(tmp_path, made) as one:
        async with made.asking(made.healing()):
            path = path_for(one, "")
        await made.clock.advance(600)
        for method in ("GET", "POST"):
            status, body, _ = await one.stranger(method, path)
            assert status == 410
            assert b"counts as a no" in body
    assert made.record.approvals()[0].answers == ()


async def test_a_forged_link_is_no_link(tmp_path: Path, bench: Make) -> None:
    """One of another key, and one whose verb was changed, get what any stranger gets."""
    made = bench()
    async with site(tmp_path, made) as one, made.asking(made.healing()) as task:
        path = path_for(one, verb="deny")
        other = path_for(one, verb="approve")
        mixed = path.partition(".")[0] + "." + other.partition(".")[2]
        for forged in (mixed, path + "A", path[:-1], path.partition(".")[0], "/answer/é.é"):
            for method in ("GET", "POST"):
                assert (await one.stranger(method, forged))[:2] == (401, b"")
        assert not task.done()


async def test_a_link_to_a_question_that_is_gone(tmp_path: Path, bench: Make) -> None:
    """A question that was pruned from the record is said to be gone."""
    made = bench()
    async with site(tmp_path, made) as one:
        token = one.links.sign(Link("ap-gone", "anna", "approve", 2_000_000_000))
        for method in ("GET", "POST"):
            status, body, _ = await one.stranger(method, f"/answer/{token}")
            assert status == 410
            assert b"no longer on record" in body


async def test_the_page_is_masked_and_escaped(tmp_path: Path, bench: Make) -> None:
    """A hostile target is text on the page, and a secret in it is blotted out."""
    made = bench()
    healing = made.healing(resource=f"<script>alert(1)</script> {SECRET}")
    made.reasons = ["half a character: \ud800"]
    async with site(tmp_path, made) as one, made.asking(healing):
        body = (await one.stranger("GET", path_for(one, "")))[1]
    assert b"<script" not in body
    assert b"&lt;script&gt;" in body
    assert SECRET.encode() not in body


async def test_the_form_has_limits(tmp_path: Path, bench: Make) -> None:
    """A form that is too large, or has too many fields, is refused, and answers nothing."""
    made = bench()
    async with site(tmp_path, made, max_body=3000) as one, made.asking(made.healing()) as task:
        path = path_for(one, "")
        assert (await one.stranger("POST", path, data=b"x" * 3001))[0] == 413
        assert (await one.stranger("POST", path, data=b"a=b&" * 20))[0] == 400
        assert not task.done()


async def test_links_are_in_no_log_and_no_story(
    tmp_path: Path, bench: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A link that was made, looked at, pressed and pressed again stands nowhere but in the
    message to its person."""
    caplog.set_level(logging.DEBUG)
    made = bench(approvers=["anna"])
    async with site(tmp_path, made) as one, made.asking(made.healing()) as task:
        path = path_for(one)
        for method in ("GET", "POST", "POST"):
            await one.stranger(method, path)
        await asyncio.wait_for(task, 5)
        subject, body, data = made.told[0]
    token = path.removeprefix("/answer/")
    everything = "\n".join(made.record.db.conn.iterdump())  # type: ignore[attr-defined]
    assert token not in everything
    assert token.partition(".")[2] not in everything + caplog.text + subject + body + str(data)
