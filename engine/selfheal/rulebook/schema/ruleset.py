"""A ruleset: sources, the rules that watch them, the solutions to what they find."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selfheal.rulebook.schema.rule import RulePart
from selfheal.rulebook.schema.solution import SolutionPart
from selfheal.rulebook.schema.source import SourceValue
from selfheal.rulebook.schema.values import Duration, Name, Part, Reserved, absent


class RulesetPart(Part):
    """An entry of a rulebook file. Without `solutions` it needs sources and rules."""

    name: Name
    hosts: str
    sources: list[SourceValue] = Field(default_factory=list)
    rules: list[RulePart] = Field(default_factory=list)
    solutions: list[SolutionPart] = Field(default_factory=list)
    gather_facts: bool = False
    match_multiple_rules: bool = False
    default_events_ttl: Duration = absent()
    execution_strategy: Literal["sequential", "parallel"] = absent()
    topology: Reserved = None
    monitors: Reserved = None
    predictions: Reserved = None
