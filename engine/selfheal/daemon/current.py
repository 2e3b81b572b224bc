"""What a reload replaces: the rulebooks in force, what runs them, the rails and the policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selfheal.config import Approval, Rails
from selfheal.daemon.loading import Edition
from selfheal.decision import Policy
from selfheal.model import Rule

if TYPE_CHECKING:
    from selfheal.daemon.rulesets import RunningRulesets


@dataclass
class Current:
    """The stages look here whenever they need the rulebooks as they are now."""

    edition: Edition
    """The rulebooks."""
    rails: Rails
    """What keeps healings from doing harm."""
    approval: Approval
    """Who is asked, and when."""
    rulesets: RunningRulesets = field(init=False)
    """What runs them; set before anything is run."""

    @property
    def policy(self) -> Policy:
        """When a human must agree."""
        return Policy(self.approval.risk, self.approval.confidence)

    def rule(self, ruleset: str, name: str) -> Rule | None:
        """Return a rule by name; None when there is no such rule."""
        return self.edition.rule(ruleset, name)
