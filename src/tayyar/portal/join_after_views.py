"""After the sign-up: its last page, the national address, a business, the link to an e-mail; and the terms' page.

Owns what these pages say. Who may act for a business its register says (identity/businesses.py), which addresses are a
person's the address authority (identity/addresses.py). Next: the person's home, claims of accounts.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_safe

from tayyar.core import clock, web
from tayyar.customers.codes import CodeRefused
from tayyar.customers.models import Channel
from tayyar.identity import addresses, businesses, contacts, signup
from tayyar.identity.errors import ContactRefused, SignUpRefused
from tayyar.identity.models import SignUp
from tayyar.identity.ports import AuthorityError
from tayyar.portal import door, join_form, shell, views
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.join_words import JOIN_WORDS
from tayyar.portal.parts import Choice, Field
from tayyar.profiles.installation import installed_profile

BUSINESS_KEY = "join_business"


@require_safe
@signed_in
def done(screen: MyScreen) -> HttpResponse:
    """The login is ready: the e-mail that waits, and what to do next."""
    words = JOIN_WORDS[screen.lang]
    waiting = contacts.pending(person=screen.person, channel=Channel.EMAIL, now=clock.now())
    ways = [
        ("/me/claim", words["done_claim"]),
        (reverse("portal:join_address"), words["done_address"]),
        (reverse("portal:join_business"), words["business_title"]),
        (shell.SECTIONS["home"], words["done_home"]),
    ]
    if not screen.person.user.has_usable_password():
        ways.insert(0, (reverse("portal:security_passkey"), words["done_passkey"]))
    context = {"title": words["done_title"], "j": words, "email_waits": waiting is not None, "ways": ways}
    return screen.page("portal/join_done.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def email(request: HttpRequest, token: str) -> HttpResponse:
    """The link in an activation e-mail: a button, as mail scanners open links; pressed, the address is confirmed."""
    if not views.OPENINGS.spend(request, views.FORM_POINTS):
        return views.busy(request)
    lang, now = web.language(request), clock.now()
    words = JOIN_WORDS[lang]
    is_done = request.method == "POST" and contacts.confirm_email(token=token, now=now) is not None
    opens = is_done or contacts.email_of_link(token=token, now=now) is not None
    key = "email_done" if is_done else "email" if opens else "email_gone"
    texts = {"email": "email_lead", "email_done": "email_done_text", "email_gone": "email_gone_text"}
    context = {
        "title": words["email_title" if key == "email" else key],
        "text": words[texts[key]],
        "done": is_done,
        "token": opens,
        "j": words,
    }
    if not opens:
        views.OPENINGS.spend(request, views.WRONG_POINTS)
    return shell.page(request, "portal/join_email.html", context, lang=lang, status=200 if opens else 404)


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    """The terms of use, with their version."""
    lang = web.language(request)
    words = JOIN_WORDS[lang]
    version = installed_profile().terms_version
    context = {
        "title": words["terms_title"],
        "version": format_html(
            words["terms_version"], version=format_html('<bdi dir="ltr">{}</bdi>', version)
        ),
        "text": f"portal/terms/{lang}.html",
    }
    return shell.page(request, "portal/terms.html", context, lang=lang, person=door.person_of(request))


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def address(screen: MyScreen) -> HttpResponse:
    """The national address: one of the authority's list, or typed."""
    request, words, problems = screen.request, JOIN_WORDS[screen.lang], []
    if request.method == "POST":
        try:
            _keep_address(screen)
            return redirect(f"{reverse('portal:join_address')}?saved=1")
        except ContactRefused as refusal:
            is_unknown = refusal.reason == "UNKNOWN"
            name, key = ("code", "address_pick") if is_unknown else ("city", "address_missing")
            problems = [(name, words[key])]
        except AuthorityError:
            problems = [("", words["address_DOWN"])]
    try:
        listed, is_down = addresses.listed_addresses(person=screen.person), False
    except AuthorityError:
        listed, is_down = [], True
    lead = words["address_DOWN" if is_down else "address_lead" if listed else "address_none"]
    chosen = str(screen.person.address.get("code", ""))
    choices = [Choice(one.code, one.lines.get(screen.lang) or " ".join(one.parts.values())) for one in listed]
    kept = screen.person.address.get("parts", {})
    context = {
        "title": words["address_title"],
        "lead": lead,
        "j": words,
        "problems": problems,
        "saved": words["address_saved"] if request.GET.get("saved") == "1" and not problems else "",
        "known": Field("code", words["address_choose"], chosen, choices=choices, is_radio=True)
        if listed
        else None,
        "is_typed": request.POST.get("way") == "TYPE",
        "parts": [
            Field(
                name,
                words[f"address_{name}"],
                request.POST.get(name, kept.get(name, ""))[:80],
                error=next((text for field, text in problems if field == name), ""),
                required=name in ("street", "city"),
                is_code=name in ("building_number", "postal_code", "additional_number"),
                longest=80,
            )
            for name in addresses.PARTS
        ],
    }
    return screen.page("portal/join_address.html", context, status=422 if problems else 200)


