"""The contact points of an account as its people may see them, and the code that proves who holds one.

Owns the two steps of a code (send, type) as one page that any view can put before what needs it. Holds no rule: codes
are customers/codes.py. Never shows an address in full. Next: templates/portal/code.html.
"""

import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tayyar.billing.numbers import bill_period
from tayyar.core import clock, crypto
from tayyar.core.errors import UserError
from tayyar.core.text import localise_digits
from tayyar.customers import codes
from tayyar.customers.addresses import masked_address
from tayyar.customers.models import Channel, ContactPoint, Delegate, DelegateState
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.notifications import consent
from tayyar.notifications.kinds import BILL_KINDS
from tayyar.notifications.models import Delivery
from tayyar.portal import views
from tayyar.portal.words import WORDS
from tayyar.profiles.installation import installed_profile

VISIT_DAYS = 2  # how long the wishes page that a code opened stays open


def told_of_bill(bill_number: int) -> list[ContactPoint]:
    """The contact points through which messages about this bill went, calls and paper aside."""
    used = Delivery.objects.filter(
        period=bill_period(bill_number).number,
        kind__in=BILL_KINDS,  # the key begins with it: without, the month would be read through
        ref=bill_number,
        contact_point_id__isnull=False,
    ).exclude(channel__in=(Channel.CALL, Channel.PAPER))
    ids = {int(id) for id in used.values_list("contact_point_id", flat=True) if id is not None}
    return list(ContactPoint.objects.filter(id__in=ids).order_by("channel", "id"))


def contacts_for_codes(account_id: int, *, recipient: int | None = None) -> list[ContactPoint]:
    """Verified contact points in use that can take a code: of one person, or of holder and active delegates."""
    active = Delegate.objects.filter(account_id=account_id, state=DelegateState.ACTIVE)
    people = [0, *active.values_list("recipient", flat=True)] if recipient is None else [recipient]
    found = ContactPoint.objects.filter(
        account_id=account_id,
        recipient__in=people,
        channel__in=codes.CHANNELS,
        is_active=True,
        verified_at__isnull=False,
    )
    return list(found.order_by("recipient", "channel", "id"))


def shown(contacts: Iterable[ContactPoint], lang: str) -> list[dict[str, Any]]:
    """Each contact point as id, channel's name, masked address."""
    return [
        {
            "id": contact.pk,
            "channel": WORDS[lang][f"channel_{Channel(contact.channel).name}"],
            "address": masked_address(
                crypto.unseal(bytes(contact.address_sealed), field=ADDRESS_FIELD),
                channel=Channel(contact.channel),
            ),
            "recipient": contact.recipient,
        }
        for contact in contacts
    ]


def say_where(key: str, contact: ContactPoint, lang: str) -> SafeString:
    """A sentence that names a contact point by channel and masked address."""
    (entry,) = shown([contact], lang)
    address = format_html('<bdi dir="ltr">{}</bdi>', entry["address"])
    return format_html(WORDS[lang][key], channel=entry["channel"], address=address)


def confirm_by_code(
    request: HttpRequest,
    *,
    lang: str,
    account_id: int,
    contacts: Sequence[ContactPoint],
    purpose: str,
    then: Callable[[ContactPoint], HttpResponse],
    back: str,
    subject: str = "",
    kept: Mapping[str, str] | None = None,
    lead: str | SafeString = "",
) -> HttpResponse:
    """Ask which contact point, send a code there, ask for the code; when it is right, `then(contact point)`.

    `kept` are the fields of the form that the code confirms, carried through; `subject` binds the code to them.
    """
    words, step = WORDS[lang], request.POST.get("step", "")
    known = {str(contact.pk): contact for contact in contacts}
    context: dict[str, Any] = {
        "title": words["code_title"],
        "choices": shown(contacts, lang),
        "kept": dict(kept or {}),
        "back": back,
        "lead": lead,
        "problem": "",
        "chosen": known.get(request.POST.get("contact", "")),
    }

    def page(problem: str = "", *, status: int = 200) -> HttpResponse:
        context["problem"] = problem
        return views.show(request, "portal/code.html", context, lang, status=status)

    if step not in ("send", "check"):
        return page()
    chosen = context["chosen"]
    if chosen is None:
        return page(words["choose_one"], status=422)
    context["sent_to"] = say_where("code_sent", chosen, lang)
    common: dict[str, Any] = {"purpose": purpose, "subject": subject, "actor": "link", "now": clock.now()}
    try:
        if step == "check":
            used = codes.check_code(account_id=account_id, code=request.POST.get("code", ""), **common)
            if used is not None and used.contact_point_id == chosen.pk:
                return then(chosen)
            return page(words["code_wrong"], status=422)
        consent.send_code(account_id=account_id, contact_point_id=chosen.pk, **common)
    except codes.CodeRefused as refusal:
        problem = words[f"code_{refusal.reason}"].format(seconds=refusal.seconds)
        if refusal.reason in ("EXPIRED", "TRIES", "BUDGET"):
            context["sent_to"] = None
        return page(problem, status=429 if refusal.reason in ("WAIT", "BUDGET") else 422)
    except UserError:
        context["sent_to"] = None
        return page(words["code_contact"], status=422)
    until = _clock(clock.now() + codes.VALID, lang)
    context["valid_until"] = format_html(
        words["code_valid_until"], time=format_html('<bdi dir="ltr">{}</bdi>', until)
    )
    return page()


def _clock(moment: Any, lang: str) -> str:
    """Hours, minutes and seconds where the utility is."""
    profile = installed_profile()
    local = moment.astimezone(zoneinfo.ZoneInfo(profile.timezone))
    return localise_digits(f"{local:%H:%M:%S}", lang, profile.formats.digits)
