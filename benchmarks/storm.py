"""A storm: 10,000 Alertmanager alerts within 10 s for 1,000 targets, against a real engine.

    python benchmarks/storm.py [--alerts 10000] [--targets 1000] [--seconds 10] [--keep]

Four alerts of five come in groups of twenty, the rest alone; each target is told of several times.
The limits allow 40 healings an hour, four at once, one a target. The last line is one JSON object;
docs/benchmarks.md says how to read it. Exit code 1 when an alert is not accounted for, a limit was
overstepped, or the engine grew beyond `--most-mb`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.servers.base import free_port

from benchmarks.crash_kinds.effects import Run, most_at_once, read_effects
from benchmarks.crash_kinds.engine import Life
from benchmarks.crash_kinds.site import NO_RAILS, TOKEN, Site, lay_out

GROUP = 20
IN_GROUPS = 0.8
SENDERS = 8
AN_HOUR, AT_ONCE, A_TARGET = 40, 4, 1
LIMITS = [
    {"per": "target", "max": A_TARGET, "every": "1h"},
    {"per": "global", "max": AN_HOUR, "every": "1h"},
    {"per": "global", "max": AT_ONCE, "at_once": True},
]


@dataclass(slots=True)
class Sending:
    """What was sent and how it was answered."""

    alerts: int = 0
    """Alerts in requests that were answered 2xx."""
    again: int = 0
    """Alerts sent again, after 429 or 503."""
    refused: Counter[int] = field(default_factory=Counter)
    """Other answers."""
    seconds: float = 0.0
    """How long it took until the last was acknowledged."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="selfheal-storm-"))
    try:
        summary = storm(folder, options.alerts, options.targets, options.seconds, options.seed)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    summary["beyond_memory"] = int(summary["rss_peak_mb"] > options.most_mb)
    print(json.dumps(summary))
    faults = ("lost", "unaccounted", "beyond_limits", "beyond_memory", "refused")
    return 1 if any(summary[name] for name in faults) else 0


def storm(folder: Path, alerts: int, targets: int, seconds: float, seed: int) -> dict[str, Any]:
    """Run an engine in `folder` through a storm; return what the last line shows."""
    site = _site(folder, targets)
    engine = Life(site)
    try:
        engine.await_ready()
        memory = Memory(engine.process.pid)
        with memory:
            time.sleep(1.0)
            idle, cpu = memory.now(), cpu_seconds(engine.process.pid)
            sending = _send_all(site, list(_payloads(alerts, targets, seed)), seconds)
            sent_cpu = cpu_seconds(engine.process.pid) - cpu
            settled, status = _settle(site, engine)
            all_cpu = cpu_seconds(engine.process.pid) - cpu
        summary = _summary(alerts, targets, sending, status, read_effects(folder))
        summary |= {
            "sent_cpu_s": round(sent_cpu, 1),
            "cpu_s": round(all_cpu, 1),
            "settled_s": round(settled, 1),
            "rss_idle_mb": round(idle),
            "rss_peak_mb": round(memory.peak),
            "rss_ratio": round(memory.peak / idle, 2),
            "alive": int(engine.alive),
        }
        return summary
    finally:
        engine.close()


def cpu_seconds(pid: int) -> float:
    """Processor time of that process so far, its children's not counted."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")


class Memory:
    """The engine's resident memory, sampled ten times a second."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = 0.0
        """Megabytes."""

    def now(self) -> float:
        """Megabytes; 0 for a process that is gone."""
        try:
            text = self._status.read_text()
        except OSError:
            return 0.0
        line = next((one for one in text.splitlines() if one.startswith("VmRSS")), "VmRSS: 0")
        return int(line.split()[1]) / 1024

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.peak = max(self.peak, self.now())


def _site(folder: Path, targets: int) -> Site:
    alerts = free_port()
    effect = "fx/{{ target }}/{{ attempt.id }}/fix/ok/100/xf"
    step = {"playbook": "do.yml", "vars": {"effect": effect}, "limit": "{{ target }}"}
    heal = {
        "fault": "connection_failure",
        "component": "web",
        "target": "{{ event.alert.labels.instance }}",
        "root_cause": "web-dead",
    }
    ruleset = {
        "name": "storm",
        "hosts": "all",
        "sources": [
            {
                "alertmanager": {
                    "host": "127.0.0.1",
                    "port": alerts,
                    "token": TOKEN,
                    "skip_original_data": True,
                }
            }
        ],
        "rules": [
            {
                "name": "down",
                "condition": 'event.alert.status == "firing"',
                "action": {"heal": heal},
            }
        ],
        "solutions": [
            {
                "name": "fix",
                "root_cause": "web-dead",
                "strategy": "quick_fix",
                "risk": "low",
                "steps": [step],
                "validate": [{"command": {"argv": "test -e {{ vars.world }}/{{ target }}"}}],
            }
        ],
    }
    config = {
        "rails": {**NO_RAILS, "limits": LIMITS},
        "max_parallel": AT_ONCE,
        "approval": {"confidence": 0.0},
    }
    hosts = [f"t{number}" for number in range(targets)]
    return lay_out(folder, hosts, [ruleset], config, alerts=alerts, hooks=alerts, real=False)


