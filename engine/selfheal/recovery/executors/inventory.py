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
    """Asks Ansible, and again only when a file of the inventory has changed."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[str, tuple[Signature, float, Listing]] = {}
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
            return Listing(names, {})
        async with self._asking:  # who comes meanwhile gets the same answer
            signature = await asyncio.to_thread(_signature, Path(source))
            known = self._known.get(source)
            if known and known[0] == signature and (signature or time.monotonic() < known[1]):
                return known[2]
            listing = _read(await self._list(source))
            self._known[source] = (signature, time.monotonic() + _FRESH, listing)
            return listing

    async def _list(self, source: str) -> dict[str, Any]:
        out, err = await self._run("ansible-inventory", "-i", source, "--list")
        try:
            listing = json.loads(out)
        except ValueError as error:
            raise ExecutionError(f"ansible-inventory can't read {source}: {err}") from error
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
            env=self._site.env(INVENTORY_RUN, program),
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
