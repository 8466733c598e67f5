"""The tour: from an empty folder to a bill on the screen, with real tariffs, real SMTP and a real database.

Thirteen months are billed, so that charts have a year to show; the messages of the last one are delivered to a local
mailbox. Run again, it goes on where it stopped and serves what is there.
"""

import datetime as dt
import itertools
import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from tayyar.billing.conduct import conduct
from tayyar.billing.models import Bill
from tayyar.billing.telling import bill_url
from tayyar.billing.worker import connect
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.core.models import Setting
from tayyar.core.periods import Period
from tayyar.customers.models import CustomerAccount, Language
from tayyar.demo.answers import answer_for_demo
from tayyar.demo.population import generate, last_readable_period
from tayyar.ledger import services as ledger
from tayyar.ledger.models import SystemAccount, TransferKind
from tayyar.ledger.services import Posting
from tayyar.profiles.installation import choose_profile

MONTHS = 13
FEW_ACCOUNTS = 100_000  # above this, two months must do
SEED = 28
PAID_AT_ONCE = 20_000
UNPAID_PERCENT = 3
MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the tour ends: the newest period, its certificate, and a bill to open."""

    period: Period
    certificate: dict[str, Any]
    bill_number: int
    bill_url: str


def prepare(*, code: str, accounts: int) -> list[Period]:
    """A population in an empty database, or the one an earlier tour left. Returns the periods to bill.

    UserError when the database belongs to a real utility.
    """
    if CustomerAccount.objects.exists() and not Setting.objects.filter(key="DEMO").exists():
        raise UserError(
            "This database holds customers that no demo made. Name another data folder in TAYYAR_DATA."
        )
    answer_for_demo(code)
    profile = choose_profile(code)
    made = Setting.objects.filter(key="DEMO").first()
    if made is None:
        last = last_readable_period(clock.today(), profile)
        months = MONTHS if accounts <= FEW_ACCOUNTS else 2
        with connect(settings.DATABASE_URL) as connection:
            generate(connection, profile=profile, accounts=accounts, last=last, months=months, seed=SEED)
        made = Setting.objects.create(key="DEMO", value=f"{last} {months}")
    last, months = Period.parse(made.value.split()[0]), int(made.value.split()[1])
    return [last.plus(-back) for back in range(months - 1, -1, -1)]


def bill_all(*, code: str, periods: list[Period]) -> Stop:
    """Bill every period, oldest first; only the last one's messages are released."""
    profile = choose_profile(code)
    certificate: dict[str, Any] = {}
    for period in periods:
        certificate = conduct(period=period, profile=profile, tell=period == periods[-1])
        if period != periods[-1]:
            _pay(period)
    bill = _bill_to_show(periods[-1])
    return Stop(periods[-1], certificate, bill.number, bill_url(bill.number, due_date=bill.due_date))


def _pay(period: Period) -> None:
    """Most customers pay their bill some days before it is due; a few leave one now and then."""
    bills = Bill.objects.filter(period=period.number, revision=0, total_minor__gt=0).order_by("number")
    found = bills.values_list("number", "account_id", "due_date", "total_minor").iterator(
        chunk_size=PAID_AT_ONCE
    )
    while batch := list(itertools.islice(found, PAID_AT_ONCE)):
        paid_on = batch[0][2] - dt.timedelta(days=4)
        ledger.post(
            postings=[
                Posting(
                    Period.of(paid_on),
                    TransferKind.PAYMENT,
                    number,
                    SystemAccount.CASH,
                    account_id,
                    total_minor,
                )
                for number, account_id, _, total_minor in batch
                if (account_id * 7919 + period.number * 31) % 100 >= UNPAID_PERCENT
            ],
            now=dt.datetime.combine(paid_on, dt.time(10), dt.UTC),
        )


def _bill_to_show(period: Period) -> Bill:
    """An Arabic-speaking customer's bill with a year behind it."""
    accounts = (
        CustomerAccount.objects.filter(language=Language.ar).order_by("id").values_list("id", flat=True)[:50]
    )
    found = Bill.objects.filter(period=period.number, account_id__in=list(accounts), category=1)
    bill = found.order_by("number").first() or Bill.objects.filter(period=period.number).first()
    if bill is None:
        raise UserError(f"No bill came out of {period}: every account was held. Give the demo more accounts.")
    return bill


def manager_password() -> str | None:
    """Create the demo's staff user; its new password, or None when it exists from before."""
    from tayyar.console.roles import ensure_roles

    if User.objects.filter(username=MANAGER).exists():
        return None
    password = secrets.token_urlsafe(9)
    user = User.objects.create_user(MANAGER, password=password, is_staff=True)
    user.groups.add(ensure_roles())
    return password
