"""What one person's own link opens: how to be told, the messages of the last 13 months, and the bills in them.

Owns the addresses under /p/<token> and RFC 8058's one click. Holds no rule: notifications/consent.py decides.
Forms carry no CSRF token, as in link_views.py: the link alone gives the right. Next: delegate_views.py.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from tayyar.billing.queries import find_bill
from tayyar.billing.telling import LINK_DAYS
from tayyar.core import audit, clock, web
from tayyar.core.errors import UserError
from tayyar.core.links import bill_token, open_preference_token
from tayyar.core.references import with_check
from tayyar.core.text import format_date, localise_digits
from tayyar.customers.delegates import delegates_of, is_over, set_language
from tayyar.customers.models import (
    Channel,
    ContactPoint,
    CustomerAccount,
    Delegate,
    DelegateState,
    Language,
)
from tayyar.customers.wishes import DIGITAL, NothingLeft, Wishes, wishes_of
from tayyar.notifications import consent
from tayyar.notifications.consent_forms import Mistyped, read_wishes
from tayyar.notifications.kinds import BILL_KINDS, MessageKind
from tayyar.notifications.models import ReachHow
from tayyar.portal import evidence, people, queries, views
from tayyar.portal.push_views import push_offer
from tayyar.portal.words import WORDS
from tayyar.profiles import Profile
from tayyar.profiles.installation import installed_profile

ONE_CLICK = ("List-Unsubscribe", "One-Click")  # RFC 8058, section 3.1


class Person(NamedTuple):
    """Whose link it is: one person of one account; `delegate` is None for the holder."""

    token: str
    account_id: int
    recipient: int
    delegate: Delegate | None
    lang: str

    @property
    def is_active(self) -> bool:
        """Whether this person is still to be told: the holder always."""
        found = self.delegate
        if found is None:
            return self.recipient == 0
        return found.state == DelegateState.ACTIVE and not is_over(found, now=clock.now())


View = Callable[..., HttpResponse]


def personal(*, points: int) -> Callable[[View], Callable[..., HttpResponse]]:
    """A view behind a person's own link, called as view(request, person, **address)."""

    def door(view: View) -> Callable[..., HttpResponse]:
        @wraps(view)
        def answer(request: HttpRequest, token: str, **address: Any) -> HttpResponse:
            if not views.OPENINGS.spend(request, points):
                return views.busy(request)
            opened = open_preference_token(token, today=clock.today())
            if opened is None or not CustomerAccount.objects.filter(id=opened[0]).exists():
                views.OPENINGS.spend(request, views.WRONG_POINTS)
                return views.gone(request)
            account_id, recipient = opened
            delegate = None
            if recipient:
                delegate = Delegate.objects.filter(account_id=account_id, recipient=recipient).first()
            lang = web.language(request, known=consent.language_of(account_id, recipient).name)
            return view(request, Person(token, account_id, recipient, delegate, lang), **address)

        return answer

    return door


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@personal(points=views.FORM_POINTS)
def wishes(request: HttpRequest, person: Person) -> HttpResponse:
    """The wishes page; what it posts; and a mail program's single click."""
    if request.method == "POST" and request.POST.get(ONE_CLICK[0]) == ONE_CLICK[1]:
        consent.unsubscribe(account_id=person.account_id, recipient=person.recipient, now=clock.now())
        return views.private(HttpResponse(status=200), person.lang)
    if not person.is_active:
        return views.show(request, "portal/over.html", {"title": _words(person)["over_title"]}, person.lang)
    if person.recipient:
        return _delegate_page(request, person)
    if request.method == "POST":
        return _save(request, person)
    return holder_page(request, person, wishes_of(account_id=person.account_id))


def _save(request: HttpRequest, person: Person) -> HttpResponse:
    words = _words(person)
    before = wishes_of(account_id=person.account_id)
    try:
        wanted = read_wishes(request.POST, before)
        consent.save_wishes(account_id=person.account_id, wishes=wanted, actor="holder", now=clock.now())
    except NothingLeft:
        return holder_page(request, person, wanted, problem=words["wishes_nothing_left"])
    except Mistyped as mistyped:
        return holder_page(request, person, before, problem=words[str(mistyped)])
    return back_to_wishes(person, "saved", lang=wanted.language.name)


