"""The condition language of ansible-rulebook 1.3, text in, nodes out.

From the loosest to the tightest:

    condition   := assignable ("<<" logical)?
    logical     := negation (("and" | "or") negation)*        one precedence, left to right
    negation    := "not" negation | membership
    membership  := test (("in" | "not in" | "contains" | "not contains") test)?
    test        := comparison (("is" | "is not") ("defined" | search | select | selectattr))?
    comparison  := sum (("==" | "!=" | "<" | "<=" | ">" | ">=") sum)?
    sum         := term (("+" | "-") term)*
    term        := list | number | null | boolean | path | word | text | "(" condition ")"

As in the original the operators that are words need no space behind them, a bare word is a text,
and whatever can't be read to its end is tried no other way than these rules say.
"""

from __future__ import annotations

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
    Operand,
    Path,
    Scalar,
    Search,
    Select,
    SelectAttr,
)
from selfheal.rulebook import tokens
from selfheal.rulebook.terms import TermParser

SELECT_OPERATORS = ("==", "!=", ">", ">=", "<", "<=", "regex", "search", "match")
SELECTATTR_OPERATORS = (*SELECT_OPERATORS, "in", "not in", "contains", "not contains")


def parse_condition(text: str) -> Expression:
    """Return the nodes of one condition; raises `ConditionError` with the offset and a hint."""
    return _Parser(text).parse()