def _payloads(alerts: int, targets: int, seed: int) -> Iterator[list[dict[str, Any]]]:
    """Alerts in the groups in which they are sent; targets in no order, each several times."""
    dice = random.Random(seed)
    numbers = [number % targets for number in range(alerts)]
    dice.shuffle(numbers)
    every = [_alert(number) for number in numbers]
    grouped = int(alerts * IN_GROUPS)
    groups = [every[at : at + GROUP] for at in range(0, grouped, GROUP)]
    groups += [[alert] for alert in every[grouped:]]
    dice.shuffle(groups)
    return iter(groups)


def _alert(number: int) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "Down", "instance": f"t{number}", "severity": "critical"},
        "annotations": {"summary": f"t{number} does not answer"},
        "startsAt": "2026-01-01T00:00:00Z",
        "fingerprint": f"{number:016x}",
    }


def _send_all(site: Site, groups: list[list[dict[str, Any]]], seconds: float) -> Sending:
    """Send from several connections, spread evenly over `seconds` as far as the engine lets us."""
    sending, lock, began = Sending(), threading.Lock(), time.monotonic()

    def send(share: list[tuple[int, list[dict[str, Any]]]]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", site.alerts, timeout=120)
        for place, group in share:
            due = began + seconds * place / len(groups)
            time.sleep(max(0.0, due - time.monotonic()))
            while (status := _post(connection, group)) in (429, 503):
                with lock:
                    sending.again += len(group)
                time.sleep(0.2)
            with lock:
                if 200 <= status < 300:
                    sending.alerts += len(group)
                else:
                    sending.refused[status] += len(group)
        connection.close()

    numbered = list(enumerate(groups))
    threads = [
        threading.Thread(target=send, args=(numbered[first::SENDERS],)) for first in range(SENDERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sending.seconds = time.monotonic() - began
    return sending


def _post(connection: http.client.HTTPConnection, group: list[dict[str, Any]]) -> int:
    body = json.dumps({"version": "4", "status": "firing", "alerts": group})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _settle(site: Site, engine: Life, within: float = 180.0) -> tuple[float, dict[str, Any]]:
    """Wait until nothing moves; return the seconds it took, and what `status` says then."""
    began, last, still = time.monotonic(), "", 0
    while time.monotonic() - began < within and engine.alive:
        status = _status(site)
        busy = status["events"]["unmatched"] or status["healings_running"]
        now = json.dumps([status["faults"], status["healings"], status["fault_reports"]])
        still = still + 1 if not busy and now == last else 0
        if still >= 3:
            break
        last = now
        time.sleep(1.0)
    return time.monotonic() - began, _status(site)


def _status(site: Site) -> dict[str, Any]:
    words = [sys.executable, "-m", "selfheal.cli", "status", "-o", "json", "-p", str(site.folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=site.env)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _summary(
    alerts: int, targets: int, sending: Sending, status: dict[str, Any], runs: list[Run]
) -> dict[str, Any]:
    fixes = [run for run in runs if run.what == "do"]
    a_target = max(Counter(run.key for run in fixes).values(), default=0)
    at_once = most_at_once(fixes)
    healings = sum(status["healings"].values())
    waiting = sum(status["waiting"].values())
    queued = status["healings"].get("queued", 0)
    unaccounted = {
        "events": abs(status["events"]["accepted"] - sending.alerts),
        "unmatched": status["events"]["unmatched"],
        "reports": abs(status["fault_reports"] - sending.alerts),
        "faults": abs(sum(status["faults"].values()) - min(alerts, targets)),
        "healings": abs(healings - min(alerts, targets)),
        "waits": abs(queued - waiting),
    }
    over = [a_target - A_TARGET, len(fixes) - AN_HOUR, at_once - AT_ONCE]
    return {
        "alerts": alerts,
        "acknowledged": sending.alerts,
        "sent_again": sending.again,
        "refused": sum(sending.refused.values()),
        "sent_s": round(sending.seconds, 1),
        "lost": max(0, sending.alerts - status["fault_reports"]),
        "unaccounted": {name: count for name, count in unaccounted.items() if count},
        "faults": status["faults"],
        "healings": status["healings"],
        "waiting": status["waiting"],
        "playbooks": len(fixes),
        "at_once_peak": at_once,
        "per_target_peak": a_target,
        "beyond_limits": sum(excess for excess in over if excess > 0),
    }


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--alerts", type=int, default=10_000, help="how many")
    parser.add_argument("--targets", type=int, default=1_000, help="for how many targets")
    parser.add_argument("--seconds", type=float, default=10.0, help="within which time")
    parser.add_argument("--seed", type=int, default=1, help="of their order")
    parser.add_argument("--most-mb", type=float, default=512.0, help="what the engine may grow to")
    parser.add_argument("--keep", action="store_true", help="keep the project")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
