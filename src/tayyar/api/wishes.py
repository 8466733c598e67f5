"""How the people of an account want to be told, and who else receives its bills.

Holds no rule: notifications/consent.py keeps and tells. For who manages an account that is in their own name; inviting
somebody asks for a proof of the last minutes, as the link page does for a code. Next: notifications/consent.py.
"""

import datetime as dt
from typing import Annotated, Literal

from django.http import HttpRequest
from ninja import Path, Router, Schema, Status
from pydantic import Field

from tayyar.api.accounts import AccountPath, managed_of
from tayyar.api.door import Caller
from tayyar.api.problems import invalid, not_found
from tayyar.api.shapes import PROBLEMS, Day, Given, Lang, Text, lang_of
from tayyar.claims.queries import Held
from tayyar.core import crypto
from tayyar.customers.addresses import AddressMistyped, clean_address, masked_address
from tayyar.customers.delegates import delegates_of, is_over
from tayyar.customers.models import Channel, ContactPoint, Delegate, DelegateState, Language
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.customers.wishes import Wishes, wishes_of
from tayyar.notifications import consent
from tayyar.notifications.kinds import MessageKind
from tayyar.profiles.installation import installed_profile

router = Router(tags=["Wishes and delegates"])
ChannelName = Literal["WHATSAPP", "SMS", "EMAIL", "PUSH"]
ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["21:00"])]


class AddressOf(Schema):
    """A verified address of the account's holder, masked."""

    channel: str
    address: str


class QuietHours(Given):
    """Local time, [start, end), over midnight where the end is earlier."""

    start: ClockTime
    end: ClockTime


class WishesGiven(Given):
    """All wishes of an account at once. `first`: the channel to try first, null as the utility plans; `off`: channels
    never to use; `not_wanted`: kinds of messages, of `optional` only."""

    first: ChannelName | None
    off: list[ChannelName] = Field(max_length=4)
    wants_paper: bool = Field(strict=True)
    attaches_pdf: bool = Field(strict=True)
    wants_digest: bool = Field(strict=True)
    quiet: QuietHours | None
    not_wanted: list[Text] = Field(max_length=40, examples=[["CAMPAIGN"]])
    language: Lang


class WishesKept(Schema):
    """The wishes as they are kept, and what there is to choose from."""

    first: str | None
    off: list[str]
    wants_paper: bool
    attaches_pdf: bool
    wants_digest: bool
    quiet: QuietHours | None
    not_wanted: list[str]
    language: Lang
    addresses: list[AddressOf]
    optional: list[str]
    statutory: list[str]


class DelegateBody(Schema):
    """A person who receives the account's bills. `state`: INVITED, ACTIVE, DECLINED, REVOKED, EXPIRED."""

    recipient: int
    name: str
    relation: str
    may_pay: bool
    language: Lang
    state: str
    invited_at: dt.datetime
    last_day: dt.date | None


class Delegates(Schema):
    """Delegates, the newest first."""

    items: list[DelegateBody]


class Invitation(Given):
    """Whom to invite: a link to accept goes to the address."""

    name: Text = Field(min_length=1, max_length=120, examples=["Noura"])
    relation: Literal["RELATIVE", "ACCOUNTANT", "OTHER"]
    channel: Literal["SMS", "WHATSAPP", "EMAIL"]
    address: Text = Field(max_length=254, examples=["0500000023"])
    may_pay: bool = Field(strict=True)
    language: Lang
    last_day: Day | None = None


@router.get(
    "/accounts/{number}/wishes",
    response={200: WishesKept, **PROBLEMS},
    operation_id="getWishes",
    summary="Wishes",
)
def get_wishes(request: HttpRequest, number: AccountPath) -> WishesKept:
    """Channels, paper, quiet hours and kinds of messages."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return _kept(_own(caller, number).account.pk)


@router.put(
    "/accounts/{number}/wishes",
    response={200: WishesKept, **PROBLEMS},
    operation_id="setWishes",
    summary="Keep wishes",
)
def set_wishes(request: HttpRequest, number: AccountPath, given: WishesGiven) -> WishesKept:
    """What is not sent yet is planned again. NOTHING_LEFT when bills would have no way."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    account_id = _own(caller, number).account.pk
    before = wishes_of(account_id=account_id)
    optional = {kind.name: kind.value for kind in consent.OPTIONAL}
    if not set(given.not_wanted) <= set(optional):
        raise invalid(not_wanted="CHOICE")
    if given.quiet is not None and given.quiet.start == given.quiet.end:
        raise invalid(quiet="INVALID")
    wanted = Wishes(
        channels=before.channels
        if before.channels[:1] == (given.first,)
        else (given.first,)
        if given.first
        else (),
        excluded=tuple(dict.fromkeys(given.off)),
        wants_paper=given.wants_paper,
        attaches_pdf=given.attaches_pdf,
        wants_digest=given.wants_digest,
        quiet=(dt.time.fromisoformat(given.quiet.start), dt.time.fromisoformat(given.quiet.end))
        if given.quiet
        else None,
        opted_out=frozenset(optional[name] for name in given.not_wanted),
        language=Language[given.language],
    )
    consent.save_wishes(account_id=account_id, wishes=wanted, actor=caller.actor, now=caller.now)
    return _kept(account_id)


