"""What a message about a bill says: billing's facts for notifications' words, for thousands of bills at a time.

Owns the links to a bill and how several bills become one message. Never words anything and never sends. Next:
notifications/templates.py renders, notifications/delivery.py sends.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from tayyar.core.links import bill_token, preference_token
from tayyar.core.money import Currency
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.core.text import (
    Formats,
    currency_word,
    format_amount,
    format_date,
    format_month,
    localise_digits,
    month_name,
    plural_form,
)
from tayyar.notifications.content import Facts, MessageKey, Row
from tayyar.notifications.ports import Attachment
from tayyar.profiles import Profile
from tayyar.profiles.installation import installed_profile

LINK_DAYS = 120  # how long after the due date a link keeps opening its bill
_COUNTED: Mapping[str, Mapping[str, str]] = {
    "ar": {"zero": "لا فواتير", "one": "فاتورة واحدة", "two": "فاتورتان", "few": "{n} فواتير", "many": "{n} فاتورة",
           "other": "{n} فاتورة"},
    "en": {"one": "{n} bill", "other": "{n} bills"},
    "fr": {"one": "{n} facture", "other": "{n} factures"},
}  # fmt: skip


class _Told(NamedTuple):
    """What messages tell of a bill."""

    number: int
    period: int
    account_id: int
    due_date: dt.date
    due_minor: int
    total_minor: int


def bill_issued_facts(keys: Sequence[MessageKey]) -> list[Facts]:
    """The facts of each bill, written in the language of its message; none for a bill that does not exist."""
    profile, bills = installed_profile(), _bills(keys)
    phone = _phone(profile)
    return [_facts(key, bills[key.ref], profile, phone) for key in keys if key.ref in bills]


def bills_digest(keys: Sequence[MessageKey]) -> Facts | None:
    """One message for several bills to one person: how many, their sum, the earliest day to pay. It leads to the bill
    that is to be paid first; an e-mail lists them all. An account in credit takes nothing off another's bill."""
    profile, found = installed_profile(), _bills(keys)
    told = sorted(
        (found[key.ref] for key in keys if key.ref in found),
        key=lambda bill: (bill.due_minor <= 0, bill.due_date, -bill.due_minor, bill.number),
    )
    if not told:
        return None
    lead, first = keys[0], told[0]
    language, formats = lead.language, profile.formats
    count = localise_digits(str(len(told)), language, formats.digits)
    values = {
        "count_text": _COUNTED[language][plural_form(len(told), language)].replace("{n}", count),
        "amount_text": _money(
            sum(max(bill.due_minor, 0) for bill in told), language, profile.currency, formats
        ),
        "complaint_text": _phone(profile),
        **_months(first.period, language, formats),
    }
    template = "bill_issued_digest_nothing_due"
    if first.due_minor > 0:
        template = "bill_issued_digest"
        values |= _due(first.due_date, language, formats)
    url = bill_url(first.number, due_date=first.due_date)
    return Facts(
        ref=lead.ref,
        recipient=lead.recipient,
        template=template,
        values=values,
        utility_name=profile.utility_names[language],
        url=url,
        preferences_url=_preferences_url(lead, first.due_date),
        rows=tuple(
            Row(
                label=str(with_check(bill.account_id)),
                value=_money(bill.due_minor, language, profile.currency, formats),
                url=bill_url(bill.number, due_date=bill.due_date),
            )
            for bill in told
        ),
    )


def bill_document(key: MessageKey) -> Attachment:
    """The bill as PDF in the message's language. UserError when there is none."""
    from tayyar.billing.pdf_cache import bill_pdf
    from tayyar.billing.queries import bill_by_number

    data = bill_pdf(bill_by_number(number=key.ref), key.language)
    return Attachment(filename=document_name(key.ref), media_type="application/pdf", data=data)


def bill_url(number: int, *, due_date: dt.date) -> str:
    """The address that opens this bill, and nothing else, until LINK_DAYS after it is due."""
    token = bill_token(number, expires=due_date + dt.timedelta(days=LINK_DAYS))
    return f"{settings.SITE_URL}/b/{token}"


def document_name(number: int) -> str:
    """What a bill's PDF is called where it is saved."""
    return f"bill-{number:015d}.pdf"


def _bills(keys: Sequence[MessageKey]) -> dict[int, _Told]:
    """The bills of the keys by number: one plain query, as thousands are told of every second."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT number, period, account_id, due_date, balance_before_minor + total_minor, total_minor
                 FROM billing_bill WHERE period = ANY(%s) AND number = ANY(%s)""",
            [sorted({key.period for key in keys}), [key.ref for key in keys]],
        )
        return {row[0]: _Told(*row) for row in cursor.fetchall()}


def _facts(key: MessageKey, bill: _Told, profile: Profile, phone: str) -> Facts:
    language, formats, currency = key.language, profile.formats, profile.currency
    values = {
        "amount_text": _money(abs(bill.due_minor), language, currency, formats),
        "total_text": _money(bill.total_minor, language, currency, formats),
        "account_number": str(with_check(bill.account_id)),
        "complaint_text": phone,
        **_months(bill.period, language, formats),
    }
    template = "bill_issued_nothing_due"
    if bill.due_minor > 0:
        template = "bill_issued"
        values |= _due(bill.due_date, language, formats)
    url = bill_url(bill.number, due_date=bill.due_date)
    return Facts(
        ref=key.ref,
        recipient=key.recipient,
        template=template,
        values=values,
        utility_name=profile.utility_names[language],
        url=url,
        document_url=f"{url}/bill.pdf",
        document_name=document_name(bill.number),
        preferences_url=_preferences_url(key, bill.due_date),
    )


def _money(amount_minor: int, language: str, currency: Currency, formats: Formats) -> str:
    shown = format_amount(amount_minor, currency, language, formats)
    return f"{shown} {currency_word(currency, language, formats)}"


def _months(period: int, language: str, formats: Formats) -> dict[str, str]:
    start = Period.from_number(period).start
    return {
        "period_text": format_month(start, language, formats),
        "month_text": month_name(start.month, language, formats),
    }


def _due(day: dt.date, language: str, formats: Formats) -> dict[str, str]:
    return {
        "due_date_text": format_date(day, language, formats),
        "due_day_text": format_date(day, language, formats, year=False),
    }


def _preferences_url(key: MessageKey, due_date: dt.date) -> str:
    expires = due_date + dt.timedelta(days=LINK_DAYS)
    return f"{settings.SITE_URL}/p/{preference_token(key.account_id, key.recipient, expires=expires)}"


def _phone(profile: Profile) -> str:
    return next((c["value"] for c in profile.complaint_contacts if c["kind"] == "PHONE"), "")