def _keep_address(screen: MyScreen) -> None:
    given, now = screen.request.POST, clock.now()
    if given.get("way") == "TYPE":
        parts = {name: given.get(name, "") for name in addresses.PARTS}
        addresses.add_address(person=screen.person, parts=parts, now=now)
    else:
        addresses.choose_address(person=screen.person, code=given.get("code", ""), now=now)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def business(screen: MyScreen) -> HttpResponse:
    """Which business: its register number, which its authority then proves."""
    words, request = JOIN_WORDS[screen.lang], screen.request
    if request.method != "POST":
        return _business_page(screen, "", 200)
    try:
        begun = businesses.begin_business(
            person=screen.person,
            register_number=request.POST.get("number", "")[:40],
            network=web.client_address(request),
            back_url=settings.SITE_URL + reverse("portal:join_business_confirm"),
            now=clock.now(),
        )
    except SignUpRefused as refusal:
        return _business_page(screen, business_problem(words, refusal), 422)
    except CodeRefused as refusal:
        return _business_page(screen, _code_problem(screen, refusal), 429)
    request.session[BUSINESS_KEY] = str(begun.pk)
    return redirect("portal:join_business_confirm")


def business_problem(words: Any, refusal: SignUpRefused) -> str:
    """Why a business is not added, and what to do."""
    own = words.get(f"business_{refusal.reason}")
    return str(own or words.get(f"refused_{refusal.reason}", words["refused_other"]))


def _code_problem(screen: MyScreen, refusal: CodeRefused) -> str:
    return JOIN_WORDS[screen.lang][f"code_{refusal.reason}"].format(seconds=screen.plain(refusal.seconds))


def _business_page(screen: MyScreen, problem: str, status: int) -> HttpResponse:
    words = JOIN_WORDS[screen.lang]
    number = screen.request.POST.get("number", "")[:40]
    context = {
        "title": words["business_title"],
        "j": words,
        "number": Field(
            "number",
            words["business_number"],
            number,
            error=problem,
            is_code=True,
            inputmode="numeric",
            longest=40,
        ),
    }
    return screen.page("portal/join_business.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def business_confirm(screen: MyScreen) -> HttpResponse:
    """The proof: the code that came to the business's phone, its approval, or what its authority's site says."""
    request, words, now = screen.request, JOIN_WORDS[screen.lang], clock.now()
    kept = request.session.get(BUSINESS_KEY)
    found = signup.find(signup_id=kept, now=now) if kept else None
    if found is None:
        return redirect("portal:join_business")
    is_answer = request.method == "POST" or bool(request.GET.keys() - {"lang", "sent"})
    if not is_answer:
        return _business_proof(screen, found, "", 200)
    try:
        if request.POST.get("again"):
            signup.resend(signup_id=found.pk, network=web.client_address(request), now=now)
            return redirect(f"{reverse('portal:join_business_confirm')}?sent=1")
        membership = businesses.confirm_business(
            person=screen.person,
            signup_id=found.pk,
            code=request.POST.get("code"),
            sent=request.GET.dict(),
            now=now,
        )
    except CodeRefused as refusal:
        return _business_proof(screen, found, _code_problem(screen, refusal), 422)
    except SignUpRefused as refusal:
        if refusal.reason in ("CODE", "DOWN"):
            text = words["code_wrong"] if refusal.reason == "CODE" else words["refused_DOWN"]
            return _business_proof(screen, found, text, 422)
        return _business_page(screen, business_problem(words, refusal), 422)
    if membership is None:
        return _business_proof(screen, found, words["approval_not_yet"], 200)
    context = {
        "title": words["business_added"].format(name=membership.business.name),
        "j": words,
        "ways": [("/me/claim", words["done_claim"]), (shell.SECTIONS["home"], words["done_home"])],
    }
    return screen.page("portal/join_business_done.html", context)


def _business_proof(screen: MyScreen, found: SignUp, problem: str, status: int) -> HttpResponse:
    words, known, now = JOIN_WORDS[screen.lang], signup.facts(found), clock.now()
    is_code, is_redirect = known.get("way") == "CODE", known.get("way") == "REDIRECT"
    standing = signup.code_standing(found, now=now)
    context = {
        "title": words["code_title" if is_code else "redirect_title" if is_redirect else "approval_title"],
        "j": words,
        "problem": problem,
        "told": words["code_resent"] if screen.request.GET.get("sent") == "1" and not problem else "",
        "code": join_form.code_field(screen.lang) if is_code else None,
        "is_valid": bool(standing and standing.expires_at > now),
        "url": known.get("url", "") if is_redirect else "",
        "shown": known.get("shown", ""),
    }
    return screen.page("portal/join_business_proof.html", context, status=status)
