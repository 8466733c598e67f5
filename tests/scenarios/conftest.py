"""Scenarios run on committed data: each starts from empty tables and moves the clock by itself."""

from collections.abc import Iterator

import pytest
from tests.scenarios import cast


@pytest.fixture
def books(transactional_db: None) -> Iterator[None]:
    """Empty books of a Saudi utility; at the end every invariant of the books must hold."""
    cast.empty_big_tables()
    cast.answer_profile()
    yield
    assert cast.broken_invariants() == []
