"""Rules: which rules of a ruleset fire for an event, a fact, or the passing of time."""

from selfheal.rules.digest import rules_digest
from selfheal.rules.engines import describe_join_engine
from selfheal.rules.matcher import RulesetMatcher, build_matcher
from selfheal.rules.predicate import compile_predicate

__all__ = [
    "RulesetMatcher",
    "build_matcher",
    "compile_predicate",
    "describe_join_engine",
    "rules_digest",
]