class _Parser(TermParser):
    def parse(self) -> Expression:
        node = self._condition()
        if node is None or not self.scan.at_end():
            self._fail_where_it_ended()
        return self._truth(node, 0)

    def _condition(self) -> Expression | None:
        start = self.scan.skip_space()
        lhs = self._logical()
        if lhs is None or not self.scan.take(tokens.ASSIGN, "an operator"):
            return lhs
        if not isinstance(lhs, Path) or lhs.root not in ("events", "facts") or len(lhs.keys) != 1:
            self._fail("only events.NAME or facts.NAME can stand before '<<'", start)
        inner = self.scan.position
        expr = self._logical()
        if expr is None:
            self._fail_where_it_ended()
        return Assign(str(lhs.keys[0]), lhs.root, self._truth(expr, inner))

    def _logical(self) -> Expression | None:
        start = self.scan.skip_space()
        node = self._negation()
        while node is not None:
            before = self.scan.position
            op = self.scan.take(tokens.LOGICAL, "an operator")
            inner = self.scan.position
            rhs = self._negation() if op else None
            if op is None or rhs is None:
                self.scan.position = before
                break
            self._count(op.start())
            node = Logical(op[0], self._truth(node, start), self._truth(rhs, inner))
        return node

    def _negation(self) -> Expression | None:
        before = self.scan.position
        if op := self.scan.take(tokens.NOT):
            self._enter(op.start())
            expr = self._negation()
            self.nesting -= 1
            if expr is not None:
                return Negate(self._truth(expr, op.end()))
            self.scan.position = before
        return self._membership()

    def _membership(self) -> Expression | None:
        start = self.scan.skip_space()
        lhs = self._test()
        before = self.scan.position
        op = self.scan.take(tokens.MEMBERSHIP, "an operator") if lhs is not None else None
        if lhs is None or op is None:
            return lhs
        inner = self.scan.position
        rhs = self._test()
        if rhs is None:
            self.scan.position = before
            return lhs
        name = op[1].lower()
        operands = self._operand(lhs, start), self._operand(rhs, inner)
        return Membership(name.removeprefix("not "), *operands, negated=name.startswith("not "))

    def _test(self) -> Expression | None:
        start = self.scan.skip_space()
        lhs = self._comparison()
        before = self.scan.position
        op = self.scan.take(tokens.IS, "an operator") if lhs is not None else None
        if lhs is None or op is None:
            return lhs
        operand = self._operand(lhs, start)
        negated = op[0] == "is not"
        if self.scan.take(
            tokens.DEFINED, "a test: defined, match, search, regex, select, selectattr"
        ):
            if not isinstance(operand, Path):
                self._fail("only a path such as event.x can be tested for 'defined'", start)
            return Defined(operand, negated)
        if test := self.scan.take(tokens.SEARCH):
            return self._search(operand, test[1], negated)
        if test := self.scan.take(tokens.SELECT):
            return self._select(operand, test[1], negated)
        self.scan.position = before
        return lhs

    def _search(self, lhs: Operand, kind: str, negated: bool) -> Search:
        pattern = self._text() or self._path()
        if pattern is None:
            self._fail_at(f"{kind} needs a quoted text or a path first")
        options: dict[str, Scalar] = {}
        while self.scan.take(tokens.COMMA, "',' or ')'"):
            option = self.scan.take(tokens.OPTION, "an option such as ignorecase=true")
            value = self._scalar() if option else None
            if option is None or value is None:
                self._fail_at("an option such as ignorecase=true is missing here")
            options[option[1]] = value.value  # type: ignore[assignment]  # _scalar gives no lists
        self._close(tokens.CLOSE, "')'")
        return Search(lhs, kind, pattern, options, negated)

    def _select(self, lhs: Operand, kind: str, negated: bool) -> Select | SelectAttr:
        arguments: list[tuple[Operand, int]] = [self._argument(kind)]
        while self.scan.take(tokens.COMMA, "',' or ')'"):
            arguments.append(self._argument(kind))
        self._close(tokens.CLOSE, "')'")
        wanted = 3 if kind == "selectattr" else 2
        if len(arguments) != wanted:
            self._fail(f"{kind} takes {wanted} arguments, not {len(arguments)}", arguments[0][1])
        op = self._select_operator(kind, *arguments[-2])
        value = arguments[-1][0]
        if kind == "select":
            return Select(lhs, op, value, negated)
        key, offset = arguments[0]
        if not isinstance(key, Literal) or not isinstance(key.value, str):
            self._fail("the attribute must be a quoted text", offset)
        return SelectAttr(lhs, key.value, op, value, negated)

    def _select_operator(self, kind: str, op: Operand, offset: int) -> str:
        known = SELECTATTR_OPERATORS if kind == "selectattr" else SELECT_OPERATORS
        if not isinstance(op, Literal) or op.value not in known:
            written = self.text[offset : offset + 20].split(",")[0]
            hint = f"known to {kind}: {', '.join(known)}"
            self._fail(f"{kind} knows no operator {written}", offset, hint)
        return str(op.value)

    def _argument(self, kind: str) -> tuple[Operand, int]:
        offset = self.scan.skip_space()
        value = self._scalar() or self._list() or self._path()
        if value is None:
            self._fail_at(f"an argument of {kind} is missing here")
        return value, offset

    def _comparison(self) -> Expression | None:
        start = self.scan.skip_space()
        lhs = self._sum()
        before = self.scan.position
        op = self.scan.take(tokens.COMPARE, "an operator") if lhs is not None else None
        if lhs is None or op is None:
            return lhs
        inner = self.scan.position
        rhs = self._sum()
        if rhs is None:
            self.scan.position = before
            return lhs
        node = Compare(op[0], self._operand(lhs, start), self._operand(rhs, inner))
        if chained := self.scan.take(tokens.COMPARE):
            hint = "write: a == b and b == c"
            self._fail("comparisons can't be chained", chained.start(), hint)
        return node

    def _sum(self) -> Expression | None:
        start = self.scan.skip_space()
        node = self._term()
        while node is not None:
            before = self.scan.position
            if times := self.scan.take(tokens.TIMES):
                hint = "multiply and divide in a filter of the source; conditions know + and -"
                self._fail(f"'{times[0]}' is not supported", times.start(), hint)
            op = self.scan.take(tokens.PLUS_MINUS, "an operator")
            inner = self.scan.position
            rhs = self._term() if op else None
            if op is None or rhs is None:
                self.scan.position = before
                break
            self._count(op.start())
            node = Arithmetic(op[0], self._operand(node, start), self._operand(rhs, inner))
        return node

    def _term(self) -> Expression | None:
        simple = self._list() or self._number() or self._constant() or self._path()
        if simple is not None:
            return simple
        if word := self.scan.take(tokens.WORD):
            return Literal(word[0])
        return self._text() or self._parenthesis()

    def _parenthesis(self) -> Expression | None:
        before = self.scan.position
        opened = self.scan.take(tokens.OPEN, "a value")
        if opened is None:
            return None
        self._enter(opened.start())
        node = self._condition()
        self.nesting -= 1
        if node is None or not self.scan.take(tokens.CLOSE, "')'"):
            self.scan.position = before
            return None
        return node

    def _operand(self, node: Expression, offset: int) -> Operand:
        if not isinstance(node, Literal | Path | Arithmetic):
            self._fail("a value is needed here, not a condition", offset)
        return node

    def _truth(self, node: Expression, offset: int) -> Expression:
        is_value = isinstance(node, Arithmetic) or (
            isinstance(node, Literal) and not isinstance(node.value, bool)
        )
        if is_value:
            self._fail("a condition is needed here, not a value", offset)
        return node