@router.get(
    "/accounts/{number}/delegates",
    response={200: Delegates, **PROBLEMS},
    operation_id="listDelegates",
    summary="Who else receives the bills",
)
def list_delegates(request: HttpRequest, number: AccountPath) -> Delegates:
    """Also those whose time is over."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    found = delegates_of(account_id=_own(caller, number).account.pk)
    return Delegates(items=[_delegate(one, caller.now) for one in found])


@router.post(
    "/accounts/{number}/delegates",
    response={201: DelegateBody, **PROBLEMS},
    operation_id="inviteDelegate",
    summary="Invite a delegate",
)
def invite_delegate(request: HttpRequest, number: AccountPath, given: Invitation) -> Status:
    """They receive bills once they accept; the holder is told. Asks for a fresh proof (REAUTHENTICATE)."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    held = _own(caller, number)
    caller.check_fresh()
    channel = Channel[given.channel]
    try:
        address = clean_address(given.address, channel=channel, calling_code=installed_profile().calling_code)
    except AddressMistyped:
        raise invalid(address="INVALID") from None
    if not given.name.strip():
        raise invalid(name="MISSING")
    made = consent.invite_delegate(
        account_id=held.account.pk,
        name=given.name,
        relation=given.relation,
        channel=channel,
        address=address,
        may_pay=given.may_pay,
        language=Language[given.language],
        expires_on=_day_after(given.last_day),
        actor=caller.actor,
        now=caller.now,
    )
    return Status(201, _delegate(made, caller.now))


@router.delete(
    "/accounts/{number}/delegates/{recipient}",
    response={204: None, **PROBLEMS},
    operation_id="endDelegate",
    summary="End a delegation",
)
def end_delegate(
    request: HttpRequest, number: AccountPath, recipient: Annotated[str, Path(examples=["1"])]
) -> Status:
    """Also takes an invitation back; the delegate is told. Ended twice is once."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    held = _own(caller, number)
    is_number = recipient.isascii() and recipient.isdecimal() and len(recipient) < 5
    rows = Delegate.objects.filter(account_id=held.account.pk, recipient=int(recipient) if is_number else 0)
    found = rows.first()
    if found is None:
        raise not_found()
    consent.end_delegate(
        delegate_id=found.pk, state=DelegateState.REVOKED, actor=caller.actor, now=caller.now
    )
    return Status(204, None)


def _own(caller: Caller, number: str) -> Held:
    """An account that the person manages and that is in their own name: else its people are somebody else's."""
    held = managed_of(caller, number)
    if not held.in_their_name:
        raise not_found()
    return held


def _day_after(last: dt.date | None) -> dt.date | None:
    """The first day without, of the last day with."""
    if last is None:
        return None
    if last.year > 2199:
        raise invalid(last_day="DATE")
    return last + dt.timedelta(days=1)


def _kept(account_id: int) -> WishesKept:
    kept = wishes_of(account_id=account_id)
    points = ContactPoint.objects.filter(
        account_id=account_id, recipient=0, is_active=True, verified_at__isnull=False
    ).order_by("channel", "id")
    return WishesKept(
        first=kept.channels[0] if kept.channels else None,
        off=list(kept.excluded),
        wants_paper=kept.wants_paper,
        attaches_pdf=kept.attaches_pdf,
        wants_digest=kept.wants_digest,
        quiet=QuietHours(start=f"{kept.quiet[0]:%H:%M}", end=f"{kept.quiet[1]:%H:%M}")
        if kept.quiet
        else None,
        not_wanted=sorted(MessageKind(kind).name for kind in kept.opted_out),
        language=lang_of(kept.language),
        addresses=[
            AddressOf(
                channel=Channel(point.channel).name,
                address=masked_address(
                    crypto.unseal(bytes(point.address_sealed), field=ADDRESS_FIELD),
                    channel=Channel(point.channel),
                ),
            )
            for point in points
        ],
        optional=sorted(kind.name for kind in consent.OPTIONAL),
        statutory=sorted(kind.name for kind in consent.STATUTORY),
    )


def _delegate(found: Delegate, now: dt.datetime) -> DelegateBody:
    is_lapsed = found.state in (DelegateState.INVITED, DelegateState.ACTIVE) and is_over(found, now=now)
    return DelegateBody(
        recipient=found.recipient,
        name=found.name,
        relation=found.relation,
        may_pay=found.may_pay,
        language=lang_of(found.language),
        state=DelegateState.EXPIRED.value if is_lapsed else found.state,
        invited_at=found.invited_at,
        last_day=found.expires_on - dt.timedelta(days=1) if found.expires_on else None,
    )
