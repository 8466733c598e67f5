"""The sign-up `/join`: who you are, proof, details, the new mobile's code, done; and the link sent to an e-mail.

Owns the order of the pages and their words. The session holds the sign-up's id alone; each page asks identity/signup.py
where it stands and sends the browser there, so going back, reloading and sending twice are safe. Never says whether an
identity has a login before it is proven. Next: identity/signup.py; join_address.py for the national address.
"""

import datetime as dt
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tayyar.core import clock, web
from tayyar.core.text import localise_digits
from tayyar.customers.codes import CodeRefused
from tayyar.customers.models import Language
from tayyar.identity import signup
from tayyar.identity.adapter import sign_in_new
from tayyar.identity.errors import SignUpRefused
from tayyar.identity.models import SignUp, SignUpStep
from tayyar.portal import door, join_form, shell, views
from tayyar.portal.join_words import JOIN_WORDS
from tayyar.portal.parts import Steps
from tayyar.profiles.installation import installed_profile

SESSION_KEY = "join"
STEP_NAMES = ("identity", "proof", "details", "mobile")
_PAGE_OF_STEP = {
    SignUpStep.IDENTITY: "portal:join_confirm",
    SignUpStep.DETAILS: "portal:join_details",
    SignUpStep.MOBILE: "portal:join_mobile",
    SignUpStep.DONE: "portal:join_enter",
}
# Refusals after which the same sign-up goes on: the page is shown again with what to do.
_GOES_ON = ("CODE", "DOWN", "TERMS", "NAME", "MOBILE", "EMAIL", "PASSWORD")
_ORIGIN_FIELDS = {
    "MOBILE": "mobile",
    "EMAIL": "email",
    "PASSWORD": "password",
    "NAME": "name",
    "TERMS": "terms",
}


