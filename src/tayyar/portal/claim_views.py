"""Claiming an account, "عرّف الآن": which one, review, papers and terms, the reference; and how one's claims stand.

Owns the order of the pages. What is shown of an account, and what a claim needs, claims/services.py decides. A draft
that was sent leads to its claim: going back, reloading and sending twice change nothing. Next: claim_parts.py words it.
"""

import datetime as dt
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from tayyar.claims import queries, services
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Claim, ClaimRole, Evidence
from tayyar.claims.rules import MOST_AHEAD_DAYS, check_start
from tayyar.claims.standing import is_own
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.customers.models import Customer, CustomerAccount, Language
from tayyar.identity.people import customers_of
from tayyar.portal import claim_parts, views
from tayyar.portal.claim_form import (
    Draft,
    Named,
    draft_of,
    keep_draft,
    new_key,
    read_day,
    read_named,
    read_papers,
)
from tayyar.portal.claim_parts import words_of
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.me_accounts import account_id, local_now
from tayyar.requests.documents import UploadRefused
from tayyar.requests.errors import RequestRefused
from tayyar.requests.models import Via
from tayyar.requests.queries import find_for

CLAIMS_SHOWN = 20
OFFERS_SHOWN = 20


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def start(screen: MyScreen) -> HttpResponse:
    """What is offered for one tap, the form for any other account, and the claims that were made."""
    if screen.request.method != "POST":
        return _start_page(screen, Named(customer=str(screen.person.customer_id)))
    points = views.WRONG_POINTS if "photo" in screen.request.FILES else views.FORM_POINTS
    if not views.OPENINGS.spend(screen.request, points):
        return views.busy(screen.request)
    if offered := screen.request.POST.get("offer"):
        return _take_offer(screen, offered)
    named = read_named(screen.request)
    customer = next((c for c in _claimants(screen) if str(c.pk) == named.customer), None)
    if customer is None and not named.customer:
        customer = screen.person.customer
    if customer is None:
        named.errors["customer"] = "customer_missing"
    if not named.errors and named.account_id is not None and customer is not None:
        draft = Draft(
            new_key(), named.account_id, customer.pk, role=named.role, bill_number=named.bill_number
        )
        try:
            _preview(screen, draft)  # asks nothing twice: the same number costs nothing on the next page
        except ClaimRefused as refused:
            named.errors[""] = f"refused_{refused.reason}"
        else:
            keep_draft(screen.request.session, draft)
            return redirect("portal:claim_review", key=draft.key)
    return _start_page(screen, named, status=422)


def _take_offer(screen: MyScreen, typed: str) -> HttpResponse:
    wanted = account_id(typed)
    offers = queries.offered_to(screen.person, today=local_now(screen).date())
    offer = next((one for one in offers if one.account.pk == wanted), None)
    if offer is None:
        return screen.gone()
    draft = Draft(new_key(), offer.account.pk, offer.customer_id, is_offered=True)
    keep_draft(screen.request.session, draft)
    return redirect("portal:claim_review", key=draft.key)


def _claimants(screen: MyScreen) -> list[Customer]:
    """For whom the person may claim: themselves, then businesses whose administrator they are."""
    found = customers_of(screen.person)
    return [customer for customer, role in found if role in queries.MANAGERS]


def _preview(screen: MyScreen, draft: Draft) -> services.ClaimPreview:
    return services.preview(
        person=screen.person,
        account_id=draft.account_id,
        now=clock.now(),
        bill_number=draft.bill_number,
    )


def _is_in_books(screen: MyScreen, draft: Draft) -> bool:
    """Whether the books have the account under whom it is claimed for: then no papers are needed."""
    account = CustomerAccount.objects.select_related("customer").filter(id=draft.account_id).first()
    customer = next((c for c in _claimants(screen) if c.pk == draft.customer_id), None)
    return account is not None and customer is not None and is_own(account, customer, screen.person)


