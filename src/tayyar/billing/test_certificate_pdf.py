"""The certificate's PDF carries the signed bytes and says what they say, in three languages."""

import io
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pypdf import PdfReader

from tayyar.billing.certificate import canonical
from tayyar.billing.certificate_pdf import WORDS, certificate_pdf
from tayyar.core.errors import UserError
from tayyar.core.text import LANGUAGES

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CERTIFICATE: dict[str, Any] = {
    "certificate": "tayyar bill run",
    "period": "2026-09",
    "profile": "sa",
    "currency": "SAR",
    "minor_digits": 2,
    "issue_date": "2026-09-28",
    "due_date": "2026-10-13",
    "accounts": {"eligible": 2000, "billed": 1991, "held": 8, "rejected": 1},
    "exceptions": [
        {"outcome": "HELD", "reason": "HIGH_USE", "accounts": 8, "energy_wh": 313_659_000},
        {"outcome": "REJECTED", "reason": "NO_TARIFF", "accounts": 1, "energy_wh": 0},
    ],
    "messages": 1805,
    "energy_wh": 5_231_408_000,
    # 971,502.74 + 23,263.00 + 0.00 + 149,215.88 = 1,143,981.62
    "money": {
        "energy_minor": 97_150_274,
        "fixed_minor": 2_326_300,
        "subsidy_minor": 0,
        "tax_minor": 14_921_588,
        "total_minor": 114_398_162,
    },
    "tariffs": {
        "SA-RES-2018": {
            "bills": 1991,
            "energy_wh": 5_231_408_000,
            "tax_minor": 14_921_588,
            "total_minor": 114_398_162,
        }
    },
    "ledger": {
        "debited_to_customers": 114_398_162,
        "credited_to_revenue_and_tax": 114_398_162,
        "transfers": 1994,
    },
    "first_number": 260900000000148,
    "last_number": 260900000199192,
    "void_serials": [[7, 9]],
    "tariff_sha256": "9" * 64,
    "bills_sha256": "3" * 64,
    "certified_at": "2026-11-21T20:09:14.074236+00:00",
    "public_key": KEY.public_key().public_bytes_raw().hex(),
}
SIGNATURE = KEY.sign(canonical(CERTIFICATE))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_is_one_page_with_the_total_the_hash_and_the_unused_numbers(lang: str) -> None:
    reader = PdfReader(io.BytesIO(certificate_pdf(CERTIFICATE, SIGNATURE, lang)))
    text = reader.pages[0].extract_text().replace("\u00a0", " ")
    total = "1 143 981,62" if lang == "fr" else "1,143,981.62"
    assert len(reader.pages) == 1
    assert total in text
    assert "3" * 64 in text
    assert "7–8" in text
    assert SIGNATURE.hex()[:64] in text and SIGNATURE.hex()[64:] in text


def test_the_attachment_is_what_the_signature_covers() -> None:
    reader = PdfReader(io.BytesIO(certificate_pdf(CERTIFICATE, SIGNATURE)))
    attached = reader.attachments["certificate.json"][0]
    KEY.public_key().verify(SIGNATURE, attached)


def test_the_same_certificate_gives_the_same_bytes() -> None:
    assert certificate_pdf(CERTIFICATE, SIGNATURE, "ar") == certificate_pdf(CERTIFICATE, SIGNATURE, "ar")


def test_another_language_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match="ar, en, fr"):
        certificate_pdf(CERTIFICATE, SIGNATURE, "de")


def test_every_language_has_every_text() -> None:
    assert set(WORDS) == set(LANGUAGES)
    assert WORDS["ar"].keys() == WORDS["en"].keys() == WORDS["fr"].keys()
