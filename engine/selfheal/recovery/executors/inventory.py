"""The hosts of an inventory, as Ansible reads it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from selfheal.errors import ExecutionError
from selfheal.recovery.executors.command import Site

_TIMEOUT = 60.0

Signature = tuple[tuple[str, int, int], ...]


class InventoryHosts:
    """Asks `ansible-inventory`, and again only when a file of the inventory has changed."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[str, tuple[Signature, frozenset[str]]] = {}

    async def hosts(self, inventory: str = "") -> frozenset[str]:
        """See `AnsibleRunner.hosts`."""
        source = self._site.inventory_for(inventory)
        if source is None:
            return frozenset()
        if "," in source:
            return frozenset(name.strip() for name in source.split(",") if name.strip())
        signature = _signature(Path(source))
        known = self._known.get(source)
        if signature and known and known[0] == signature:
            return known[1]
        hosts = _host_names(await self._list(source))
        if signature:
            self._known[source] = (signature, hosts)
        return hosts

    async def _list(self, source: str) -> dict[str, Any]:
        program = self._site.program("ansible-inventory")
        process = await asyncio.create_subprocess_exec(
            program,
            "-i",
            source,
            "--list",
            cwd=self._site.project,
            env=self._site.env("inventory", program),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), _TIMEOUT)
            listing = json.loads(out)
        except TimeoutError as error:
            raise ExecutionError(f"ansible-inventory hung over {source}") from error
        except ValueError as error:
            said = err.decode(errors="replace").strip()
            raise ExecutionError(f"ansible-inventory can't read {source}: {said}") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return listing if isinstance(listing, dict) else {}


def _host_names(listing: dict[str, Any]) -> frozenset[str]:
    names = set(listing.get("_meta", {}).get("hostvars", {}))
    for group, content in listing.items():
        if group != "_meta":
            names.update(content.get("hosts", ()))
    return frozenset(names)


def _signature(source: Path) -> Signature:
    """Return what changes when the inventory does; empty when a script makes it."""
    files = sorted(path for path in source.rglob("*") if path.is_file()) or [source]
    if any(os.access(path, os.X_OK) for path in files):
        return ()
    stats = [(path, path.stat()) for path in files]
    return tuple((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in stats)
