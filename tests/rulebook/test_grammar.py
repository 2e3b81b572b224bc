from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.errors import ConditionError
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
from selfheal.rulebook import parse_condition
from selfheal.rulebook.grammar import SELECT_OPERATORS, SELECTATTR_OPERATORS

I = Path("event", ("i",), "i")  # noqa: E741  # the field every example calls i
J = Path("event", ("j",), "j")


def refusal(text: str) -> ConditionError:
    with pytest.raises(ConditionError) as caught:
        parse_condition(text)
    return caught.value


def is_one(name: str) -> Compare:
    return Compare("==", Path("event", (name,), name), Literal(1))


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("event.i == 1", Compare("==", I, Literal(1))),
        ("event.i==1.0", Compare("==", I, Literal(1.0))),
        ("event.i != -1", Compare("!=", I, Literal(-1))),
        ("event.i < .5", Compare("<", I, Literal(0.5))),
        ("event.i >= 1e3", Compare(">=", I, Literal(1000.0))),
        ("event.i == 01", Compare("==", I, Literal(1))),
        ("event.i == True", Compare("==", I, Literal(True))),
        ("event.i == null", Compare("==", I, Literal(None))),
        ("event.i == 'a\"b'", Compare("==", I, Literal('a"b'))),
        ('event.i == ""', Compare("==", I, Literal(""))),
        ("event.i == abc", Compare("==", I, Literal("abc"))),
        (r'event.i == "a\nb\.c"', Compare("==", I, Literal("a\nb\\.c"))),
        ("event.i == [1, 'a', null]", Compare("==", I, Literal((1, "a", None)))),
        ("event.i == event.j - 1", Compare("==", I, Arithmetic("-", J, Literal(1)))),
        ("event.i -1 == 0", Compare("==", Arithmetic("-", I, Literal(1)), Literal(0))),
        ("event.i", I),
        ("not event.i", Negate(I)),
        ("true", Literal(True)),
        ("event.i is defined", Defined(I)),
        ("event.i is not defined", Defined(I, negated=True)),
        ("event.i in [1]", Membership("in", I, Literal((1,)))),
        ("event.i NOT IN [1]", Membership("in", I, Literal((1,)), negated=True)),
        ("event.i not contains 'a'", Membership("contains", I, Literal("a"), negated=True)),
        ("event.i is match('a')", Search(I, "match", Literal("a"))),
        (
            "event.i is not search(event.j, ignorecase=true)",
            Search(I, "search", J, {"ignorecase": True}, negated=True),
        ),
        ("event.i is select('>=', 1)", Select(I, ">=", Literal(1))),
        ("event.i is selectattr('a.b', 'in', [1])", SelectAttr(I, "a.b", "in", Literal((1,)))),
        ("events.first << event.i == 1", Assign("first", "events", is_one("i"))),
        ("(event.i == 1)", is_one("i")),
        ("\n  event.i\n  == 1 ", is_one("i")),
        ("event.i in [vars.a]", Membership("in", I, Literal((Path("vars", ("a",), "a"),)))),
    ],
)
def test_each_form_of_the_language_has_its_node(text: str, node: Expression) -> None:
    """Every operator, value and test is understood, types told apart."""
    parsed = parse_condition(text)
    assert repr(parsed) == repr(node)


