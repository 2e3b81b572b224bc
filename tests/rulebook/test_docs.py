from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import pytest

from selfheal.rulebook import load_rulebook
from selfheal.rulebook.schema.actions import ACTIONS
from selfheal.rulebook.schema.solution import SolutionPart, StepPart
from selfheal.rulebook.schema.validation import KINDS, Around
from selfheal.rulebook.schema.values import Part
from tests.rulebook.conftest import Write

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rulebooks.md").read_text()
EXAMPLES = re.findall(r"^```yaml ?(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

HEAD = "- name: x\n  hosts: all\n  sources: []\n"
RULE = f"{HEAD}  rules:\n    - name: r\n"
AROUND = {
    "": ("", 0),
    "rules": (f"{HEAD}  rules:\n", 4),
    "solutions": (f"{HEAD}  rules: []\n  solutions:\n", 4),
    "conditions": (f"{RULE}      action: {{none: }}\n      condition:\n        any:\n", 10),
    "actions": (f"{RULE}      condition: true\n      actions:\n", 8),
    "validations": (
        f"{HEAD}  rules: []\n  solutions:\n    - name: s\n      root_cause: r\n"
        "      strategy: quick_fix\n      risk: low\n      steps: [{playbook: p.yml}]\n"
        "      validate:\n",
        8,
    ),
}
"""For each kind of example the rulebook it is a part of, and how deep it stands there."""


@pytest.mark.parametrize(("kind", "text"), EXAMPLES, ids=[kind or "book" for kind, _ in EXAMPLES])
def test_every_example_is_a_sound_rulebook(write: Write, kind: str, text: str) -> None:
    """What the page shows can be copied."""
    head, depth = AROUND[kind]
    path = write(head + indent(text, " " * depth))
    assert load_rulebook(path, variables={"region": "eu"}).rulesets


def test_the_page_has_examples_of_every_kind() -> None:
    """The pattern that finds the examples finds them."""
    assert {kind for kind, _ in EXAMPLES} == set(AROUND)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        *ACTIONS.items(),
        *KINDS.items(),
        ("step", StepPart),
        ("solution", SolutionPart),
        ("around", Around),
    ],
)
def test_no_key_is_left_out(name: str, model: type[Part]) -> None:
    """Each action and validation is named on the page, and so is every key it takes."""
    assert name in ("around", "step", "solution") or f"`{name}`" in PAGE
    for key, field in model.model_fields.items():
        assert re.search(rf"\b{field.alias or key}\b", PAGE), key
