"""Locks on resources: leases, taken all or none."""

from __future__ import annotations

from typing import Protocol


class LockRecord(Protocol):
    """Locks on resources: leases, taken all or none."""
