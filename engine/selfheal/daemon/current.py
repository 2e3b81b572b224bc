"""What a reload replaces: the rulebooks in force, and the rulesets that run them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selfheal.daemon.loading import Edition
from selfheal.model import Rule

if TYPE_CHECKING:
    from selfheal.daemon.rulesets import RunningRulesets


@dataclass
class Current:
    """The stages look here whenever they need the rulebooks as they are now."""

    edition: Edition
    """The rulebooks."""
    rulesets: RunningRulesets = field(init=False)
    """What runs them; set before anything is run."""

    def rule(self, ruleset: str, name: str) -> Rule | None:
        """Return a rule by name; None when there is no such rule."""
        return self.edition.rule(ruleset, name)