def back_to_wishes(person: Person, done: str, *, lang: str | None = None) -> HttpResponse:
    """To the wishes page, with a word about what was done."""
    address = reverse("portal:wishes", args=[person.token])
    return redirect(f"{address}?done={done}&lang={lang or person.lang}")


def holder_page(
    request: HttpRequest,
    person: Person,
    wanted: Wishes,
    *,
    problem: str = "",
    invitation: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """The holder's wishes, and the delegates with the form that invites one."""
    words = _words(person)
    context = {
        "title": words["wishes_title"],
        "token": person.token,
        "account": with_check(person.account_id),
        "done": words.get(f"done_{request.GET.get('done', '')}", ""),
        "problem": problem,
        "push": push_offer(person.token, person.lang),
        **wishes_context(person.account_id, wanted, person.lang, invitation=invitation),
    }
    return views.show(request, "portal/wishes.html", context, person.lang, status=422 if problem else 200)


def wishes_context(
    account_id: int, wanted: Wishes, lang: str, *, invitation: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What wishes_fields.html, wishes_invite_fields.html and the list of delegates show."""
    words, profile = WORDS[lang], installed_profile()
    account = CustomerAccount.objects.select_related("customer").get(id=account_id)
    contacts = ContactPoint.objects.filter(
        account_id=account_id, recipient=0, is_active=True, verified_at__isnull=False
    ).order_by("channel", "id")
    addresses = people.shown(contacts, lang)
    held = CustomerAccount.objects.filter(customer_id=account.customer_id, closed_on=None).count()
    return {
        "channels": [_channel(channel, wanted, addresses, words) for channel in DIGITAL],
        "as_planned": not wanted.channels,
        "wanted": wanted,
        "quiet": [f"{moment:%H:%M}" for moment in wanted.quiet] if wanted.quiet else ["", ""],
        "language_now": wanted.language.name,
        "spoken": [{"code": language.name, "name": language.label} for language in Language],
        "holds_many": held > 1,
        "optional": [
            {"kind": kind.name, "text": words[f"kind_{kind.name}"], "on": kind not in wanted.opted_out}
            for kind in consent.OPTIONAL
        ],
        "statutory": [
            words[f"kind_{kind.name}"] for kind in consent.STATUTORY if kind != MessageKind.SINGLE_BILL_ISSUED
        ],
        "delegates": [_delegate(found, lang, profile) for found in delegates_of(account_id=account_id)],
        "can_invite": bool(people.contacts_for_codes(account_id, recipient=0)),
        "invitation": invitation or {"language": lang, "relation": "RELATIVE", "rights": "see"},
        "tomorrow": (clock.today() + dt.timedelta(days=1)).isoformat(),
    }


def _channel(
    channel: Channel, wanted: Wishes, addresses: list[dict[str, Any]], words: Mapping[str, str]
) -> dict[str, Any]:
    name = words[f"channel_{channel.name}"]
    own = [entry["address"] for entry in addresses if entry["channel"] == name]
    return {
        "code": channel.name,
        "name": name,
        "addresses": [address for address in own if address],
        "devices": len(own) if channel == Channel.PUSH else 0,
        "has": bool(own),
        "on": channel.name not in wanted.excluded,
        "first": wanted.channels[:1] == (channel.name,),
    }


def _delegate(found: Delegate, lang: str, profile: Profile) -> dict[str, Any]:
    """A delegation in words, for the holder."""
    words = WORDS[lang]
    is_open = found.state in (DelegateState.INVITED, DelegateState.ACTIVE) and not is_over(
        found, now=clock.now()
    )
    state = found.state if is_open or found.ended_at else DelegateState.EXPIRED
    return {
        "recipient": found.recipient,
        "name": found.name,
        "relation": words[f"relation_{found.relation}"],
        "rights": words["may_pay" if found.may_pay else "may_see"],
        "state": words[f"delegate_{state}"],
        "is_open": is_open,
        "until": _until(found, lang, profile),
    }


def _until(found: Delegate, lang: str, profile: Profile) -> str:
    """The last day with, in a sentence's part; empty where there is none."""
    if found.expires_on is None:
        return ""
    last = found.expires_on - dt.timedelta(days=1)
    return WORDS[lang]["until"].format(date=format_date(last, lang, profile.formats))


def _delegate_page(request: HttpRequest, person: Person) -> HttpResponse:
    """A delegate's own delegation and language, nothing of the holder's."""
    assert person.delegate is not None
    words, profile = _words(person), installed_profile()
    if request.method == "POST":
        if request.POST.get("action") == "end":
            consent.end_delegate(
                delegate_id=person.delegate.pk,
                state=DelegateState.REVOKED,
                actor="delegate",
                now=clock.now(),
            )
            return back_to_wishes(person, "ended")
        language = request.POST.get("language", "")
        if language in Language.__members__:
            set_language(
                delegate_id=person.delegate.pk,
                language=Language[language],
                actor="delegate",
                now=clock.now(),
            )
        return back_to_wishes(person, "saved", lang=language if language in WORDS else None)
    done = request.GET.get("done", "")
    contacts = ContactPoint.objects.filter(
        account_id=person.account_id, recipient=person.recipient, is_active=True, verified_at__isnull=False
    )
    context = {
        "title": words["delegate_own_title"],
        "token": person.token,
        "account": with_check(person.account_id),
        "done": words.get(f"done_{done}", ""),
        "delegate": _delegate(person.delegate, person.lang, profile),
        "addresses": people.shown(contacts, person.lang),
        "push": push_offer(person.token, person.lang),
        "language_now": Language(person.delegate.language).name,
        "spoken": [{"code": language.name, "name": language.label} for language in Language],
    }
    return views.show(request, "portal/delegate_own.html", context, person.lang)


@require_safe
@personal(points=views.PAGE_POINTS)
def messages(request: HttpRequest, person: Person) -> HttpResponse:
    """What this person was told in the last 13 months, by which channel, and how far it came."""
    if not person.is_active:
        return views.gone(request)
    words = _words(person)
    rows = message_rows(person.account_id, person.recipient, person.lang)
    context = {"title": words["messages_title"], "token": person.token, "rows": rows}
    return views.show(request, "portal/messages.html", context, person.lang)


def message_rows(account_id: int, recipient: int, lang: str) -> list[dict[str, Any]]:
    """One row for each message: what, day, time, channel, state, and the number of the bill it told of."""
    words, profile = WORDS[lang], installed_profile()
    zone = queries.local_zone(profile)
    rows = []
    for message in queries.messages_of(account_id, recipient, today=clock.today()):
        local = message.created_at.astimezone(zone)
        rows.append(
            {
                "what": words[f"kind_{MessageKind(message.kind).name}"],
                "day": format_date(local.date(), lang, profile.formats),
                "time": localise_digits(f"{local:%H:%M}", lang, profile.formats.digits),
                "channel": words[f"channel_{Channel(message.channel).name}"],
                "state": words[queries.STATE_WORDS[message.state]],
                "bill": message.ref if message.kind in BILL_KINDS else None,
            }
        )
    return rows


@require_safe
@personal(points=views.PAGE_POINTS)
def bill(request: HttpRequest, person: Person, number: int) -> HttpResponse:
    """Open a bill that this person was told of: evidence that they saw it, then to its own page."""
    if not person.is_active or not queries.was_told_of(
        person.account_id, person.recipient, bill_number=number
    ):
        return views.gone(request)
    try:
        due_date = find_bill(number=number).due_date
    except UserError:
        return views.gone(request)
    audit.record(actor="portal", action="BILL_OPENED", subject=f"bill:{number}", now=clock.now())
    evidence.record_view(
        request,
        bill_number=number,
        account_id=person.account_id,
        how=ReachHow.PORTAL_VIEW,
        recipient=person.recipient,
    )
    expires = max(
        due_date + dt.timedelta(days=LINK_DAYS), clock.today() + dt.timedelta(days=people.VISIT_DAYS)
    )
    address = reverse("portal:whole_bill", args=[bill_token(number, expires=expires)])
    return views.private(redirect(f"{address}?lang={person.lang}"), person.lang)


def _words(person: Person) -> Mapping[str, str]:
    return WORDS[person.lang]
