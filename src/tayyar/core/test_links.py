"""A link opens its own bill until its day, and nothing else opens anything."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from tayyar.core.links import (
    TOKEN_LENGTH,
    bill_token,
    claim_token,
    delegate_token,
    open_bill_token,
    open_claim_token,
    open_delegate_token,
    open_preference_token,
    preference_token,
)

EXPIRES = dt.date(2026, 6, 1)
LAST_DAY = dt.date(2026, 5, 31)
NUMBER = 261100000001234
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. é"


def test_a_token_opens_its_bill_until_the_day_before_it_expires():
    token = bill_token(NUMBER, expires=EXPIRES)
    assert open_bill_token(token, today=LAST_DAY) == NUMBER
    assert open_bill_token(token, today=EXPIRES) is None


@given(st.integers(0, 2**63 - 1), st.dates(min_value=dt.date(2020, 1, 2)))
def test_every_token_is_short_safe_in_an_address_and_opens(number: int, expires: dt.date):
    token = bill_token(number, expires=expires)
    assert len(token) == TOKEN_LENGTH <= 40
    assert token.replace("-", "").replace("_", "").isalnum()
    assert open_bill_token(token, today=expires - dt.timedelta(1)) == number


@given(st.integers(0, TOKEN_LENGTH - 1), st.sampled_from(ALPHABET))
def test_a_token_with_any_character_altered_opens_nothing(position: int, letter: str):
    token = bill_token(NUMBER, expires=EXPIRES)
    altered = token[:position] + letter + token[position + 1 :]
    if altered != token:
        assert open_bill_token(altered, today=LAST_DAY) is None


@given(st.text(max_size=50))
def test_any_other_text_opens_nothing(text: str):
    assert open_bill_token(text, today=LAST_DAY) is None


def test_a_token_with_a_letter_more_or_less_opens_nothing():
    token = bill_token(NUMBER, expires=EXPIRES)
    for altered in (token[:-1], token + "A", token + "=", " " + token, token[:-4]):
        assert open_bill_token(altered, today=LAST_DAY) is None


def test_the_same_letters_in_the_other_base64_spelling_open_nothing():
    # 0xFB.. gives "-" or "_" somewhere in nearly every token; take the first that has one
    token = next(t for n in range(1000) if {"-", "_"} & set(t := bill_token(n, expires=EXPIRES)))
    assert open_bill_token(token, today=LAST_DAY) is not None
    assert open_bill_token(token.replace("-", "+").replace("_", "/"), today=LAST_DAY) is None


def test_a_token_cannot_be_stretched_to_another_day_or_bill():
    token = bill_token(NUMBER, expires=EXPIRES)
    later = bill_token(NUMBER, expires=EXPIRES + dt.timedelta(365))
    other = bill_token(NUMBER + 1, expires=EXPIRES)
    # payload of one (11 bytes: 14 letters and a part of the 15th) with the MAC of another
    for payload in (later, other):
        assert open_bill_token(payload[:15] + token[15:], today=LAST_DAY) is None


@given(st.integers(100_000_001, 2**47), st.integers(0, 2**15 - 1))
def test_a_wishes_token_says_which_person_of_which_account(account_id: int, recipient: int):
    token = preference_token(account_id, recipient, expires=EXPIRES)
    assert len(token) == TOKEN_LENGTH
    assert open_preference_token(token, today=LAST_DAY) == (account_id, recipient)
    assert open_preference_token(token, today=EXPIRES) is None


def test_a_token_of_one_page_opens_no_other_page():
    openers = [open_bill_token, open_preference_token, open_delegate_token, open_claim_token]
    tokens = [
        bill_token(NUMBER, expires=EXPIRES),
        preference_token(NUMBER >> 16, NUMBER & 0xFFFF, expires=EXPIRES),
        delegate_token(NUMBER, expires=EXPIRES),
        claim_token(NUMBER, expires=EXPIRES),
    ]
    opened = [[opener(token, today=LAST_DAY) is not None for opener in openers] for token in tokens]
    assert opened == [[opener == page for opener in range(4)] for page in range(4)]
