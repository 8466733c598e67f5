"""What decisions do where lower modules suffice: the wish for paper, new contact details, a bill told again.

Registered in apps.py. Handlers of claims and transfers live in claims.
"""

import datetime as dt
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet

from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.core.references import without_check
from tayyar.customers.addresses import AddressMistyped, clean_address
from tayyar.customers.models import Channel, ContactPoint
from tayyar.customers.services import add_contact_point, remove_contact
from tayyar.customers.wishes import NothingLeft, wishes_of
from tayyar.notifications import consent
from tayyar.notifications import services as messages
from tayyar.notifications.kinds import BILL_KINDS, MessageKind
from tayyar.notifications.models import Message
from tayyar.profiles.installation import installed_profile
from tayyar.requests import services
from tayyar.requests.errors import FormRefused
from tayyar.requests.models import ServiceRequest
from tayyar.requests.telling import warn

_WARNED = (Channel.SMS, Channel.WHATSAPP, Channel.EMAIL)


class PaperBill:
    """Sets the account's wish for paper, at once and without staff. The field's own reason: NOTHING_LEFT."""

    def opened(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """Decided by itself."""
        try:
            services.decide(request_id=request.pk, is_approved=True, text="", actor="system", now=now)
        except NothingLeft:
            raise FormRefused({"wants_paper": "NOTHING_LEFT"}) from None

    def decided(
        self, *, request: ServiceRequest, form: dict[str, Any], is_approved: bool, now: dt.datetime
    ) -> None:
        """Keep the wish; what waits to be sent follows it."""
        if is_approved:
            account_id = _account(request)
            wished = replace(wishes_of(account_id=account_id), wants_paper=form["wants_paper"])
            consent.save_wishes(
                account_id=account_id, wishes=wished, actor=f"request:{request.reference}", now=now
            )

    def withdrawn(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """Nothing was begun."""


class ContactUpdate:
    """A new number or e-mail, verified by staff; the present ones are warned. The field's own reason: ADDRESS."""

    def opened(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """Warn all present contact points: who did not ask for this can still call."""
        self._address(form)
        self._warn(request, "CONTACT_ASKED", now)

    def decided(
        self, *, request: ServiceRequest, form: dict[str, Any], is_approved: bool, now: dt.datetime
    ) -> None:
        """Use the new one, and no more the old ones of its channel where that was asked."""
        if not is_approved:
            return
        account_id = _account(request)
        channel, address = self._address(form)
        made = add_contact_point(
            account_id=account_id,
            channel=channel,
            address=address,
            verified_at=now,
            actor=request.ended_by,
            now=now,
        )
        if form["drops_old"]:
            for old in self._present(account_id).filter(channel=channel).exclude(pk=made.pk):
                remove_contact(
                    account_id=account_id, contact_point_id=old.pk, actor=request.ended_by, now=now
                )
        self._warn(request, "CONTACT_CHANGED", now, besides=made.pk)
        messages.replan_account(account_id=account_id, now=now)

    def withdrawn(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """Nothing was begun."""

    def _address(self, form: dict[str, Any]) -> tuple[Channel, str]:
        channel = Channel[form["channel"]]
        try:
            calling_code = installed_profile().calling_code
            return channel, clean_address(form["address"], channel=channel, calling_code=calling_code)
        except AddressMistyped:
            raise FormRefused({"address": "ADDRESS"}) from None

    def _warn(self, request: ServiceRequest, what: str, now: dt.datetime, besides: int = 0) -> None:
        for contact in self._present(_account(request)).exclude(pk=besides):
            warn(request, what, contact_point_id=contact.pk, now=now)

    def _present(self, account_id: int) -> QuerySet[ContactPoint]:
        """The holder's contact points that are in use."""
        return ContactPoint.objects.filter(
            account_id=account_id,
            recipient=0,
            is_active=True,
            verified_at__isnull=False,
            channel__in=_WARNED,
        )


class BillCopy:
    """A bill told again at once, or staff stamp a copy. The field's own reason: BILL, for foreign and unknown alike."""

    def opened(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """Sent again without staff; a stamped copy waits for them."""
        if self._message(request, form) is None:
            raise FormRefused({"bill_number": "BILL"})
        if form["way"] == "AGAIN":
            services.decide(request_id=request.pk, is_approved=True, text="", actor="system", now=now)

    def decided(
        self, *, request: ServiceRequest, form: dict[str, Any], is_approved: bool, now: dt.datetime
    ) -> None:
        """Tell the bill's message from the first step of its plan. A stamped copy lies on paper already."""
        message = self._message(request, form)
        if is_approved and form["way"] == "AGAIN" and message is not None:
            messages.resend(
                period=Period.from_number(message.period),
                kind=MessageKind(message.kind),
                ref=message.ref,
                recipient=0,
                actor=f"request:{request.reference}",
                now=now,
            )

    def withdrawn(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """Nothing was begun."""

    def _message(self, request: ServiceRequest, form: dict[str, Any]) -> Message | None:
        """The message that told the holder of this bill: there is one for every bill."""
        number = int(form["bill_number"])
        try:
            without_check(number, what="bill number")
        except UserError:
            return None
        period = 200_000 + number // 10**11  # a bill's number begins with year and month, YYMM
        return Message.objects.filter(
            period=period,
            kind__in=BILL_KINDS,
            ref=number,
            recipient=0,
            account_id=_account(request),
        ).first()


def _account(request: ServiceRequest) -> int:
    """The account of a request that only holders open."""
    assert request.account_id is not None
    return request.account_id
