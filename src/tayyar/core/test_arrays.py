"""Array literals mean to PostgreSQL what the lists were."""

import datetime as dt

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from tayyar.core import arrays

ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@pytest.mark.django_db
@given(st.lists(ANY_TEXT, max_size=5))
def test_texts_come_back_as_they_were(values):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[]", [arrays.texts(values)])
        assert cursor.fetchone()[0] == values


@pytest.mark.django_db
def test_numbers_and_moments_come_back_as_they_were_also_where_there_is_none():
    now = dt.datetime(2026, 11, 28, 6, 0, 0, 5, tzinfo=dt.UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s::bigint[], %s::timestamptz[]",
            [arrays.ints([1, None, -3]), arrays.times([now, None, now])],
        )
        assert cursor.fetchone() == ([1, None, -3], [now, None, now])


def test_empty_lists_are_empty_arrays():
    assert arrays.ints([]) == arrays.texts([]) == arrays.times([]) == "{}"
