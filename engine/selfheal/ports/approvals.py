"""Approvals: asked for, given, denied, expired."""

from __future__ import annotations

from typing import Protocol


class ApprovalRecord(Protocol):
    """Approvals: asked for, given, denied, expired."""
