from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from selfheal.errors import ConfigError, InputError, Problem
from selfheal.strict import Strict
from selfheal.yamlfile import Vaulted, load_yaml, parse_yaml, problems_from

YAMLISH = st.text("-?:[]{},&*!|>'\"%@`# \n\t\r\0~=<a1\ufeff", max_size=60) | st.lists(
    st.sampled_from(["a", "- ", ": ", "\n  ", "---\n", "&a ", "*a", "<<: ", "!vault ", "!!set "])
).map("".join)


def only(content: str | bytes) -> Problem:
    [problem] = parse_yaml(content, "f.yml").problems
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("off", False),
        ("Yes", True),
        ("y", "y"),
        ("010", 8),
        ("0o10", "0o10"),
        ("0x1f", 31),
        ("1_000", 1000),
        ("1:30", 90),
        ("1e3", "1e3"),
        ("1.0e+3", 1000.0),
        ("~", None),
        ("2001-12-14", "2001-12-14"),
        ("2001-99-99", "2001-99-99"),
        ("'yes'", "yes"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("=", "="),
    ],
)
def test_scalars_are_read_as_ansible_reads_them(text: str, value: object) -> None:
    """The flavour is YAML 1.1 with one exception: dates stay text, because records are JSON."""
    document = parse_yaml(f"key: {text}")
    assert document.problems == ()
    assert document.value == {"key": value}
    assert type(document.value["key"]) is type(value)


def test_every_key_and_value_knows_its_place() -> None:
    """Lines and columns are those of the file, for keys, values, list items and flow style."""
    document = parse_yaml("a:\n  - b: 1\n    c: {d: [x, y]}\n")
    assert document.position(("a", 0, "b")).line == 2
    assert document.position(("a", 0, "b")).column == 8
    assert document.position(("a", 0, "b"), at_key=True).column == 5
    assert document.position(("a", 0, "c", "d", 1)).column == 16
    assert document.place(("a", 0, "c")) == ":3:8"


def test_a_missing_part_stands_where_its_surroundings_stand() -> None:
    """A path that isn't in the file gives the place of the nearest part that is."""
    document = parse_yaml("a:\n  b: 1\n")
    assert document.position(("a", "x", "y")) == document.position(("a",))


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("k: a == b", 9),
        ("k: 'a == b'", 10),
        ('k: "a == b"', 10),
        ('k: "\\x61 == b"', 4),
        ("k: >\n  a == b\n", 4),
    ],
)
def test_an_offset_into_a_text_is_a_column_when_the_text_stands_as_it_is(
    text: str, column: int
) -> None:
    """Plain and quoted texts are pointed into; escaped and folded ones are pointed at."""
    assert parse_yaml(text).problem("bad", ("k",), offset=5).column == column


@pytest.mark.parametrize(
    ("content", "message", "line", "column"),
    [
        (b"a: 1\nb: 2\na: 3\n", "duplicate key 'a', first in line 1", 3, 1),
        (b"a: 1\nb: \xff\xfe\n", "not valid UTF-8", 2, 4),
        (b"a:\n\t- b\n", "cannot start any token", 2, 1),
        (b"a: b: c\n", "mapping values are not allowed", 1, 5),
        (b"a: [1,\n", "broken YAML", 2, 1),
        (b"a: 1\n---\nb: 2\n", "second document", 2, 1),
        (b"a: {{ x }}\n", "a key must be a plain value", 1, 5),
        (b"a: !!python/name:os.system x\n", "tag !!python/name:os.system is not supported", 1, 4),
        (b"a: !custom x\n", "tag !custom is not supported", 1, 4),
        (b"a: !!binary aGk=\n", "tag !!binary is not supported", 1, 4),
        (b"a: *nobody\n", "alias *nobody refers to nothing", 1, 4),
        (b"a: &x [*x]\n", "alias *x refers to nothing that ends before it", 1, 8),
        (b"a: \x00\n", "character '\\x00'", 1, 4),
        (b"$ANSIBLE_VAULT;1.1;AES256\n3132\n", "encrypted as a whole", 1, 1),
        (b"a: " + b"9" * 5000, "no valid int", 1, 4),
        (b"<<: 5\n", "'<<' takes a mapping", 1, 5),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    content: bytes, message: str, line: int, column: int
) -> None:
    """Each kind of broken file gives one problem: what, which line, which column."""
    problem = only(content)
    assert message in problem.message
    assert (problem.file, problem.line, problem.column) == ("f.yml", line, column)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("\ta: 1", "indent with spaces"),
        ("a: {{ x }}", "quote a value that begins with braces"),
        ("a: @x", "begins with '@'"),
        ("a: b: c", "quote a value that holds ': '"),
        ("a: 1\na: 2", "remove one of the two"),
    ],
)
def test_common_mistakes_come_with_a_hint(content: str, hint: str) -> None:
    """Tabs, unquoted Jinja, odd first characters, colons and doubles: the cure is told."""
    assert hint in only(content).hint


