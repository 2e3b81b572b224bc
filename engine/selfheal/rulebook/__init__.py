"""Rulebooks: YAML in, checked rulebook out."""

from selfheal.rulebook.grammar import parse_condition
from selfheal.rulebook.loader import load_directory, load_rulebook, read_rulebook
from selfheal.rulebook.variables import bind, bind_expression

__all__ = [
    "bind",
    "bind_expression",
    "load_directory",
    "load_rulebook",
    "parse_condition",
    "read_rulebook",
]
