"""The tour: from an empty folder to a bill on the screen, with real tariffs, real SMTP and a real database.

Thirteen months are billed, so that charts have a year to show; the messages of the last one go to simulated providers,
some of which fail, while the days go by. Run again, it goes on where it stopped and serves what is there.
"""

import datetime as dt
import itertools
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from tayyar.billing.conduct import conduct
from tayyar.billing.models import Bill
from tayyar.billing.telling import bill_url
from tayyar.billing.worker import connect
from tayyar.core import clock, crypto
from tayyar.core.errors import UserError
from tayyar.core.models import Setting
from tayyar.core.periods import Period
from tayyar.customers.models import Channel, ContactPoint, CustomerAccount, Language
from tayyar.demo.answers import answer_for_demo
from tayyar.demo.population import ADDRESS_FIELD, generate, last_readable_period
from tayyar.gateways.http_peer.faults import Faults as HttpFaults
from tayyar.gateways.identity_authority.people import birth_date_of, number_of
from tayyar.gateways.mailbox.server import Faults as MailFaults
from tayyar.gateways.push_peer.browsers import subscription
from tayyar.gateways.push_peer.faults import Faults as PushFaults
from tayyar.gateways.simulated import PEOPLE
from tayyar.gateways.smsc.faults import Faults as SmscFaults
from tayyar.identity.models import IdType
from tayyar.ledger import services as ledger
from tayyar.ledger.models import SystemAccount, TransferKind
from tayyar.ledger.services import Posting
from tayyar.notifications.models import Message, MessageState, ReachHow
from tayyar.notifications.proof import record_reach
from tayyar.profiles.installation import choose_profile, installed_profile

MONTHS = 13
FEW_ACCOUNTS = 100_000  # above this, two months must do
SEED = 28
PAID_AT_ONCE = 20_000
UNPAID_PERCENT = 3
MANAGER = "manager"
KNOWN_PEOPLE = 1_000  # whom the local authority knows by the name and telephone in the books


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the tour ends: the newest period, its certificate, and a bill to open."""

    period: Period
    certificate: dict[str, Any]
    bill_number: int
    bill_url: str


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A customer in the books with whose identity a visitor can sign up. `phone` is where the first code goes."""

    number: str
    birth_date: dt.date
    name: str
    phone: str
    account_number: int


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


def subscribe_some(*, push_port: int) -> None:
    """One account in twelve has a browser that asked to be told; its push service is the simulated one."""
    if ContactPoint.objects.filter(channel=Channel.PUSH).exists():
        return
    accounts = list(CustomerAccount.objects.order_by("id").values_list("id", flat=True)[::12])
    made = []
    for account in accounts:
        address = subscription(account, port=push_port)
        made.append(
            ContactPoint(
                account_id=account,
                channel=Channel.PUSH,
                address_sealed=crypto.seal(address, field=ADDRESS_FIELD),
                address_hash=crypto.lookup_hash(address, field=ADDRESS_FIELD),
                verified_at=clock.now(),
            )
        )
    ContactPoint.objects.bulk_create(made, batch_size=5_000)


def tell_authority(folder: Path) -> None:
    """Write for the local authority, whose folder this is, what the books say of the first customers."""
    folder.mkdir(parents=True, exist_ok=True)
    code = installed_profile().code
    known = {
        number_of(code, account.customer_id): {"name": account.customer.name, "phone": phone}
        for account, phone in _telephones()
    }
    (folder / PEOPLE).write_text(json.dumps(known, ensure_ascii=False), "utf-8")


def demo_person() -> DemoPerson | None:
    """Somebody to sign up as: an Arabic-speaking customer whose telephone the simulated providers reach, none of the
    numbers that `faults` lets fail. None when the demo is too small to have one."""
    code = installed_profile().code
    for account, phone in _telephones():
        if account.language == Language.ar and phone[-1] not in "05":
            number = number_of(code, account.customer_id)
            return DemoPerson(
                number=number,
                birth_date=birth_date_of(code, IdType.NATIONAL_ID, number),
                name=account.customer.name,
                phone=phone,
                account_number=account.number,
            )
    return None


def _telephones() -> Iterator[tuple[CustomerAccount, str]]:
    """The oldest accounts whose holder has a telephone, each customer once."""
    points = ContactPoint.objects.filter(channel=Channel.SMS, recipient=0, account__isnull=False)
    seen = set[int]()
    for point in points.select_related("account__customer").order_by("account_id")[:KNOWN_PEOPLE]:
        if (account := point.account) is not None and account.customer_id not in seen:
            seen.add(account.customer_id)
            yield account, crypto.unseal(bytes(point.address_sealed), field=ADDRESS_FIELD)


def faults() -> dict[str, object]:
    """What goes wrong in the demo, by simulated provider: the first SMS provider throttles, fails and loses receipts,
    and everywhere there are addresses that nobody has."""
    return {
        "sms-first": SmscFaults(
            fail_share=0.25, missing_receipt_share=0.05, unknown_suffix="0", throttle_every=200
        ),
        "sms-second": HttpFaults(error_share=0.02, undeliverable=r"00$"),
        "whatsapp": HttpFaults(undeliverable=r"5$", error_share=0.01, read_share=0.4),
        "mail": MailFaults(refuse=r"0@mail\.example", bounce=r"5@mail\.example"),
        "push": PushFaults(gone_share=0.05),
    }


TOLD = "DEMO_TOLD"  # the setting that says that the days went by already


def deliver_all(period: Period, *, deliver: Callable[[], object], report: Callable[[str], None]) -> None:
    """Send the period's messages as the days go by: the clock moves, plans go on, people open what they got.

    `deliver` sends what waits at this moment. The clock stands at its true time again in the end; a second time
    nothing is done.
    """
    if Setting.objects.filter(key=TOLD).exists():
        return
    path = Path(os.environ["TAYYAR_CLOCK"])
    issued = dt.datetime.combine(
        installed_profile().issue_date(period.year, period.month), dt.time(6), dt.UTC
    )
    try:
        for hours, what in ROUNDS:
            clock.set_shift(path, issued + dt.timedelta(hours=hours) - dt.datetime.now(dt.UTC))
            report(f"{clock.now():%d %B %H:%M} UTC: {what}")
            deliver()
            _open_some(period)
    finally:
        clock.set_shift(path, dt.timedelta(0))
    Setting.objects.create(key=TOLD, value=str(period))


# Hours after issue, and what happens then; the waits are those of the profile's delivery.yaml.
ROUNDS = (
    (0, "bills go out by push, WhatsApp, SMS and e-mail"),
    (2, "unopened pushes are followed by a message"),
    (5, "what WhatsApp did not deliver goes by SMS"),
    (20, "what SMS did not deliver goes by e-mail"),
    (80, "whoever was not reached by any of these is on the call list"),
    (160, "and then on paper"),
)
# Of a hundred people who got a bill through a channel without receipts, so many open its link within the round.
OPENERS_PERCENT = {Channel.PUSH: 60, Channel.EMAIL: 45}


def _open_some(period: Period) -> None:
    """People open bills that came by a channel which tells us nothing by itself."""
    sent = Message.objects.filter(
        period=period.number, state=MessageState.SENT, channel__in=list(OPENERS_PERCENT)
    )
    for ref, channel, account in sent.values_list("ref", "channel", "account_id"):
        if (account * 7919 + 13) % 100 < OPENERS_PERCENT[Channel(channel)]:
            record_reach(
                period=period,
                ref=ref,
                how=ReachHow.LINK_VIEW,
                channel=Channel(channel),
                witness="demo reader",
                now=clock.now(),
            )


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
