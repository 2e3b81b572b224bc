"""update_config.yml on a real nginx and a real HAProxy under supervisord."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.playbooks.conftest import Action
from tests.servers import Backend, Haproxy, Nginx, Program, Supervisord, await_fact
from tests.servers.base import http_status

BAD = "events {}\nhttp { server { lissten 80; } }\n"


@pytest.fixture(scope="module")
def nginx(place: Path) -> Nginx:
    return Nginx(place / "nginx", text="one")


@pytest.fixture(scope="module")
def supervisord(place: Path, nginx: Nginx) -> Iterator[Supervisord]:
    with Supervisord(place / "supervisord", {"nginx": nginx}) as running:
        yield running


@pytest.fixture(autouse=True)
def _serving(supervisord: Supervisord, nginx: Nginx) -> None:
    nginx.configure()
    supervisord.control("restart", "nginx")
    await_fact("nginx serves", lambda: text(nginx) == "one")


@pytest.fixture
def common(supervisord: Supervisord, nginx: Nginx) -> dict[str, Any]:
    return {
        "service": "nginx",
        "supervisor_url": supervisord.url,
        "config_path": str(nginx.config),
        "config_validate": nginx.validate,
        "health_url": nginx.url,
        "health_within": 5,
    }


def text(nginx: Nginx) -> str:
    """What nginx serves; empty when it does not."""
    try:
        with urllib.request.urlopen(nginx.url, timeout=2) as answer:  # noqa: S310 - loopback http
            return str(answer.read().decode().strip())
    except OSError:
        return ""


def serves(nginx: Nginx, wanted: str) -> bool:
    """A reload takes a moment: workers are replaced after nginx took the signal."""
    return bool(await_fact(f"nginx serves {wanted}", lambda: text(nginx) == wanted))


def test_a_new_configuration_is_rolled_out_and_back(
    action: Callable[..., Action], nginx: Nginx, common: dict[str, Any]
) -> None:
    """The new file serves, the old one comes back byte for byte, without a restart."""
    old = nginx.config.read_bytes()
    update = action("update_config", config_content=nginx.configuration("two"), **common)
    update.prove(
        sabotage=lambda: None,
        broken=lambda: text(nginx) == "one",
        healed=lambda: serves(nginx, "two"),
        rolled_back=lambda: serves(nginx, "one") and nginx.config.read_bytes() == old,
    )


def test_a_bad_configuration_is_healed_by_the_last_good_one(
    action: Callable[..., Action], supervisord: Supervisord, nginx: Nginx, common: dict[str, Any]
) -> None:
    """After a bad deployment killed nginx the last good file brings it back to life."""
    Path(f"{nginx.config}.last-good").write_text(nginx.configuration("last good"))

    def deploy_nonsense() -> None:
        nginx.config.write_text(BAD)
        supervisord.control("restart", "nginx")
        await_fact("nginx is down", lambda: not nginx.ready())

    action("update_config", **common).prove(
        sabotage=deploy_nonsense,
        broken=lambda: not nginx.ready(),
        healed=lambda: serves(nginx, "last good"),
        # The bad file is back; the running nginx is not driven into it.
        rolled_back=lambda: nginx.config.read_text() == BAD and text(nginx) == "last good",
    )


def test_a_verified_configuration_becomes_the_last_good_one(
    action: Callable[..., Action], tmp_path: Path, nginx: Nginx, common: dict[str, Any]
) -> None:
    """What was rolled out from a template and verified is what heals later."""
    template = tmp_path / "nginx.conf.j2"
    template.write_text(nginx.configuration("{{ component }} page"))
    action("update_config", config_template=str(template), component="web", **common).apply()
    assert serves(nginx, "web page")
    kept = Path(f"{nginx.config}.last-good").read_text()
    assert kept == nginx.config.read_text() == nginx.configuration("web page")


def test_an_invalid_configuration_never_arrives(
    action: Callable[..., Action], nginx: Nginx, common: dict[str, Any], tmp_path: Path
) -> None:
    """What the validator refuses does not touch the file, and nginx serves on."""
    before = nginx.config.read_bytes()
    source = tmp_path / "bad.conf"
    source.write_text(BAD)
    said = action("update_config", config_source=str(source), **common).refuse()
    assert 'unknown directive "lissten"' in said.replace("\\", "")
    assert nginx.config.read_bytes() == before
    assert text(nginx) == "one"


def test_a_configuration_that_does_not_serve_is_put_back_by_itself(
    action: Callable[..., Action], nginx: Nginx, common: dict[str, Any]
) -> None:
    """Valid but not healthy: the old file comes back and serves again."""
    before = nginx.config.read_bytes()
    sick = nginx.configuration("sick").replace("return 200", "return 500")
    quick = {**common, "health_within": 1}
    said = action("update_config", config_content=sick, **quick).refuse()
    assert "did not work out and was put back" in said
    assert nginx.config.read_bytes() == before
    assert serves(nginx, "one")


def test_a_file_that_was_not_there_is_removed_again(
    action: Callable[..., Action], tmp_path: Path
) -> None:
    """Rolling back the first version of a file removes it."""
    path = tmp_path / "new.conf"
    update = action("update_config", config_path=str(path), config_content="fresh\n")
    update.apply()
    assert path.read_text() == "fresh\n"
    update.roll_back()
    assert not path.exists()


def test_haproxy_takes_up_a_good_configuration_after_a_bad_reload(
    action: Callable[..., Action], place: Path
) -> None:
    """A failed reload leaves HAProxy on its old worker; the last good file makes reloads work."""
    with Backend(place / "app", "app") as backend:
        haproxy = Haproxy(place / "haproxy", {"app": backend.port})
        haproxy.prepare()
        good = haproxy.configuration()
        Path(f"{haproxy.config}.last-good").write_text(
            good.replace("timeout client 60s", "timeout client 61s")
        )
        program = Program(haproxy.command)
        with Supervisord(place / "haproxy-supervisord", {"haproxy": program}) as supervisord:
            try:
                await_fact("haproxy ready", haproxy.ready)
                haproxy.config.write_text(good.replace("mode http", "mode htttp"))
                supervisord.control("signal", "USR2", "haproxy")
                heal = action(
                    "update_config",
                    service="haproxy",
                    supervisor_url=supervisord.url,
                    config_path=str(haproxy.config),
                    config_validate=haproxy.validate,
                    reload_signal="USR2",
                    health_url=f"{haproxy.url}/healthz",
                )
                assert heal.apply().changed > 0
                assert heal.apply().changed == 0
                assert http_status(f"{haproxy.url}/healthz") == 200
                assert "61s" in haproxy.config.read_text()
            finally:
                supervisord.stop()
                haproxy.clean()
