"""The hosts and groups of an inventory, as Ansible reads it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfheal.errors import ExecutionError
from selfheal.recovery.executors.command import Site

INVENTORY_RUN = "inventory"
"""What stands for the run in the mark of processes that only read the inventory."""

_TIMEOUT = 60.0
_FRESH = 5.0  # seconds for which the answer of a script is good: nothing tells when it changes
_STRICT = "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"  # else a broken part is left out in silence

Signature = tuple[tuple[str, int, int], ...]


@dataclass(slots=True)
class Listing:
    """What Ansible says about one inventory."""

    hosts: frozenset[str]
    """Names of all hosts."""
    groups: Mapping[str, frozenset[str]]
    """Group to hosts, those of its children included; without `all` and `ungrouped`."""
    patterns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Patterns that Ansible has been asked about."""


class InventoryHosts:
    """Asks Ansible, and again only when a file of the inventory has changed.

    An inventory that is there and names no host is an error, like one that can't be read: only
    where there is none at all are there no hosts."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[str, tuple[Signature, float, Listing | ExecutionError]] = {}
        self._asking = asyncio.Lock()

    async def hosts(self, inventory: str = "") -> frozenset[str]:
        """See `AnsibleRunner.hosts`."""
        return (await self._listing(self._site.inventory_for(inventory))).hosts

    async def groups(self, inventory: str = "") -> Mapping[str, frozenset[str]]:
        """See `AnsibleRunner.groups`."""
        return (await self._listing(self._site.inventory_for(inventory))).groups

    async def hosts_of(self, pattern: str, inventory: str = "") -> tuple[str, ...]:
        """See `AnsibleRunner.hosts_of`."""
        source = self._site.inventory_for(inventory)
        listing = await self._listing(source)
        if pattern in ("all", "*"):
            return tuple(sorted(listing.hosts))
        names = {name: frozenset([name]) for name in listing.hosts}
        parts = [{**listing.groups, **names}.get(name) for name in pattern.split(",")]
        if all(part is not None for part in parts):
            return tuple(sorted({host for part in parts for host in part or ()}))
        if source is None:
            return ()
        if pattern not in listing.patterns:
            listing.patterns[pattern] = await self._matching(source, pattern, listing.hosts)
        return listing.patterns[pattern]

    async def _listing(self, source: str | None) -> Listing:
        if source is None:
            return Listing(frozenset(), {})
        if "," in source:
            names = frozenset(name.strip() for name in source.split(",") if name.strip())
            return _with_hosts(Listing(names, {}), source)
        async with self._asking:  # who comes meanwhile gets the same answer
            answer = await self._answer(source)
        if isinstance(answer, ExecutionError):
            raise answer.with_traceback(None)  # it may be raised again and again
        return answer

    async def _answer(self, source: str) -> Listing | ExecutionError:
        """What is known, or Ansible's answer; what failed is tried again though nothing changed."""
        signature = await asyncio.to_thread(_signature, Path(source))
        if source in self._known:
            then, good_until, answer = self._known[source]
            lasting = signature and isinstance(answer, Listing)
            if then == signature and (lasting or time.monotonic() < good_until):
                return answer
        answer = await self._asked(source)
        self._known[source] = (signature, time.monotonic() + _FRESH, answer)
        return answer

    async def _asked(self, source: str) -> Listing | ExecutionError:
        try:
            return _with_hosts(_read(await self._list(source)), source)
        except ExecutionError as error:
            return error

    async def _list(self, source: str) -> dict[str, Any]:
        out, err = await self._run("ansible-inventory", "-i", source, "--list")
        try:
            listing = json.loads(out)
        except ValueError as error:
            raise ExecutionError(f"ansible-inventory can't read {source}: {_why(err)}") from error
        return listing if isinstance(listing, dict) else {}

    async def _matching(self, source: str, pattern: str, known: frozenset[str]) -> tuple[str, ...]:
        """Ask Ansible itself about a pattern with wildcards, exclusions or ranges."""
        out, err = await self._run("ansible", "-i", source, "--list-hosts", "--", pattern)
        if not out.lstrip().startswith("hosts ("):
            raise ExecutionError(f"Ansible can't read the host pattern {pattern!r}: {err}")
        return tuple(sorted(name for line in out.splitlines() if (name := line.strip()) in known))

    async def _run(self, name: str, *arguments: str) -> tuple[str, str]:
        program = self._site.program(name)
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            cwd=self._site.project,
            env={_STRICT: "true", **self._site.env(INVENTORY_RUN, program)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), _TIMEOUT)
        except TimeoutError as error:
            raise ExecutionError(f"{name} hung over {' '.join(arguments[:2])}") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return out.decode(errors="replace"), err.decode(errors="replace").strip()


def _with_hosts(listing: Listing, source: str) -> Listing:
    if not listing.hosts:
        raise ExecutionError(
            f"the inventory {source} names no host; a script of it may have failed in silence. "
            "For playbooks on this machine alone add localhost to it"
        )
    return listing


def _why(err: str) -> str:
    """What Ansible calls an error, without the warnings before it; all of it where it says none."""
    errors = [line for line in err.splitlines() if line.startswith(("[ERROR]", "ERROR!"))]
    return "; ".join(errors) or err


def _read(listing: dict[str, Any]) -> Listing:
    content = {name: group for name, group in listing.items() if name != "_meta"}
    hosts = set(listing.get("_meta", {}).get("hostvars", {}))
    for group in content.values():
        hosts.update(group.get("hosts", ()))
    names = set(content) - {"all", "ungrouped"}
    return Listing(frozenset(hosts), {name: _members(name, content, set()) for name in names})


def _members(name: str, content: Mapping[str, Any], seen: set[str]) -> frozenset[str]:
    """Return the hosts of a group and of every group below it."""
    seen.add(name)
    group = content.get(name, {})
    children = [child for child in group.get("children", ()) if child not in seen]
    below = [_members(child, content, seen) for child in children]
    return frozenset(group.get("hosts", ())).union(*below)


def _signature(source: Path) -> Signature:
    """Return what changes when the inventory does; empty when a script makes it."""
    files = sorted(path for path in source.rglob("*") if path.is_file()) or [source]
    if any(os.access(path, os.X_OK) for path in files):
        return ()
    stats = [(path, path.stat()) for path in files]
    return tuple((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in stats)
