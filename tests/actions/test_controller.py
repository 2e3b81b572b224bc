"""Job and workflow templates, against a real HTTP server that plays AWX.

AWX itself can't run here (it needs Kubernetes or a cluster of containers), so the server answers
as its REST API v2 is documented: unified_job_templates, launch, the job's own URL.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from selfheal.actions import Controller, controller_from_env
from tests.actions.bench import Bench, failure_of, run_one

EVENT = {"i": 1}
ARGS = {"name": "Demo", "organization": "Default"}


class PlayedAwx:
    """Two pages of templates; a job takes a few looks; every request must be logged in."""

    def __init__(self) -> None:
        self.authorization = "Bearer t0ken"
        self.launched: list[tuple[str, Any]] = []
        self.looks = 0
        self.status = ["pending", "running", "successful"]
        self.artifacts: Any = {"a": 1}
        self.broken = 0
        self.launch_link: str | None = None
        self.app = web.Application()
        self.app.router.add_get("/api/v2/unified_job_templates/", self.templates)
        self.app.router.add_post("/api/v2/{kind}/{id}/launch/", self.launch)
        self.app.router.add_get("/api/v2/{kind}/{id}/", self.job)

    def check(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != self.authorization:
            raise web.HTTPUnauthorized(text='{"detail": "Authentication credentials missing"}')

    async def templates(self, request: web.Request) -> web.Response:
        self.check(request)
        assert request.query["name"] == "Demo"
        if "page" not in request.query:
            other = self._template("job_template", 1, "Elsewhere")
            link = "/api/v2/unified_job_templates/?name=Demo&page=2"
            return web.json_response({"next": link, "results": [other]})
        kinds = ("workflow_job_template", "job_template")
        results = [self._template(kind, 7, "Default") for kind in kinds]
        return web.json_response({"next": None, "results": results})

    def _template(self, kind: str, number: int, organization: str) -> dict[str, Any]:
        link = self.launch_link or f"/api/v2/{kind}s/{number}/launch/"
        return {
            "type": kind,
            "name": "Demo",
            "related": {"launch": link},
            "summary_fields": {"organization": {"name": organization}},
        }

    async def launch(self, request: web.Request) -> web.Response:
        self.check(request)
        kind = request.match_info["kind"].replace("_job_template", "_job").replace("job_temp", "j")
        kind = "workflow_jobs" if kind.startswith("workflow") else "jobs"
        self.launched.append((kind, await request.json()))
        self.looks = 0
        return web.json_response({"id": 100, "url": f"/api/v2/{kind}/100/"}, status=201)

    async def job(self, request: web.Request) -> web.Response:
        self.check(request)
        if self.broken:
            self.broken -= 1
            raise web.HTTPBadGateway
        status = self.status[min(self.looks, len(self.status) - 1)]
        self.looks += 1
        body = {"id": 100, "status": status, "artifacts": self.artifacts}
        return web.json_response(
            {**body, "job_explanation": "" if status != "error" else "no room"}
        )


@pytest.fixture
def awx() -> PlayedAwx:
    return PlayedAwx()


@pytest.fixture
async def controller(awx: PlayedAwx) -> AsyncIterator[Controller]:
    async with TestServer(awx.app) as server:
        yield Controller(url=str(server.make_url("/")), token="t0ken", poll=0.0)


async def test_a_job_template_is_launched_and_waited_for(
    awx: PlayedAwx, controller: Controller
) -> None:
    """The launch carries the event and the hosts; the end is the job's, its id is on record."""
    args = {**ARGS, "job_args": {"extra_vars": {"hello": "{{ event.i }}"}, "job_tags": "x"}}
    bench = await run_one("run_job_template", args, EVENT, controller=controller)
    about = {"ruleset": "web", "rule": "r", "event": EVENT}
    body = {"limit": "all", "job_tags": "x", "extra_vars": {"hello": 1, "ansible_eda": about}}
    assert awx.launched == [("jobs", body)]
    assert awx.looks == 3
    data = bench.told[0].data
    assert {
        key: data[key] for key in data if key not in ("event_ids", "firing", "index", "rule")
    } == {
        "ruleset": "web",
        "action": "run_job_template",
        "status": "successful",
        "message": "",
        "job_template_name": "Demo",
        "organization": "Default",
        "controller_job_id": 100,
    }


async def test_a_workflow_template_is_another_kind(awx: PlayedAwx, controller: Controller) -> None:
    """Found by its type; what it brought becomes a fact under its own banner."""
    args = {**ARGS, "set_facts": True}
    bench = await run_one("run_workflow_template", args, EVENT, controller=controller)
    assert awx.launched[0][0] == "workflow_jobs"
    assert bench.told[0].data["name"] == "Demo"
    ((ruleset, fact),) = bench.facts
    assert (ruleset, fact["a"]) == ("web", 1)
    assert fact["meta"]["source"] == {"name": "run_workflow_template", "type": "internal"}
    assert "[workflow: set-facts]" in bench.printed[0]


