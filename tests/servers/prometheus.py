"""Prometheus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers.base import Server, http_status, require


class Prometheus(Server):
    """Scrapes `jobs` (job name to addresses "127.0.0.1:PORT") every `interval`.

    `rules` are alerting rules as Prometheus writes them: {"alert": ..., "expr": ..., ...}. Alerts
    are sent to `alertmanager` ("127.0.0.1:PORT") when one is given.
    """

    name = "prometheus"

    def __init__(
        self,
        directory: Path,
        jobs: Mapping[str, Sequence[str]],
        rules: Sequence[Mapping[str, Any]] = (),
        alertmanager: str | None = None,
        interval: str = "1s",
        port: int | None = None,
    ) -> None:
        super().__init__(directory, port)
        self._jobs = jobs
        self._rules = rules
        self._alertmanager = alertmanager
        self._interval = interval

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self) -> None:
        timing = {"scrape_interval": self._interval, "evaluation_interval": self._interval}
        timing["scrape_timeout"] = self._interval
        config: dict[str, Any] = {
            "global": timing,
            "rule_files": [str(self.directory / "rules.yml")],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(targets)}]}
                for job, targets in self._jobs.items()
            ],
        }
        if self._alertmanager is not None:
            managers = [{"static_configs": [{"targets": [self._alertmanager]}]}]
            config["alerting"] = {"alertmanagers": managers}
        rules = {"groups": [{"name": "tests", "rules": [dict(rule) for rule in self._rules]}]}
        # JSON is YAML.
        (self.directory / "prometheus.yml").write_text(json.dumps(config))
        (self.directory / "rules.yml").write_text(json.dumps(rules))

    @property
    def command(self) -> list[str]:
        return [
            require("prometheus"),
            f"--config.file={self.directory}/prometheus.yml",
            f"--storage.tsdb.path={self.directory}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
            "--log.level=warn",
        ]

    def ready(self) -> bool:
        return http_status(f"{self.url}/-/ready") == 200
