"""Validations: the proofs that a fault is gone."""

from selfheal.recovery.validation.holds import KINDS, holds, validate
from selfheal.recovery.validation.kind import Kind, ProbeContext, Seen

__all__ = ["KINDS", "Kind", "ProbeContext", "Seen", "holds", "validate"]