def _start_page(screen: MyScreen, named: Named, *, status: int = 200) -> HttpResponse:
    words, today = words_of(screen), local_now(screen).date()
    claimants = _claimants(screen)
    offers = queries.offered_to(screen.person, today=today)[:OFFERS_SHOWN]
    names = {customer.pk: customer.name for customer in claimants[1:]}
    errors = {name: words[key].format(count=screen.plain(named.count)) for name, key in named.errors.items()}
    mine = queries.claims_of(screen.person).select_related("holding__account")[:CLAIMS_SHOWN]
    context: dict[str, Any] = {
        "title": words["title"],
        "c": words,
        "steps": claim_parts.steps(screen, "account"),
        "contests": claim_parts.contest_cards(screen, queries.contests_of(screen.person, today=today)),
        "offers": [
            {
                "number": offer.account.number,
                "for": words["offer_for"].format(name=names[offer.customer_id])
                if offer.customer_id in names
                else "",
            }
            for offer in offers
        ],
        "fields": claim_parts.start_fields(screen, named, claimants, errors),
        "has_bill": bool(named.link or {"link", "photo"} & named.errors.keys()),
        "problems": list(errors.items()),
        "mine": [claim_parts.claim_card(screen, claim) for claim in mine],
    }
    return screen.page("portal/claim.html", context, status=status)


def _draft(screen: MyScreen, key: str) -> Draft | HttpResponse:
    """The draft of that key, or the answer without one: its claim when it was sent, else the 404 of any unknown one."""
    draft = draft_of(screen.request.session, key)
    if draft is None:
        return screen.gone()
    if draft.sent:
        return redirect("portal:claim_done", reference=draft.sent)
    return draft


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def review(screen: MyScreen, key: str) -> HttpResponse:
    """Whose place it is, as far as that may be shown; who uses the supply; the first day."""
    draft = _draft(screen, key)
    if not isinstance(draft, Draft):
        return draft
    is_ours = _is_in_books(screen, draft)
    errors: dict[str, str] = {}
    if screen.request.method == "POST":
        errors = _read_review(screen, draft, is_ours=is_ours)
        if not errors:
            keep_draft(screen.request.session, draft)
            return redirect("portal:claim_finish", key=key)
    try:
        seen = _preview(screen, draft)
    except ClaimRefused as refused:
        return _start_page(screen, Named(errors={"": f"refused_{refused.reason}"}), status=422)
    first, last = _window()
    context = {
        "title": words_of(screen)["review_title"],
        "c": words_of(screen),
        "steps": claim_parts.steps(screen, "review"),
        "facts": claim_parts.review_facts(screen, draft, seen, _name_of(screen, draft)),
        "is_own": seen.is_own,
        "is_bill": bool(seen.address) and not seen.is_own,
        "fields": claim_parts.review_fields(
            screen, draft, errors, asks_day=not is_ours, first=first, last=last
        ),
        "problems": list(errors.items()),
    }
    return screen.page("portal/claim_review.html", context, status=422 if errors else 200)


def _read_review(screen: MyScreen, draft: Draft, *, is_ours: bool) -> dict[str, str]:
    """Set what was chosen into the draft; each wrong field with its text."""
    given, words, errors = screen.request.POST, words_of(screen), dict[str, str]()
    if draft.is_offered:
        role = given.get("role", "")
        if role in ClaimRole.values:
            draft.role = role
        else:
            errors["role"] = words["role_missing"]
    answer = given.get("is_beneficiary")
    if answer in ("YES", "NO"):
        draft.is_beneficiary = answer == "YES"
    else:
        errors["is_beneficiary"] = words["beneficiary_missing"]
    first, last = _window()
    day = services.local_day(clock.now()) if is_ours else read_day(given.get("start_date", ""))
    try:
        if day is None:
            raise ClaimRefused("START_EARLY", "No day was given.")
        check_start(day, first=first, today=services.local_day(clock.now()))
        draft.start_date = day.isoformat()
    except ClaimRefused:
        draft.start_date = ""
        errors["start_date"] = words["start_wrong"].format(first=screen.day(first), last=screen.day(last))
    return errors


def _window() -> tuple[dt.date, dt.date]:
    """The earliest and the latest first day."""
    now = clock.now()
    return services.earliest_start(now), services.local_day(now) + dt.timedelta(days=MOST_AHEAD_DAYS)


def _name_of(screen: MyScreen, draft: Draft) -> str:
    """The business it is for; "" for the person themselves."""
    if draft.customer_id == screen.person.customer_id:
        return ""
    return next((c.name for c in _claimants(screen) if c.pk == draft.customer_id), "")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def finish(screen: MyScreen, key: str) -> HttpResponse:
    """Papers, what follows, the terms; sent, the claim has its reference."""
    draft = _draft(screen, key)
    if not isinstance(draft, Draft):
        return draft
    if not draft.is_reviewed:
        return redirect("portal:claim_review", key=key)
    if screen.request.method != "POST":
        return _finish_page(screen, draft, {})
    if not views.OPENINGS.spend(screen.request, views.FORM_POINTS):
        return views.busy(screen.request)
    errors = _send(screen, draft)
    if errors:
        return _finish_page(screen, draft, errors)
    return redirect("portal:claim_done", reference=draft.sent)


