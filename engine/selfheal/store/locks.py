"""Locks on resources: leases, taken all or none."""

from __future__ import annotations

from selfheal.store.repository import Repository


class Locks(Repository):
    """Implements `ports.LockRecord`."""
