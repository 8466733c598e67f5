"""What a message about a bill says: billing's facts for notifications' words, for thousands of bills at a time."""

import datetime as dt
from collections.abc import Sequence

from django.conf import settings

from tayyar.billing.models import Bill
from tayyar.core.links import bill_token
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.core.text import currency_word, format_amount, format_date, format_month
from tayyar.notifications.content import BillIssuedFacts, MessageKey
from tayyar.profiles.installation import installed_profile

LINK_DAYS = 120  # how long after the due date a link keeps opening its bill


def bill_issued_facts(keys: Sequence[MessageKey]) -> list[BillIssuedFacts]:
    """The facts of each bill, written in the language of its message."""
    profile = installed_profile()
    languages = {key.ref: key.language for key in keys}
    bills = Bill.objects.filter(period__in={key.period for key in keys}, number__in=languages)
    facts = []

    def money(amount_minor: int, language: str) -> str:
        word = currency_word(profile.currency, language, profile.formats)
        return f"{format_amount(amount_minor, profile.currency, language, profile.formats)} {word}"

    for number, period, account_id, due_date, before, total in bills.values_list(
        "number", "period", "account_id", "due_date", "balance_before_minor", "total_minor"
    ):
        language, due = languages[number], before + total
        contact = next((c["value"] for c in profile.complaint_contacts if c["kind"] == "PHONE"), "")
        facts.append(
            BillIssuedFacts(
                ref=number,
                amount_text=money(abs(due), language),
                due_date_text=format_date(due_date, language, profile.formats) if due > 0 else "",
                account_number=str(with_check(account_id)),
                period_text=format_month(Period.from_number(period).start, language, profile.formats),
                total_text=money(total, language),
                bill_url=bill_url(number, due_date=due_date),
                utility_name=profile.utility_names[language],
                complaint_text=contact,
            )
        )
    return facts


def bill_url(number: int, *, due_date: dt.date) -> str:
    """The address that opens this bill, and nothing else, until LINK_DAYS after it is due."""
    token = bill_token(number, expires=due_date + dt.timedelta(days=LINK_DAYS))
    return f"{settings.SITE_URL}/b/{token}"