def _send(screen: MyScreen, draft: Draft) -> dict[str, str]:
    """Make the claim and keep its reference in the draft; what is in the way, by field."""
    words, own = words_of(screen), _is_in_books(screen, draft)
    errors: dict[str, str] = {}
    terms = screen.request.POST.get("terms", "")
    if not terms:
        errors["terms"] = words["terms_missing"]
    try:
        papers = read_papers(screen.request, draft.paper)
    except UploadRefused as refused:
        papers, errors["paper"] = [], words[f"upload_{refused.reason}"]
    if not own and not papers and "paper" not in errors:
        errors["paper"] = words["paper_missing"]
    elif papers and errors:
        errors["paper"] = words["paper_again"]
    if errors:
        return errors
    evidence = Evidence.AUTHORITY if own else Evidence[draft.paper]
    try:
        claim = services.claim(
            person=screen.person,
            customer_id=draft.customer_id,
            account_id=draft.account_id,
            role=ClaimRole(draft.role),
            is_beneficiary=bool(draft.is_beneficiary),
            start_date=dt.date.fromisoformat(draft.start_date),
            evidence=evidence,
            documents=papers,
            via=Via.WEB,
            terms_version=terms,
            language=Language[screen.lang],
            once_key=f"claim:{draft.key}",
            now=clock.now(),
        )
    except UploadRefused as refused:
        return {"paper": words[f"upload_{refused.reason}"]}
    except (ClaimRefused, RequestRefused) as refused:
        text = words.get(f"refused_{refused.reason}", words["refused_other"])
        return {"paper" if refused.reason == "EVIDENCE" else "": text}
    except UserError:
        return {"": words["refused_other"]}
    draft.sent = claim.request.reference
    keep_draft(screen.request.session, draft)
    return {}


def _finish_page(screen: MyScreen, draft: Draft, errors: dict[str, str]) -> HttpResponse:
    words, own = words_of(screen), _is_in_books(screen, draft)
    version = screen.profile.terms_version
    context = {
        "title": words["finish_title"],
        "c": words,
        "key": draft.key,
        "steps": claim_parts.steps(screen, "finish"),
        "facts": claim_parts.finish_facts(screen, draft, _name_of(screen, draft), is_own=own),
        "track": claim_parts.what_next(screen, is_own=own),
        "is_own": own,
        "papers": [] if own else claim_parts.paper_fields(screen, draft, errors),
        "terms": [words[f"terms_{place}"] for place in range(1, 5)],
        "terms_version": version,
        "terms_text": claim_parts.with_code(words["terms_version"], version),
        "terms_given": screen.request.POST.get("terms", "") == version,
        "terms_error": errors.get("terms", ""),
        "problems": list(errors.items()),
    }
    return screen.page("portal/claim_finish.html", context, status=422 if errors else 200)


@require_safe
@signed_in
def done(screen: MyScreen, reference: str) -> HttpResponse:
    """One claim of the person: its reference, large and to copy, and where it stands."""
    request = find_for(screen.person, reference)
    mine = queries.claims_of(screen.person).select_related("holding__account")
    claim = mine.filter(request=request).first() if request is not None else None
    return _claim_page(screen, claim) if claim is not None else screen.gone()


def _claim_page(screen: MyScreen, claim: Claim) -> HttpResponse:
    words = words_of(screen)
    state, tone = claim_parts.state_of(screen, claim)
    is_mine = claim.holding is not None and claim_parts.state_code(claim) == "APPROVED"
    was_sent_now = any(kept.get("sent") == claim.request.reference for kept in _kept(screen))
    key = "own_title" if is_mine else "done_title" if was_sent_now else "claim_title"
    account = claim.holding.account.number if is_mine and claim.holding else None
    context = {
        "title": words[key],
        "c": words,
        "is_done": is_mine or was_sent_now,
        "reference": claim.request.reference,
        "state": state,
        "tone": tone,
        "about": claim_parts.about(screen, claim),
        "facts": claim_parts.claim_facts(screen, claim),
        "account": account,
    }
    return screen.page("portal/claim_done.html", context)


def _kept(screen: MyScreen) -> list[dict[str, Any]]:
    """The drafts of this login."""
    kept: dict[str, dict[str, Any]] = screen.request.session.get("claims", {})
    return list(kept.values())
