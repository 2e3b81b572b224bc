"""AWX, or Ansible Automation Platform's controller, by its REST API v2."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from selfheal.clock import Clock
from selfheal.errors import ActionError

if TYPE_CHECKING:
    import aiohttp

_REQUEST_TIMEOUT = 30.0
_ENDED = ("successful", "failed", "error", "canceled")
_MOST_POLL_ERRORS = 5  # a running job is not given up for one lost answer


@dataclass(frozen=True, slots=True)
class Controller:
    """Where it is and how to log in; nothing of it is ever printed."""

    url: str
    """Such as `https://awx.example` or `https://aap.example/api/controller/`."""
    token: str = field(default="", repr=False)
    """OAuth token; it comes before user and password."""
    user: str = ""
    """Login name, when there is no token."""
    password: str = field(default="", repr=False)
    """Its password."""
    verify_tls: bool = True
    """Check the server's certificate."""
    poll: float = 2.0
    """Seconds between two looks at a running job."""


def controller_from_env(environ: Mapping[str, str]) -> Controller | None:
    """Read ansible-rulebook's variables `EDA_CONTROLLER_*`; None without a URL."""
    if not (url := environ.get("EDA_CONTROLLER_URL", "")):
        return None
    verify = environ.get("EDA_CONTROLLER_SSL_VERIFY", "yes").strip().lower()
    return Controller(
        url=url,
        token=environ.get("EDA_CONTROLLER_TOKEN", ""),
        user=environ.get("EDA_CONTROLLER_USERNAME", ""),
        password=environ.get("EDA_CONTROLLER_PASSWORD", ""),
        verify_tls=verify not in ("no", "false"),
    )


class ControllerSession:
    """One conversation with the controller. Every method raises ActionError."""

    def __init__(self, controller: Controller, session: aiohttp.ClientSession) -> None:
        self._controller = controller
        self._session = session
        self._root = _api_root(controller.url)

    async def find_template(self, name: str, organization: str, kind: str) -> dict[str, Any]:
        """Return the template of that name and organization; `kind` is its `type` in the API."""
        page: str | None = urljoin(self._root, "unified_job_templates/")
        params: dict[str, str] | None = {"name": name}
        while page:
            answer = await self._ask("GET", page, params=params)
            for template in answer.get("results") or []:
                if template.get("type") == kind and _organization(template) == organization:
                    return dict(template)
            page = urljoin(page, answer["next"]) if answer.get("next") else None
            params = None  # the link to the next page has them
        raise ActionError(f"the controller has no {kind} {name!r} in {organization!r}")

    async def launch(self, template: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        """Start it; return the job."""
        related = template.get("related") or {}
        if not isinstance(related.get("launch"), str):
            raise ActionError("the controller's template has no link to launch it")
        return await self._ask("POST", urljoin(self._root, related["launch"]), json=dict(body))

    async def wait(self, job: Mapping[str, Any], timeout: float, clock: Clock) -> dict[str, Any]:
        """Return the job once it has ended."""
        if not isinstance(job.get("url"), str):
            raise ActionError("the controller's answer to the launch has no link to the job")
        url = urljoin(self._root, job["url"])
        deadline, errors = clock.monotonic() + timeout, 0
        while True:
            try:
                current = await self._ask("GET", url)
                errors = 0
            except ActionError:
                errors += 1
                if errors > _MOST_POLL_ERRORS:
                    raise
                current = {}
            if current.get("status") in _ENDED:
                return current
            if clock.monotonic() >= deadline:
                raise ActionError(f"job {job.get('id')} has not ended within {timeout:g} s")
            await clock.sleep(self._controller.poll)

    async def _ask(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        import aiohttp

        _refuse_other_server(url, self._root)
        try:
            async with self._session.request(
                method, url, allow_redirects=False, **options
            ) as response:
                if response.status not in (200, 201):
                    said = (await response.text(errors="replace"))[:300]
                    raise ActionError(f"the controller answers {response.status}: {said}")
                answer = await response.json()
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise ActionError(f"the controller does not answer: {reason}") from error
        if not isinstance(answer, dict):
            raise ActionError("the controller's answer is no JSON object")
        return answer


@asynccontextmanager
async def connect(controller: Controller) -> AsyncGenerator[ControllerSession]:
    """Open a conversation."""
    import aiohttp

    async with aiohttp.ClientSession(
        headers=_login(controller),
        connector=aiohttp.TCPConnector(ssl=controller.verify_tls),
        timeout=aiohttp.ClientTimeout(total=_REQUEST_TIMEOUT),
    ) as session:
        yield ControllerSession(controller, session)


def _login(controller: Controller) -> dict[str, str]:
    if controller.token:
        return {"Authorization": f"Bearer {controller.token}"}
    if controller.user:
        pair = f"{controller.user}:{controller.password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _api_root(url: str) -> str:
    """`https://host`, `https://host/api`, `https://host/api/controller` to the root of v2."""
    base = url.rstrip("/")
    if base.endswith("/v2"):
        return f"{base}/"
    return f"{base}/v2/" if urlsplit(base).path.startswith("/api") else f"{base}/api/v2/"


def _organization(template: Mapping[str, Any]) -> str:
    summary = (template.get("summary_fields") or {}).get("organization") or {}
    return str(summary.get("name") or "")


def _refuse_other_server(url: str, root: str) -> None:
    """The token goes to the configured server only, whatever links an answer holds."""
    if urlsplit(url)[:2] != urlsplit(root)[:2]:
        raise ActionError("the controller's answer links to another server")