@pytest.mark.parametrize(
    ("text", "keys", "written"),
    [
        ("event.a.b", ("a", "b"), "a.b"),
        ('event["a b"].c', ("a b", "c"), '["a b"].c'),
        ("event.a['x'][-1]", ("a", "x", -1), "a['x'][-1]"),
        ("event.and.or", ("and", "or"), "and.or"),
        ("event.über_1", ("über_1",), "über_1"),
    ],
)
def test_paths_keep_their_keys_and_their_text(
    text: str, keys: tuple[Any, ...], written: str
) -> None:
    """Dots, quoted keys and indexes all lead on; the text stays as written."""
    assert parse_condition(text) == Path("event", keys, written)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        # And and or have one precedence: recorded from the original.
        (
            "event.a == 1 or event.b == 1 and event.c == 1",
            "(event.a==1 or event.b==1) and event.c==1",
        ),
        ("not event.a == 1 and event.b == 1", "(not (event.a == 1)) and event.b == 1"),
        ("event.a == 1 and not event.b == 1", "event.a == 1 and (not (event.b == 1))"),
        ("event.a - event.b - event.c == 1", "(event.a - event.b) - event.c == 1"),
        ("not event.l is select('==', 1)", "not (event.l is select('==', 1))"),
        ("event.a + 1 in [2]", "(event.a + 1) in [2]"),
        (
            "events.x << event.a == 1 and event.b == 1",
            "events.x << (event.a == 1 and event.b == 1)",
        ),
    ],
)
def test_precedence_is_the_recorded_one(text: str, same: str) -> None:
    """A condition without parentheses means what it means to ansible-rulebook."""
    assert parse_condition(text) == parse_condition(same)


@pytest.mark.parametrize(
    ("text", "offset", "hint"),
    [
        ("event.i = 1", 8, "'=='"),
        ("event.i == 1 && event.j == 1", 13, "'and'"),
        ("event.i == 1 || event.j == 1", 13, "'or'"),
        ("event.s|lower == 'a'", 7, "filters"),
        ("len(event.l) == 3", 3, "functions"),
        ("event.s.lower() == 'a'", 13, "functions"),
        ("event.i * 2 == 2", 8, "multiply"),
        ("event.i between 1 and 2", 8, "event.i >= 1"),
        ("event.i is null", 11, "== null"),
        ("event.i in []", 12, "empty list"),
        ("event.i in [[1]]", 12, "lists don't nest"),
        ("event.i == {{ x }}", 11, "vars.NAME"),
        ("event.i == 'abc", 11, "quote"),
        ("event.l is select('foo', 1)", 18, "known to select: =="),
        ("1 < event.i < 3", 12, "a == b and b == c"),
        ("", 0, "true"),
        ("(event.i == 1", 13, ""),
        ("event.", 0, ""),
        ("facts", 0, ""),
        ("events['a'] == 1", 0, ""),
        ("'text'", 0, ""),
        ("event.i == 1 and 5", 17, ""),
        ("(event.i == 1) == true", 0, ""),
        ("event.i << event.j == 1", 0, ""),
        ("5 is defined", 0, ""),
        ("event.i in [event.j]", 12, ""),
        ("event.l is selectattr('a', '==')", 22, ""),
        ("event.l is match()", 17, ""),
        ("event.l is match('a', 'b')", 22, ""),
    ],
)
def test_a_mistake_is_told_where_it_is(text: str, offset: int, hint: str) -> None:
    """The offset is that of the first character that can't be right, with a cure if known."""
    error = refusal(text)
    assert error.offset == offset
    assert hint in error.hint
    assert error.message


def test_nesting_and_length_are_limited() -> None:
    """What walks the nodes may recurse: neither parentheses nor chains grow without end."""
    assert "nested deeper" in refusal("(" * 100_000).message
    assert "nested deeper" in refusal("not " * 100_000 + "event.i").message
    assert "operators" in refusal(" or ".join(["event.i == 1"] * 1000)).message
    parse_condition(" or ".join(["event.i == 1"] * 200))


# --- round trip: nodes to text to nodes ---------------------------------------------------------

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="'\\\n\r", exclude_categories=["Cs"])
)
NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
LITERALS = st.builds(Literal, SCALARS | st.lists(SCALARS, min_size=1, max_size=3).map(tuple))


@st.composite
def paths(draw: st.DrawFn) -> Path:
    root = draw(st.sampled_from(["event", "fact", "events", "facts", "vars"]))
    keys: list[str | int] = [draw(NAMES)]
    text = str(keys[0])
    more = st.lists(NAMES | st.integers(-9, 9) | st.just("a b-c"), max_size=3)
    for key in draw(more if root != "vars" else st.just([])):
        keys.append(key)
        text += f"[{key}]" if isinstance(key, int) else f'["{key}"]' if " " in key else f".{key}"
    return Path(root, tuple(keys), text)


