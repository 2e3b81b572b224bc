"""The monitoring files that are shipped for the web tier fit the rulebook and are valid."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.servers import require

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "packaging/web-tier"


@pytest.mark.parametrize(
    "command",
    [
        ["promtool", "check", "rules", "rules.yml"],
        ["promtool", "check", "config", "prometheus.yml"],
        ["amtool", "check-config", "alertmanager.yml"],
    ],
    ids=lambda command: command[-1],
)
def test_its_own_tool_accepts_each_file(command: list[str]) -> None:
    """promtool and amtool find nothing wrong with the files as they are shipped."""
    argv = [require(command[0]), *command[1:]]
    done = subprocess.run(argv, cwd=SHIPPED, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_its_rule_and_its_line_in_the_docs() -> None:
    """What Prometheus alerts about, what the rulebook waits for, and what is documented agree."""
    (group,) = yaml.safe_load((SHIPPED / "rules.yml").read_text())["groups"]
    alerts = {rule["alert"] for rule in group["rules"]}
    rulebook = (ROOT / "rulebooks/web-tier.yml").read_text()
    assert set(re.findall(r'labels\.alertname == "(\w+)"', rulebook)) == alerts
    documented = (ROOT / "docs/web-tier.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", documented, re.M)) >= alerts
