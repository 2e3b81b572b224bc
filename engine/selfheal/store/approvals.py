"""Approvals: asked for, given, denied, expired."""

from __future__ import annotations

from selfheal.store.repository import Repository


class Approvals(Repository):
    """Implements `ports.ApprovalRecord`."""
