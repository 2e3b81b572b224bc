"""Alertmanager."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.servers.base import Server, http_status, require


class Alertmanager(Server):
    """Posts each alert by itself (group_by ...), at once, to the `webhooks` (URLs)."""

    name = "alertmanager"

    def __init__(
        self,
        directory: Path,
        webhooks: Sequence[str],
        group_interval: str = "1s",
        port: int | None = None,
    ) -> None:
        super().__init__(directory, port)
        self._webhooks = webhooks
        self._group_interval = group_interval

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self) -> None:
        route = {
            "receiver": "tests",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": self._group_interval,
            "repeat_interval": "1h",
        }
        hooks = [{"url": url, "send_resolved": True} for url in self._webhooks]
        config = {"route": route, "receivers": [{"name": "tests", "webhook_configs": hooks}]}
        (self.directory / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML

    @property
    def command(self) -> list[str]:
        return [
            require("prometheus-alertmanager"),
            f"--config.file={self.directory}/alertmanager.yml",
            f"--storage.path={self.directory}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def ready(self) -> bool:
        return http_status(f"{self.url}/-/ready") == 200