class Page:
    """One page of the sign-up: the reader's language and words, and the sign-up that this browser began, if any."""

    def __init__(self, request: HttpRequest) -> None:
        self.request, self.now = request, clock.now()
        self.lang = web.language(request)
        self.words = JOIN_WORDS[self.lang]
        kept = request.session.get(SESSION_KEY)
        self.found: SignUp | None = signup.find(signup_id=kept, now=self.now) if kept else None

    @property
    def network(self) -> str:
        """Whom attempts are counted against."""
        return web.client_address(self.request)

    def digits(self, text: object) -> str:
        """A number as the country writes it."""
        return localise_digits(str(text), self.lang, installed_profile().formats.digits)

    def show(self, template: str, step: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        """A page of step `step` (of STEP_NAMES; "" outside the steps)."""
        steps = None
        if step:
            place = STEP_NAMES.index(step)
            text = self.words["step"].format(
                now=self.digits(place + 1), all=self.digits(len(STEP_NAMES)), name=self.words[f"step_{step}"]
            )
            steps = Steps(STEP_NAMES, place, text)
        common = {"j": self.words, "steps": steps}
        response = shell.page(self.request, template, {**common, **context}, lang=self.lang, status=status)
        return shell.remember_language(self.request, response, self.lang)

    def go_on(self, found: SignUp | None) -> HttpResponse:
        """To the page where the sign-up stands; to the first without one."""
        name = _PAGE_OF_STEP[SignUpStep(found.step)] if found else "portal:join"
        return redirect(name)

    def refused(self, reason: str) -> HttpResponse:
        """The sign-up cannot go on: why, and the ways from here."""
        key = f"refused_{reason}"
        again = (reverse("portal:join"), self.words["again"])
        ways = [again]
        if reason == "HAS_LOGIN":
            ways = [
                (reverse("portal:login"), self.words["have_login"]),
                (reverse("portal:login_forgotten"), self.words["recover"]),
            ]
        context = {
            "title": self.words["start_title"],
            "problem": self.words.get(key, self.words["refused_other"]),
            "ways": ways,
        }
        return self.show("portal/join_refused.html", "", context, status=422)

    def code_problem(self, refusal: CodeRefused) -> str:
        """Why no code is sent, or none can be right."""
        return self.words[f"code_{refusal.reason}"].format(seconds=self.digits(refusal.seconds))


View = Callable[[Page], HttpResponse]


def joining(view: View) -> Callable[[HttpRequest], HttpResponse]:
    """A page of the sign-up: bounded for each address; a refusal becomes a page that says what to do next."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        points = views.FORM_POINTS if request.method == "POST" else views.PAGE_POINTS
        if not views.OPENINGS.spend(request, points):
            return views.busy(request)
        page = Page(request)
        try:
            return view(page)
        except SignUpRefused as refusal:
            return page.refused(refusal.reason)
        except CodeRefused as refusal:
            return page.show(
                "portal/join_refused.html",
                "",
                {
                    "title": page.words["start_title"],
                    "problem": page.code_problem(refusal),
                    "ways": [(reverse("portal:join"), page.words["again"])],
                },
                status=429,
            )

    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("number", "day", "month", "year")
@joining
def start(page: Page) -> HttpResponse:
    """Who it is: kind, document, nationality, number, birth date."""
    if door.person_of(page.request):
        return redirect(shell.SECTIONS["home"])
    profile = installed_profile()
    if page.request.method != "POST":
        return _start_page(page, join_form.first_who(profile, page.lang))
    who = join_form.read_who(page.request.POST, profile, page.lang)
    if who.errors or who.birth_date is None:
        return _start_page(page, who, status=422)
    if page.found and _is_the_same(page.found, who):
        return page.go_on(page.found)
    try:
        begun = signup.begin(
            id_type=who.id_type,
            number=who.number,
            birth_date=who.birth_date,
            nationality=who.nationality,
            language=Language[page.lang],
            network=page.network,
            back_url=settings.SITE_URL + reverse("portal:join_back"),
            now=page.now,
        )
    except SignUpRefused as refusal:
        if refusal.reason == "BIRTH_DATE":
            who.errors["birth"] = page.words["birth_wrong"]
        else:
            who.errors[""] = page.words.get(f"refused_{refusal.reason}", page.words["refused_other"])
        return _start_page(page, who, status=422)
    except CodeRefused as refusal:
        who.errors[""] = page.code_problem(refusal)
        return _start_page(page, who, status=429)
    page.request.session[SESSION_KEY] = str(begun.pk)
    return page.go_on(begun)


def _is_the_same(found: SignUp, who: join_form.Who) -> bool:
    """Whether this browser's sign-up already waits for just this proof: the form was sent twice."""
    known = signup.facts(found)
    same_birth = who.birth_date is not None and known.get("birth_date") == who.birth_date.isoformat()
    typed = "".join(who.number.split())
    return (
        found.step == SignUpStep.IDENTITY
        and same_birth
        and (known.get("id_type"), known.get("number")) == (who.id_type, typed)
    )


def _start_page(page: Page, who: join_form.Who, *, status: int = 200) -> HttpResponse:
    profile = installed_profile()
    words = page.words
    context = {
        "title": words["start_title"],
        "fields": join_form.who_fields(who, profile, page.lang),
        "birth": join_form.birth_parts(who, page.lang),
        "birth_error": who.errors.get("birth", ""),
        "calendar": who.calendar,
        "calendars": [
            {"value": calendar, "name": words[f"calendar_{calendar}"]} for calendar in join_form.CALENDARS
        ],
        "problems": list(who.errors.items()),
    }
    return page.show("portal/join_start.html", "identity", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@joining
def confirm(page: Page) -> HttpResponse:
    """The proof: the code that came, the approval in the authority's app, or the way to its site."""
    if page.found is None or page.found.step != SignUpStep.IDENTITY:
        return page.go_on(page.found)
    if page.request.method != "POST":
        return _proof_page(page, page.found)
    is_code = signup.facts(page.found).get("way") == "CODE"
    try:
        found = signup.confirm_identity(
            signup_id=page.found.pk,
            code=page.request.POST.get("code", "") if is_code else None,
            sent={},
            now=page.now,
        )
    except SignUpRefused as refusal:
        if refusal.reason not in _GOES_ON:
            raise
        key = "code_wrong" if refusal.reason == "CODE" else "refused_DOWN"
        return _proof_page(page, page.found, problem=page.words[key], status=422)
    except CodeRefused as refusal:
        return _proof_page(page, page.found, problem=page.code_problem(refusal), status=422)
    if found.step == SignUpStep.IDENTITY:
        return _proof_page(page, found, problem=page.words["approval_not_yet"])
    return page.go_on(found)


@require_safe
@joining
def back(page: Page) -> HttpResponse:
    """Where the authority's site sends the browser back to, with what it says."""
    if page.found is None or page.found.step != SignUpStep.IDENTITY:
        return page.go_on(page.found)
    try:
        found = signup.confirm_identity(
            signup_id=page.found.pk, code=None, sent=page.request.GET.dict(), now=page.now
        )
    except SignUpRefused as refusal:
        if refusal.reason != "DOWN":
            raise
        return _proof_page(page, page.found, problem=page.words["refused_DOWN"], status=503)
    return page.go_on(found)


@require_safe
@joining
def status(page: Page) -> HttpResponse:
    """For the waiting page, every few seconds: still waiting, or go on (HX-Redirect)."""
    moved = HttpResponse(headers={"HX-Redirect": reverse("portal:join_confirm")})
    if page.found is None or page.found.step != SignUpStep.IDENTITY:
        moved["HX-Redirect"] = reverse("portal:join")
        return moved if page.found is None else _hx(page.go_on(page.found))
    try:
        found = signup.confirm_identity(signup_id=page.found.pk, code=None, sent={}, now=page.now)
    except SignUpRefused as refusal:
        if refusal.reason == "DOWN":
            return page.show("portal/join_waiting.html", "", {})
        return moved  # the whole page says why
    return (
        page.show("portal/join_waiting.html", "", {})
        if found.step == SignUpStep.IDENTITY
        else _hx(page.go_on(found))
    )


def _hx(response: HttpResponse) -> HttpResponse:
    """A redirect as htmx follows it with the whole window."""
    return HttpResponse(headers={"HX-Redirect": response["Location"]})


def _proof_page(page: Page, found: SignUp, *, problem: str = "", status: int = 200) -> HttpResponse:
    known, words = signup.facts(found), page.words
    if not known:  # proven already to belong to somebody with a login
        return page.refused("HAS_LOGIN" if found.person_id else "EXPIRED")
    if known.get("way") == "CODE":
        lead = _to(words["code_lead"], known["phone_masked"]) if known["phone_masked"] else ""
        return _code_page(
            page, found, "proof", words["code_title"], lead or words["code_lead_unknown"], problem, status
        )
    is_redirect = known.get("way") == "REDIRECT"
    context = {
        "title": words["redirect_title" if is_redirect else "approval_title"],
        "url": known.get("url", "") if is_redirect else "",
        "shown": known.get("shown", ""),
        "problem": problem,
    }
    return page.show("portal/join_approval.html", "proof", context, status=status)


def _to(text: str, address: str) -> str:
    return format_html(text, phone=format_html('<bdi dir="ltr">{}</bdi>', address))


def _code_page(
    page: Page, found: SignUp, step: str, title: str, lead: str, problem: str, status: int
) -> HttpResponse:
    standing = signup.code_standing(found, now=page.now)
    left = _seconds(standing.expires_at, page.now) if standing else 0
    wait = _seconds(standing.resend_at, page.now) if standing else 0
    is_resent = page.request.GET.get("sent") == "1" and not problem and left > 0
    words, arab = page.words, installed_profile().formats.digits == "arab" and page.lang == "ar"

    def counting(key: str, seconds: int) -> str:
        return format_html(words[key], seconds=format_html("<b data-left>{}</b>", page.digits(seconds)))

    context = {
        "title": title,
        "lead": lead,
        "problem": problem,
        "told": words["code_resent"] if is_resent else "",
        "code": join_form.code_field(page.lang),
        "here": reverse(_PAGE_OF_STEP[SignUpStep(found.step)]),
        "clock": left,
        "clock_text": counting("code_left", left),
        "wait": wait,
        "wait_text": counting("code_again_in", wait),
        "digits": "ar-u-nu-arab" if arab else "en-u-nu-latn",
        "is_mobile": step == "mobile",
    }
    return page.show("portal/join_code.html", step, context, status=status)


def _seconds(until: dt.datetime, now: dt.datetime) -> int:
    """Whole seconds until then, never below 0."""
    return max(0, -((now - until) // dt.timedelta(seconds=1)))


@require_POST
@joining
def resend(page: Page) -> HttpResponse:
    """Another code for the present step."""
    if page.found is None or page.found.step not in (SignUpStep.IDENTITY, SignUpStep.MOBILE):
        return page.go_on(page.found)
    try:
        signup.resend(signup_id=page.found.pk, network=page.network, now=page.now)
    except CodeRefused as refusal:
        show = _proof_page if page.found.step == SignUpStep.IDENTITY else _mobile_page
        return show(page, page.found, problem=page.code_problem(refusal), status=429)
    return redirect(f"{reverse(_PAGE_OF_STEP[SignUpStep(page.found.step)])}?sent=1")


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@joining
def details(page: Page) -> HttpResponse:
    """Mobile, e-mail, password or passkey, terms. At the second code's step too, to correct the mobile."""
    request, found = page.request, page.found
    changes = request.method == "POST" or request.GET.get("change") == "1"
    may = (SignUpStep.DETAILS, SignUpStep.MOBILE) if changes else (SignUpStep.DETAILS,)
    if found is None or found.step not in may:
        return page.go_on(found)
    if request.method != "POST":
        known = signup.facts(found)
        return _details_page(
            page, found, {name: known.get(name, "") for name in ("mobile", "email", "name")}, {}
        )
    given = {name: request.POST.get(name, "").strip() for name in ("mobile", "email", "way", "name")}
    try:
        found = signup.give_details(
            signup_id=found.pk,
            mobile=given["mobile"],
            email=given["email"],
            password=None if given["way"] == "PASSKEY" else request.POST.get("password", ""),
            terms_version=request.POST.get("terms", ""),
            network=page.network,
            now=page.now,
            name=given["name"],
        )
    except SignUpRefused as refusal:
        if refusal.reason not in _ORIGIN_FIELDS:
            raise
        errors = {_ORIGIN_FIELDS[refusal.reason]: page.words[f"details_{refusal.reason}"]}
        return _details_page(page, found, given, errors, status=422)
    except CodeRefused as refusal:
        return _details_page(page, found, given, {"": page.code_problem(refusal)}, status=429)
    return page.go_on(found)


def _details_page(
    page: Page, found: SignUp, given: dict[str, str], errors: dict[str, str], *, status: int = 200
) -> HttpResponse:
    words, known = page.words, signup.facts(found)
    version = installed_profile().terms_version
    name = known.get("name", "") if not given.get("name") or known.get("name") else ""
    context = {
        "title": words["details_title"],
        "hello": format_html(words["details_hello"], name=format_html("<bdi>{}</bdi>", name)) if name else "",
        "fields": join_form.details_fields(given, page.lang, errors=errors, asks_name=not known.get("name")),
        "strengths": [(least, words[f"strength_{least}"]) for least in join_form.STRENGTHS],
        "terms_version": version,
        "terms_text": format_html(
            words["terms_version"], version=format_html('<bdi dir="ltr">{}</bdi>', page.digits(version))
        ),
        "terms_error": errors.get("terms", ""),
        "terms_given": page.request.POST.get("terms") == version,
        "problems": list(errors.items()),
    }
    return page.show("portal/join_details.html", "details", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@joining
def mobile(page: Page) -> HttpResponse:
    """The code that came to the new mobile; right, it makes the person."""
    found = page.found
    if found is None or found.step != SignUpStep.MOBILE:
        return page.go_on(found)
    if page.request.method != "POST":
        return _mobile_page(page, found)
    try:
        signup.finish(signup_id=found.pk, code=page.request.POST.get("code", ""), now=page.now)
    except SignUpRefused as refusal:
        if refusal.reason != "CODE":
            raise
        return _mobile_page(page, found, problem=page.words["code_wrong"], status=422)
    except CodeRefused as refusal:
        return _mobile_page(page, found, problem=page.code_problem(refusal), status=422)
    return redirect("portal:join_enter")


def _mobile_page(page: Page, found: SignUp, *, problem: str = "", status: int = 200) -> HttpResponse:
    masked = signup.facts(found).get("mobile_masked", "")
    words = page.words
    lead = _to(words["mobile_lead"], masked) if masked else words["mobile_lead_unknown"]
    return _code_page(page, found, "mobile", words["mobile_title"], lead, problem, status)


@require_safe
@joining
def enter(page: Page) -> HttpResponse:
    """Sign in who has just been made a person: identity and mobile were proven in this session. Then to the end."""
    if door.person_of(page.request):
        return redirect("portal:join_done")
    found = page.found
    if found is None or found.step != SignUpStep.DONE or found.person is None:
        return page.go_on(found if found and found.step != SignUpStep.DONE else None)
    user = found.person.user
    del page.request.session[SESSION_KEY]
    return sign_in_new(page.request, user, then=reverse("portal:join_done"))
