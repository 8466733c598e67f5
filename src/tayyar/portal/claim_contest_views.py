"""Somebody claims an account: its present holder objects or gives way, by the link in the message or signed in.

Owns what the holder is asked and told; never who claims, and never a decision. Sending again changes nothing. Next:
claims/disputes.py, which keeps the answer; a request of its own holds the objection's text and papers.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from tayyar.claims import queries, services
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.queries import Contest
from tayyar.core import clock, web
from tayyar.core.links import open_claim_token
from tayyar.identity.models import Person
from tayyar.portal import shell, views
from tayyar.portal.claim_form import read_papers
from tayyar.portal.claim_parts import PAPER_FILES
from tayyar.portal.claim_words import CLAIM_WORDS
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.parts import Fact, Field
from tayyar.profiles.figures import Figures
from tayyar.profiles.installation import installed_profile
from tayyar.requests.documents import UploadRefused
from tayyar.requests.errors import FormRefused, RequestRefused
from tayyar.requests.queries import canonical

PAPERS = ("paper", "paper_2", "paper_3")
TEMPLATE = "portal/claim_contest.html"
Show = Callable[[dict[str, Any], int], HttpResponse]


@require_http_methods(["GET", "HEAD", "POST"])
def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """For who has the link of the message, without a login. What does not open says not why."""
    points = views.FORM_POINTS if request.method == "POST" else views.PAGE_POINTS
    if not views.OPENINGS.spend(request, points):
        return views.busy(request)
    today = services.local_day(clock.now())
    claim_id = open_claim_token(token, today=today)
    found = queries.contest(claim_id, today=today) if claim_id is not None else None
    if found is None:
        views.OPENINGS.spend(request, views.WRONG_POINTS)
        return views.gone(request)
    lang = web.language(request)

    def show(context: dict[str, Any], status: int) -> HttpResponse:
        front = {"base": "portal/front_base.html", "is_front": True, **context}
        return shell.page(request, TEMPLATE, front, lang=lang, status=status)

    figures = Figures(lang, installed_profile(), kwh="")
    return _page(request, found, figures=figures, person=None, show=show)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def signed(screen: MyScreen, reference: str) -> HttpResponse:
    """For the holder who is signed in."""
    today, known = services.local_day(clock.now()), canonical(reference)
    contests = queries.contests_of(screen.person, today=today)
    found = next((one for one in contests if one.reference == known), None)
    if found is None:
        return screen.gone()

    def show(context: dict[str, Any], status: int) -> HttpResponse:
        return screen.page(TEMPLATE, {"base": "portal/me_base.html", **context}, status=status)

    return _page(screen.request, found, figures=screen, person=screen.person, show=show)


def _page(
    request: HttpRequest, found: Contest, *, figures: Figures, person: Person | None, show: Show
) -> HttpResponse:
    words = CLAIM_WORDS[figures.lang]
    if request.method != "POST":
        return show(_context(found, figures, person, {}, ""), 200)
    text = request.POST.get("text", "")
    try:
        if request.POST.get("do") == "give_way":
            if request.POST.get("sure") != "1":
                errors = {"sure": words["contest_sure_missing"]}
                return show(_context(found, figures, person, errors, text), 422)
            services.give_way(claim_id=found.claim_id, person=person, now=clock.now())
            return show(_told(found, figures, "GAVE_WAY", ""), 200)
        objection = services.object_to(
            claim_id=found.claim_id,
            person=person,
            text=text,
            documents=read_papers(request, "OTHER", PAPERS),
            now=clock.now(),
        )
        return show(_told(found, figures, "OBJECTED", objection.reference), 200)
    except UploadRefused as refused:
        errors = {"paper": words[f"upload_{refused.reason}"]}
    except FormRefused as refused:
        key = "contest_text_missing" if refused.errors.get("text") == "MISSING" else "contest_text_long"
        errors = {"text": words[key]}
    except RequestRefused as refused:
        errors = {"": words.get(f"refused_{refused.reason}", words["refused_other"])}
    except ClaimRefused:
        errors = {"": words["contest_closed"]}
    return show(_context(found, figures, person, errors, text), 422)


def _told(found: Contest, figures: Figures, answer: str, reference: str) -> dict[str, Any]:
    """The page after an answer: it is kept, and what follows."""
    words = CLAIM_WORDS[figures.lang]
    return {
        "title": words[f"contest_{answer}"],
        "c": words,
        "told": words[f"contest_{answer}_text"],
        "reference": reference,
        "facts": _facts(found, figures),
    }


def _context(
    found: Contest, figures: Figures, person: Person | None, errors: dict[str, str], text: str
) -> dict[str, Any]:
    """What is claimed, and the two answers; after an answer what came of it."""
    words = CLAIM_WORDS[figures.lang]
    if found.answer and not errors:
        told = _told(found, figures, found.answer, "")
        # An objection is taken back by its holder alone, signed in; an agreement is not taken back here.
        return {**told, "may_give_way": found.answer == "OBJECTED" and person is not None}
    papers = [
        Field(
            name,
            words["contest_paper"] if name == PAPERS[0] else words["paper_second"],
            hint=words["paper_hint"] if name == PAPERS[0] else "",
            error=errors.get(name, ""),
            type="file",
            accept=PAPER_FILES,
            required=False,
        )
        for name in PAPERS
    ]
    return {
        "title": words["contest_title"],
        "c": words,
        "lead": words["contest_lead"].format(day=figures.day(found.answer_until)),
        "facts": _facts(found, figures),
        "text": Field("text", words["contest_text"], text, error=errors.get("text", ""), type="textarea"),
        "papers": papers,
        "may_object": True,
        "may_give_way": True,
        "sure_error": errors.get("sure", ""),
        "problems": list(errors.items()),
    }


def _facts(found: Contest, figures: Figures) -> list[Fact]:
    words = CLAIM_WORDS[figures.lang]
    return [
        Fact(words["account"], str(found.account_number), is_code=True),
        Fact(words["contest_as"], words[f"contest_as_{found.role}"]),
        Fact(words["contest_from"], figures.day(found.start_date)),
        Fact(words["contest_until"], figures.day(found.answer_until)),
    ]