def test_several_duplicates_are_told_at_once_in_file_order() -> None:
    """A mistake that leaves the file readable does not hide the next one."""
    document = parse_yaml("a: 1\na: 2\nb:\n  c: 1\n  c: 2\n")
    assert [(problem.line, problem.path) for problem in document.problems] == [(2, "a"), (5, "b.c")]


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
@pytest.mark.parametrize("depth", [101, 100_000])
def test_deep_nesting_is_refused_before_it_hurts(opening: str, depth: int) -> None:
    """A hundred levels are the limit, and a hundred thousand don't exhaust the stack."""
    assert parse_yaml(opening * depth).problems != ()


def test_a_hundred_levels_are_read() -> None:
    """The limit itself is still allowed."""
    assert parse_yaml("[" * 100 + "]" * 100).problems == ()


@pytest.mark.parametrize("width", [1, 9])
def test_alias_bombs_are_refused(width: int) -> None:
    """Neither billions of values nor thousands of levels can be made of a few aliases."""
    lines = ["- &a0 [x]"]
    lines += [f"- &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, 400)]
    assert "aliases blow this file up" in only("\n".join(lines)).message


def test_aliases_and_merge_keys_work() -> None:
    """A merged key gives way to one that is written, and to an earlier source."""
    document = parse_yaml(
        "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 0\nw: *x\n"
    )
    assert document.problems == ()
    assert document.value["z"] == {"a": 0, "b": 1, "c": 2}
    assert document.value["w"] == {"a": 1, "b": 1}


def test_an_encrypted_value_is_never_printed() -> None:
    """`!vault` gives a value that keeps its ciphertext to itself."""
    document = parse_yaml("key: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6330\n")
    value = document.value["key"]
    assert isinstance(value, Vaulted)
    assert value.ciphertext.startswith("$ANSIBLE_VAULT")
    assert "6330" not in f"{document.value!r} {value}"


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    """Ten megabytes are the limit."""
    assert "larger than 10 MB" in only(b"a" * 10_000_001).message


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """A missing file is told like any other mistake, as the error type the caller wants."""
    with pytest.raises(ConfigError) as caught:
        load_yaml(tmp_path / "none.yml", ConfigError)
    assert "No such file" in caught.value.problems[0].message


def test_the_digest_tells_two_editions_apart() -> None:
    """Equal text, equal digest; a changed comment changes it."""
    assert parse_yaml("a: 1").digest == parse_yaml("a: 1").digest
    assert parse_yaml("a: 1").digest != parse_yaml("a: 1 # b").digest


class Inner(Strict):
    retries: int
    name: str = ""


class Outer(Strict):
    inner: list[Inner]
    either: int | Inner = 0


def test_pydantic_findings_get_places_and_hints(tmp_path: Path) -> None:
    """Unknown, missing and mistyped keys are placed in the file and told in plain words."""
    file = tmp_path / "f.yml"
    file.write_text("inner:\n  - {retires: 1}\n  - retries: [x]\neither: no idea\n")
    document = load_yaml(file)
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(document.value)
    problems = problems_from(caught.value, document)
    assert [(p.line, p.path) for p in problems[:3]] == [
        (2, "inner[0]"),
        (2, "inner[0].retires"),
        (3, "inner[1].retries"),
    ]
    assert problems[0].message == "the key 'retries' is missing"
    assert problems[1].hint == "did you mean 'retries'?"
    assert problems[2].message == "must be a whole number, not a list"
    assert {problem.line for problem in problems[3:]} == {4}


def test_a_word_that_yaml_takes_for_a_boolean_is_explained() -> None:
    """`name: off` is false to YAML 1.1; the hint says how to mean the word."""
    document = parse_yaml("retries: 1\nname: off\n")
    with pytest.raises(ValidationError) as caught:
        Inner.model_validate(document.value)
    [problem] = problems_from(caught.value, document)
    assert (problem.message, problem.hint) == ("must be text, not false", "put quotes around it")


@given(st.one_of(st.binary(max_size=200), YAMLISH.map(str.encode)))
def test_no_bytes_whatsoever_crash_the_reader(content: bytes) -> None:
    """Any bytes give data or problems, and no problem says nothing or stands nowhere."""
    document = parse_yaml(content, "f.yml")
    for problem in document.problems:
        assert problem.message
        assert problem.file == "f.yml"


@given(st.binary(max_size=100))
def test_loading_raises_nothing_but_input_errors(content: bytes) -> None:
    """Whatever stands in a file, the only error is InputError."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        with contextlib.suppress(InputError):
            load_yaml(file.name)
