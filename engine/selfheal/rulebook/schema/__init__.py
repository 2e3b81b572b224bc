"""What a rulebook file may say, as pydantic models: one concept a module."""

from selfheal.rulebook.schema.ruleset import RulesetPart

__all__ = ["RulesetPart"]
