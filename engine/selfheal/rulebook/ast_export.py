"""A rulebook as ansible-rulebook's JSON syntax tree: to compare what both loaders understood.

Takes an unbound rulebook (see `loader.read_rulebook`) and the variables, because that tree
tells values that came from variables from those that were written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selfheal.errors import ConditionError
from selfheal.model import ActionSpec, Condition, Quantifier, Rule, Rulebook, Ruleset, SourceSpec
from selfheal.model.condition import (
    Arithmetic,
    Assign,
    Compare,
    Defined,
    Expression,
    Literal,
    Logical,
    Membership,
    Negate,
    Path,
    Search,
    Select,
    SelectAttr,
)
from selfheal.rulebook.checks import rendered_name
from selfheal.rulebook.variables import look_up, render_text
from selfheal.yamlfile import Vaulted

Tree = dict[str, Any]

_BINARY = {
    "==": "EqualsExpression",
    "!=": "NotEqualsExpression",
    "<": "LessThanExpression",
    "<=": "LessThanOrEqualToExpression",
    ">": "GreaterThanExpression",
    ">=": "GreaterThanOrEqualToExpression",
    "+": "AdditionExpression",
    "-": "SubtractionExpression",
    "and": "AndExpression",
    "or": "OrExpression",
}
_MEMBERSHIP = {
    ("in", False): "ItemInListExpression",
    ("in", True): "ItemNotInListExpression",
    ("contains", False): "ListContainsItemExpression",
    ("contains", True): "ListNotContainsItemExpression",
}
_QUANTIFIER = {
    Quantifier.ALL: "AllCondition",
    Quantifier.ANY: "AnyCondition",
    Quantifier.NOT_ALL: "NotAllCondition",
}


def rulebook_tree(rulebook: Rulebook, variables: Mapping[str, Any]) -> list[Tree]:
    """Return the tree of a whole file; raises `ConditionError` for an unknown variable."""
    return [_ruleset_tree(ruleset, variables) for ruleset in rulebook.rulesets]


def expression_tree(node: Expression, variables: Mapping[str, Any]) -> Any:
    """Return the tree of one expression."""

    def tree(inner: Expression) -> Any:
        return expression_tree(inner, variables)

    match node:
        case Literal(value):
            return _literal_tree(value, variables)
        case Path("vars"):
            return _variable_tree(look_up(node, variables), variables)
        case Path(root, _, text):
            return {root.capitalize(): text}
        case Arithmetic(op, lhs, rhs) | Compare(op, lhs, rhs) | Logical(op, lhs, rhs):
            return {_BINARY[op]: {"lhs": tree(lhs), "rhs": tree(rhs)}}
        case Negate(expr):
            return {"NegateExpression": tree(expr)}
        case Membership(op, lhs, rhs, negated):
            return {_MEMBERSHIP[op, negated]: {"lhs": tree(lhs), "rhs": tree(rhs)}}
        case Defined(path, negated):
            return {"IsNotDefinedExpression" if negated else "IsDefinedExpression": tree(path)}
        case Assign(name, root, expr):
            return {"AssignmentExpression": {"lhs": {root.capitalize(): name}, "rhs": tree(expr)}}
        case Search() | Select() | SelectAttr():
            return _test_tree(node, variables)


def _test_tree(node: Search | Select | SelectAttr, variables: Mapping[str, Any]) -> Tree:
    lhs = expression_tree(node.lhs, variables)
    negation = "Not" if node.negated else ""
    if isinstance(node, Search):
        search: Tree = {
            "kind": {"String": node.kind},
            "pattern": expression_tree(node.pattern, variables),
        }
        if node.options:
            search["options"] = [
                {"name": {"String": name}, "value": _literal_tree(value, variables)}
                for name, value in node.options.items()
            ]
        return {f"Search{negation}MatchesExpression": {"lhs": lhs, "rhs": {"SearchType": search}}}
    rhs: Tree = {
        "operator": {"String": node.op},
        "value": expression_tree(node.value, variables),
    }
    if isinstance(node, SelectAttr):
        rhs = {"key": {"String": node.key}, **rhs}
        return {f"SelectAttr{negation}Expression": {"lhs": lhs, "rhs": rhs}}
    return {f"Select{negation}Expression": {"lhs": lhs, "rhs": rhs}}


def _literal_tree(value: Any, variables: Mapping[str, Any]) -> Any:
    match value:
        case None:
            return {"NullType": None}
        case bool():
            return {"Boolean": value}
        case int():
            return {"Integer": value}
        case float():
            return {"Float": value}
        case str():
            return {"String": render_text(value, variables)}
        case Path():
            return expression_tree(value, variables)
    return [_literal_tree(item, variables) for item in value]


def _variable_tree(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, bool):
        return {"Integer": value}  # the original takes a variable's boolean for a number
    if isinstance(value, list):
        return [_variable_tree(item, variables) for item in value]
    if isinstance(value, Mapping):
        raise ConditionError("a mapping is no value for a condition")
    return _literal_tree(value, variables)


def _ruleset_tree(ruleset: Ruleset, variables: Mapping[str, Any]) -> Tree:
    tree: Tree = {
        "name": ruleset.name,
        "hosts": list(ruleset.hosts),
        "sources": [_source_tree(source) for source in ruleset.sources],
        "rules": [_rule_tree(rule, variables) for rule in ruleset.rules if rule.enabled],
    }
    if ruleset.default_events_ttl_text:
        tree["default_events_ttl"] = ruleset.default_events_ttl_text
    if ruleset.match_multiple_rules:
        tree["match_multiple_rules"] = True
    return {"RuleSet": tree}


def _source_tree(source: SourceSpec) -> Tree:
    filters = [
        {"EventSourceFilter": {"filter_name": item.name, "filter_args": plain(item.args) or None}}
        for item in source.filters
    ]
    return {
        "EventSource": {
            "name": source.name,
            "source_name": source.type,
            "source_args": plain(source.args),
            "source_filters": filters,
        }
    }


def _rule_tree(rule: Rule, variables: Mapping[str, Any]) -> Tree:
    tree: Tree = {
        "name": rendered_name(rule.name, variables),
        "condition": _condition_tree(rule.condition, variables),
        "actions": [_action_tree(action) for action in rule.actions],
        "enabled": rule.enabled,
    }
    if throttle := rule.throttle:
        tree["throttle"] = {
            "group_by_attributes": list(throttle.group_by),
            throttle.kind.value: throttle.window_text,
        }
        if throttle.threshold is not None:
            tree["throttle"]["threshold"] = throttle.threshold
    return {"Rule": tree}


def _condition_tree(condition: Condition, variables: Mapping[str, Any]) -> Tree:
    expressions = [expression_tree(item, variables) for item in condition.expressions]
    tree: Tree = {_QUANTIFIER[condition.quantifier]: expressions}
    if condition.timeout_text:
        tree["timeout"] = condition.timeout_text
    return tree


def _action_tree(action: ActionSpec) -> Tree:
    return {"Action": {"action": action.name, "action_args": plain(action.args)}}


def plain(value: Any) -> Any:
    """Return `value` as plain JSON data; an encrypted value is its ciphertext, as there."""
    if isinstance(value, Vaulted):
        return value.ciphertext
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
