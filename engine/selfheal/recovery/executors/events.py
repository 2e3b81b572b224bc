"""ansible-runner's job events, read: tasks, statistics, facts, and why a run failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selfheal.model import PlaybookResult, StepState, TaskResult

_LONGEST_TEXT = 4000
_LONGEST_MESSAGE = 500
_STATISTICS = ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored")
_GATHERING = ("ansible.builtin.gather_facts", "ansible.builtin.setup", "gather_facts", "setup")
_NOISE = frozenset({"invocation", "exception", "stdout_lines", "stderr_lines"})

Event = Mapping[str, Any]


class EventLog:
    """Takes the events of one run in order; the same for a live run and for its artifacts."""

    def __init__(self) -> None:
        self.tasks: list[TaskResult] = []
        self.stats: dict[str, dict[str, int]] = {}
        self.facts: dict[str, Any] = {}
        self._facts_host = ""
        self._unmatched: list[str] = []
        self._pattern = ""
        self._changed_loops: set[tuple[str, str]] = set()

    def take(self, event: Event) -> TaskResult | None:
        """Note one event; return the task that ended by it, if one did."""
        data = event.get("event_data") or {}
        match event.get("event"):
            case "playbook_on_play_start":
                self._pattern = str(data.get("pattern") or "")
            case "playbook_on_no_hosts_matched":
                self._unmatched.append(self._pattern)
            case "playbook_on_stats":
                self.stats = _per_host(data)
            case "runner_item_on_ok" if _says_changed(event):
                self._changed_loops.add(_loop(data))
            case (
                "runner_on_ok" | "runner_on_failed" | "runner_on_skipped" | "runner_on_unreachable"
            ):
                self._note_facts(data)
                changed = _says_changed(event) or _loop(data) in self._changed_loops
                self.tasks.append(_task(event, data, changed))
                return self.tasks[-1]
        return None

    def result(
        self, ident: str, rc: int, started_at: float, ended_at: float, *, limit: str, output: str
    ) -> PlaybookResult:
        """Return how a run that ended by itself, with `rc`, went."""
        message = self._why(rc, limit, output)
        return PlaybookResult(
            ident=ident,
            state=StepState.FAILED if message else StepState.SUCCESSFUL,
            rc=rc,
            started_at=started_at,
            ended_at=ended_at,
            tasks=tuple(self.tasks),
            stats=self.stats,
            message=message,
            facts=self.facts,
        )

    def _why(self, rc: int, limit: str, output: str) -> str:
        """Return why the run counts as failed; empty when it does not."""
        if rc == 0:
            return self._nothing_done(limit)
        failed = [task for task in self.tasks if task.status in ("failed", "unreachable")]
        if failed:
            last = failed[-1]
            return _clip(f"{last.host}: task {last.task!r} {last.status}: {last.message}")
        if rc < 0:
            return "ansible-playbook was killed by a signal"
        return _clip(_error_line(output)) or f"ansible-playbook ended with rc {rc}"

    def _nothing_done(self, limit: str) -> str:
        # Ansible calls a play without hosts a success; for a healing it is none.
        if any(task.module not in _GATHERING for task in self.tasks):
            return ""
        if self._unmatched:
            within = f" within the limit {limit!r}" if limit else ""
            hosts = ", ".join(repr(pattern) for pattern in self._unmatched)
            return f"no host matched: hosts {hosts}{within}; nothing was done"
        return "the playbook ran no task; nothing was done"

    def _note_facts(self, data: Event) -> None:
        host = str(data.get("host") or "")
        result = data.get("res")
        if not isinstance(result, Mapping) or _module(data) in _GATHERING:
            return
        for part in (result, *_items(result)):
            facts = {
                name: value
                for name, value in (part.get("ansible_facts") or {}).items()
                if not name.startswith("discovered_interpreter_")
            }
            if facts and self._facts_host in ("", host):
                self._facts_host = host
                self.facts.update(facts)


def _task(event: Event, data: Event, changed: bool) -> TaskResult:
    result = data.get("res")
    result = result if isinstance(result, Mapping) else {}
    status = _status(event, data, changed)
    censored = "censored" in result
    return TaskResult(
        host=str(data.get("host") or ""),
        task=str(data.get("task") or ""),
        module=_module(data),
        status=status,
        duration=float(data.get("duration") or 0.0),
        message=_message(result) if status in ("failed", "unreachable", "ignored") else "",
        result={} if censored else _tidy(result),
    )


def _status(event: Event, data: Event, changed: bool) -> str:
    kind = str(event["event"]).removeprefix("runner_on_")
    if kind == "ok":
        return "changed" if changed else "ok"
    if kind == "failed" and data.get("ignore_errors"):
        return "ignored"
    return kind


def _says_changed(event: Event) -> bool:
    """Tell whether something was changed; of a `no_log` result only the terminal's line tells."""
    result = (event.get("event_data") or {}).get("res")
    if isinstance(result, Mapping) and result.get("changed"):
        return True
    return str(event.get("stdout") or "").lstrip().startswith("changed:")


def _loop(data: Event) -> tuple[str, str]:
    return str(data.get("task_uuid")), str(data.get("host"))


def _module(data: Event) -> str:
    return str(data.get("resolved_action") or data.get("task_action") or "")


def _items(result: Event) -> list[Event]:
    items = result.get("results")
    if not isinstance(items, list):
        return []
    return [item for item in items if isinstance(item, Mapping)]


def _message(result: Event) -> str:
    """Return what the module, or the first failed item of a loop, said."""
    if "censored" in result:
        return "hidden by no_log"
    for item in _items(result):
        if item.get("failed") or item.get("unreachable"):
            label = item.get("_ansible_item_label", item.get("item"))
            return _clip(f"item {label!r}: {_message(item)}")
    said = str(result.get("msg") or result.get("censored") or "").strip()
    last_words = _last_line(str(result.get("stderr") or result.get("module_stderr") or ""))
    if last_words and last_words not in said:
        said = f"{said}: {last_words}" if said else last_words
    return _clip(said)


def _tidy(value: Any) -> Any:
    """Return a module's result without Ansible's bookkeeping, long texts cut, secrets left out."""
    if isinstance(value, Mapping):
        if "censored" in value:
            return {}
        return {
            str(key): _tidy(item)
            for key, item in value.items()
            if not str(key).startswith("_ansible_") and key not in _NOISE
        }
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[:_LONGEST_TEXT]}… ({len(value) - _LONGEST_TEXT} more characters)"
    return value


def _per_host(data: Event) -> dict[str, dict[str, int]]:
    hosts = {host for name in _STATISTICS for host in data.get(name) or {}}
    return {
        host: {name: int((data.get(name) or {}).get(host, 0)) for name in _STATISTICS}
        for host in sorted(hosts)
    }


def _error_line(output: str) -> str:
    """Return the first line in which Ansible says what is wrong, else the last line."""
    for line in output.splitlines():
        for sign in ("[ERROR]:", "ERROR!"):
            if sign in line:
                return line.partition(sign)[2].strip()
    return _last_line(output)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _clip(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _LONGEST_MESSAGE else f"{one_line[:_LONGEST_MESSAGE]}…"
