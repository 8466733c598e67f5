"""Addresses have one spelling, and show enough for their owner only."""

import pytest

from tayyar.customers.addresses import AddressMistyped, clean_address, masked_address
from tayyar.customers.models import Channel


@pytest.mark.parametrize(
    "typed",
    [
        "+966500000021",
        "00966500000021",
        "966500000021",
        "0500000021",
        "500000021",
        "٠٥٠ ٠٠٠ ٠٠٢١",
        "(050) 000-0021",
    ],
)
def test_a_saudi_number_has_one_spelling_however_it_is_typed(typed: str) -> None:
    assert clean_address(typed, channel=Channel.SMS, calling_code="966") == "+966500000021"


def test_without_a_calling_code_a_number_is_typed_with_its_own() -> None:
    assert clean_address("+22245000000", channel=Channel.WHATSAPP) == "+22245000000"
    with pytest.raises(AddressMistyped):
        clean_address("45000000", channel=Channel.WHATSAPP)


@pytest.mark.parametrize(
    "typed", ["", "050", "050000002x", "+0500000021", "+9665000000211234", "s@mail.example"]
)
def test_what_is_no_telephone_number_is_refused(typed: str) -> None:
    with pytest.raises(AddressMistyped, match="digits"):
        clean_address(typed, channel=Channel.SMS, calling_code="966")


def test_an_e_mail_address_has_one_spelling() -> None:
    assert clean_address(" Salma@Mail.Example ", channel=Channel.EMAIL) == "salma@mail.example"


@pytest.mark.parametrize(
    "typed", ["", "salma", "a@b", "a b@mail.example", "a@mail.example\nBcc: x@y.example", "<a@m.example>"]
)
def test_what_is_no_e_mail_address_is_refused(typed: str) -> None:
    with pytest.raises(AddressMistyped, match="letter by letter"):
        clean_address(typed, channel=Channel.EMAIL)


def test_a_masked_address_tells_its_owner_and_nobody_else() -> None:
    assert masked_address("+966500000021", channel=Channel.SMS) == "••• 21"
    assert masked_address("salma@mail.example", channel=Channel.EMAIL) == "s•••@m•••.example"
    assert masked_address('{"endpoint": "https://push.example/x"}', channel=Channel.PUSH) == ""
