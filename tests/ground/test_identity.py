from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from selfheal.model import fingerprint_of, new_id


def test_ids_are_unique_and_carry_their_prefix() -> None:
    """Ten thousand ids made in a row are all different and look alike."""
    ids = {new_id("ev") for _ in range(10_000)}
    assert len(ids) == 10_000
    assert all(re.fullmatch(r"ev-[0-9a-hjkmnp-tv-z]{16}", one) for one in ids)


@given(st.lists(st.text()), st.lists(st.text()))
def test_fingerprints_tell_parts_apart(one: list[str], other: list[str]) -> None:
    """Two lists of parts have one fingerprint exactly when they are equal."""
    assert (fingerprint_of(*one) == fingerprint_of(*other)) == (one == other)