async def test_the_event_can_be_left_out(awx: PlayedAwx, controller: Controller) -> None:
    """`include_events: false`, and a limit of the rulebook's own."""
    args = {**ARGS, "include_events": False, "job_args": {"limit": "web1"}}
    await run_one("run_job_template", args, EVENT, controller=controller)
    assert awx.launched == [("jobs", {"limit": "web1", "extra_vars": {}})]


@pytest.mark.parametrize(
    ("status", "why"), [("failed", "failed"), ("error", "no room"), ("canceled", "canceled")]
)
async def test_a_job_that_did_not_succeed_fails_after_its_retries(
    awx: PlayedAwx, controller: Controller, status: str, why: str
) -> None:
    """Each try is a launch; the explanation is the message; no facts are made."""
    awx.status = [status]
    bench = Bench(
        [("run_job_template", {**ARGS, "retries": 2, "set_facts": True})], controller=controller
    )
    (result,) = await bench.fire(EVENT)
    assert (result.status.value, result.message) == ("failed", f"Demo: {why}")
    assert len(awx.launched) == 3
    assert bench.facts == []


async def test_a_lost_answer_does_not_lose_the_job(awx: PlayedAwx, controller: Controller) -> None:
    """A few bad gateways while it runs are waited out; a controller that stays away is not."""
    awx.broken = 4
    await run_one("run_job_template", ARGS, EVENT, controller=controller)
    awx.broken = 100
    message = await failure_of("run_job_template", ARGS, EVENT, controller=controller)
    assert "502" in message


async def test_a_job_that_never_ends_is_given_up(awx: PlayedAwx, controller: Controller) -> None:
    """After `timeout` the action fails and says so; the job goes on at the controller."""
    awx.status = ["running"]
    args = {**ARGS, "timeout": 0}
    message = await failure_of("run_job_template", args, EVENT, controller=controller)
    assert "has not ended within 0 s" in message


@pytest.mark.parametrize(
    ("args", "named"),
    [
        ({"name": "Demo"}, "organization"),
        ({**ARGS, "organization": "Nobody"}, "no job_template 'Demo' in 'Nobody'"),
        ({**ARGS, "job_args": "x"}, "job_args"),
    ],
)
async def test_wrong_arguments_launch_nothing(
    awx: PlayedAwx, controller: Controller, args: dict[str, Any], named: str
) -> None:
    """The message names the argument, or what the controller does not have."""
    assert named in await failure_of("run_job_template", args, EVENT, controller=controller)
    assert awx.launched == []


async def test_no_controller_is_named() -> None:
    """The message says what to set."""
    assert "EDA_CONTROLLER_URL" in await failure_of("run_job_template", ARGS, EVENT)


async def test_a_wrong_login_is_said_without_the_token(
    awx: PlayedAwx, controller: Controller
) -> None:
    """The controller's own words, never ours to it."""
    awx.authorization = "Bearer other"
    message = await failure_of("run_job_template", ARGS, EVENT, controller=controller)
    assert "401" in message
    assert "Authentication credentials missing" in message
    assert "t0ken" not in message
    assert "t0ken" not in repr(controller)


async def test_user_and_password_are_a_login_too(awx: PlayedAwx, controller: Controller) -> None:
    """Basic authentication, when there is no token."""
    awx.authorization = "Basic " + base64.b64encode(b"u:p").decode()
    login = Controller(url=controller.url, user="u", password="p", poll=0.0)
    await run_one("run_job_template", ARGS, EVENT, controller=login)


async def test_the_token_stays_with_the_controller(awx: PlayedAwx, controller: Controller) -> None:
    """A link to another server in an answer is not followed."""
    awx.launch_link = "http://127.0.0.1:9/launch/"
    message = await failure_of("run_job_template", ARGS, EVENT, controller=controller)
    assert "another server" in message


async def test_a_dead_controller_is_named() -> None:
    """No traceback, no hanging."""
    nobody = Controller(url="http://127.0.0.1:9", token="t0ken")
    message = await failure_of("run_job_template", ARGS, EVENT, controller=nobody)
    assert "does not answer" in message


@pytest.mark.parametrize("path", ["", "/", "/api/", "/api/v2", "/api/v2/"])
async def test_the_url_may_end_anywhere_above_v2(
    awx: PlayedAwx, controller: Controller, path: str
) -> None:
    """AWX and AAP document different roots; each is understood."""
    url = controller.url.rstrip("/") + path
    where = Controller(url=url, token="t0ken", poll=0.0)
    await run_one("run_job_template", ARGS, EVENT, controller=where)


def test_the_rivals_environment_is_read() -> None:
    """The same variables as ansible-rulebook's, none of them needed."""
    assert controller_from_env({}) is None
    assert controller_from_env(
        {
            "EDA_CONTROLLER_URL": "https://awx",
            "EDA_CONTROLLER_TOKEN": "t",
            "EDA_CONTROLLER_USERNAME": "u",
            "EDA_CONTROLLER_PASSWORD": "p",
            "EDA_CONTROLLER_SSL_VERIFY": "no",
        }
    ) == Controller("https://awx", "t", "u", "p", verify_tls=False)