OPERANDS = st.recursive(
    LITERALS | paths(),
    lambda inner: st.builds(Arithmetic, st.sampled_from("+-"), inner, inner),
    max_leaves=3,
)
PATTERNS = st.builds(Literal, TEXTS) | paths()
OPTIONS = st.dictionaries(st.sampled_from(["ignorecase", "multiline"]), st.booleans())
LEAVES = st.one_of(
    paths(),
    st.builds(Literal, st.booleans()),
    st.builds(Compare, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), OPERANDS, OPERANDS),
    st.builds(Membership, st.sampled_from(["in", "contains"]), OPERANDS, OPERANDS, st.booleans()),
    st.builds(Defined, paths(), st.booleans()),
    st.builds(
        Search,
        OPERANDS,
        st.sampled_from(["match", "search", "regex"]),
        PATTERNS,
        OPTIONS,
        st.booleans(),
    ),
    st.builds(
        Select, OPERANDS, st.sampled_from(SELECT_OPERATORS), LITERALS | paths(), st.booleans()
    ),
    st.builds(
        SelectAttr,
        OPERANDS,
        TEXTS,
        st.sampled_from(SELECTATTR_OPERATORS),
        LITERALS | paths(),
        st.booleans(),
    ),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Negate, inner)
        | st.builds(Logical, st.sampled_from(["and", "or"]), inner, inner)
        | st.builds(Assign, NAMES, st.sampled_from(["events", "facts"]), inner)
    ),
    max_leaves=6,
)


def written(node: Any) -> str:
    match node:
        case Literal(value):
            return value_written(value)
        case Path(root, _, text):
            return f"{root}.{text}"
        case Arithmetic(op, lhs, rhs) | Compare(op, lhs, rhs) | Logical(op, lhs, rhs):
            return f"({written(lhs)}) {op} ({written(rhs)})"
        case Negate(expr):
            return f"not ({written(expr)})"
        case Assign(name, root, expr):
            return f"{root}.{name} << ({written(expr)})"
        case Membership(op, lhs, rhs, negated):
            return f"({written(lhs)}) {'not ' * negated}{op} ({written(rhs)})"
        case Defined(path, negated):
            return f"{written(path)} is {'not ' * negated}defined"
        case Search(lhs, kind, pattern, options, negated):
            more = "".join(f", {key} = {value_written(item)}" for key, item in options.items())
            return f"({written(lhs)}) is {'not ' * negated}{kind}({written(pattern)}{more})"
        case Select(lhs, op, value, negated):
            return f"({written(lhs)}) is {'not ' * negated}select('{op}', {written(value)})"
        case SelectAttr(lhs, key, op, value, negated):
            test = f"selectattr('{key}', '{op}', {written(value)})"
            return f"({written(lhs)}) is {'not ' * negated}{test}"
    raise AssertionError(node)


def value_written(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value_written(item) for item in value)}]"
    if isinstance(value, str):
        return f"'{value}'"
    return "null" if value is None else str(value)


@given(EXPRESSIONS)
def test_whatever_can_be_written_is_read_back(node: Expression) -> None:
    """Nodes written as text are parsed to the same nodes, types and all."""
    assert repr(parse_condition(written(node))) == repr(node)


PIECES = [
    "event.i",
    "vars.x",
    "events.a <<",
    "==",
    "and",
    "or",
    "not",
    "in",
    "is",
    "defined",
    "(",
    ")",
]
PIECES += [
    "[",
    "]",
    ",",
    "1",
    "'a'",
    "match(",
    "select(",
    "selectattr(",
    "<<",
    "+",
    "-",
    "*",
    "\n",
    "null",
]


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_no_text_crashes_the_parser(text: str) -> None:
    """Any text gives nodes, or one ConditionError whose offset lies within the text."""
    try:
        parse_condition(text)
    except ConditionError as error:
        assert 0 <= error.offset <= len(text)  # noqa: PT017  # either outcome is right
