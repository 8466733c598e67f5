"""Businesses that a person belongs to: members and roles, invitations, and claims by a file with each row's result.

Owns the pages under /me/members. Holds no rule: identity/businesses.py says who may, claims/bulk.py works files.
A business of which one is no member is the same 404 as none. Next: templates/portal/me_members*.html.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tayyar.claims import bulk
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.queries import files_of
from tayyar.claims.tasks import submit_file
from tayyar.core import clock
from tayyar.customers.models import Language
from tayyar.identity import businesses
from tayyar.identity.errors import BusinessRefused
from tayyar.identity.models import MemberRole, Membership
from tayyar.portal.countries import COUNTRIES, country_choices
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.join_form import document_types
from tayyar.portal.members_words import MEMBERS_WORDS
from tayyar.portal.parts import Choice, Field

FILES = 10  # the newest of a business
WHY = ("NUMBER", "ROLE", "DATE", "YES_NO", "START_EARLY", "START_LATE")


@require_safe
@signed_in
def overview(screen: MyScreen) -> HttpResponse:
    """The businesses one acts for, and invitations that wait for an answer."""
    words = MEMBERS_WORDS[screen.lang]
    context = {
        "title": words["title"],
        "m": words,
        "done": _said(screen, "done"),
        "problem": _said(screen, "problem"),
        "businesses": [
            {"id": found.business_id, "name": found.business.name, "role": words[f"role_{found.role}"]}
            for found in _memberships(screen)
        ],
        "invitations": [
            {
                "id": found.pk,
                "business": found.business.name,
                "text": format_html(
                    words["invited_by"],
                    name=format_html(
                        "<bdi>{}</bdi>", found.invited_by.customer.name if found.invited_by else ""
                    ),
                    business=format_html("<bdi>{}</bdi>", found.business.name),
                    role=words[f"role_{found.role}"],
                ),
            }
            for found in businesses.invitations_of(person=screen.person, now=clock.now())
        ],
    }
    return screen.page("portal/me_members.html", context)


@require_POST
@signed_in
def answer(screen: MyScreen, membership_id: int) -> HttpResponse:
    """Accept or decline an invitation."""
    accepts = screen.request.POST.get("accepts") == "1"

    def answered() -> None:
        businesses.answer(person=screen.person, membership_id=membership_id, accepts=accepts, now=clock.now())

    done = "accepted" if accepts else "declined"
    return _do(screen, answered, reverse("portal:members"), done)


@require_safe
@signed_in
def business(screen: MyScreen, business_id: int) -> HttpResponse:
    """Members and files, for an admin; for others their role and the way out."""
    own = _own(screen, business_id)
    if own is None:
        return screen.gone()
    words, is_admin = MEMBERS_WORDS[screen.lang], own.role == MemberRole.ADMIN
    now = clock.now()
    members = (
        businesses.members_of(person=screen.person, business_id=business_id, now=now) if is_admin else []
    )
    context = {
        "title": own.business.name,
        "m": words,
        "own": own,
        "role": words[f"role_{own.role}"],
        "is_admin": is_admin,
        "done": _said(screen, "done"),
        "problem": _said(screen, "problem"),
        "roles": [{"code": role.value, "name": words[f"role_{role.value}"]} for role in MemberRole],
        "members": [_member(screen, found) for found in members],
        "files": [
            {
                "id": file.pk,
                "name": file.name,
                "day": screen.moment(file.sent_at),
                "rows": format_html(words["file_rows"], count=screen.num(file.rows)),
                "state": words["file_done" if file.done_at else "file_works"],
            }
            for file in files_of(screen.person).filter(customer_id=business_id)[:FILES]
        ]
        if is_admin
        else [],
    }
    return screen.page("portal/me_members_business.html", context)


def _member(screen: MyScreen, found: Membership) -> dict[str, Any]:
    words = MEMBERS_WORDS[screen.lang]
    is_waiting = found.person is None
    moment = found.invited_at if is_waiting or not found.accepted_at else found.accepted_at
    since = words["waits" if is_waiting else "since"].format(day=screen.day(moment.date()))
    return {
        "id": found.pk,
        "name": found.person.customer.name if found.person else "",
        "is_you": found.person_id == screen.person.pk,
        "is_waiting": is_waiting,
        "role": found.role,
        "role_name": words[f"role_{found.role}"],
        "since": since,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
def invite(screen: MyScreen, business_id: int) -> HttpResponse:
    """Invite whoever has an identity; invited again, the invitation has the new role."""
    own = _own(screen, business_id)
    if own is None or own.role != MemberRole.ADMIN:
        return screen.gone()
    words, posted, errors = MEMBERS_WORDS[screen.lang], screen.request.POST, {}
    if screen.request.method == "POST":
        errors = _invite(screen, business_id)
        if not errors:
            return redirect(f"{reverse('portal:members_business', args=[business_id])}?done=invited")
    types = [Choice(kind.code, kind.names[screen.lang]) for kind in document_types(screen.profile)]
    roles = [
        Choice(role.value, words[f"role_{role.value}"], words[f"role_{role.value}_hint"])
        for role in reversed(MemberRole)
    ]
    home = screen.profile.code.upper()
    context = {
        "title": words["invite"],
        "m": words,
        "business": own.business,
        "problems": list(errors.items()),
        "fields": [
            Field(
                "id_type",
                words["id_type"],
                posted.get("id_type") or types[0].value,
                choices=types,
                is_radio=True,
            ),
            Field(
                "nationality",
                words["nationality"],
                posted.get("nationality") or home,
                hint=words["nationality_hint"],
                error=errors.get("nationality", ""),
                choices=country_choices(screen.lang, first=home),
            ),
            Field(
                "number",
                words["number"],
                posted.get("number", "")[:40],
                error=errors.get("number", ""),
                is_code=True,
                autocomplete="off",
                longest=40,
            ),
            Field(
                "role",
                words["role"],
                posted.get("role") or MemberRole.VIEWER.value,
                choices=roles,
                is_radio=True,
            ),
        ],
    }
    return screen.page("portal/me_members_invite.html", context, status=422 if errors else 200)


def _invite(screen: MyScreen, business_id: int) -> dict[str, str]:
    """What is wrong, by field; empty when the invitation is out."""
    words, posted = MEMBERS_WORDS[screen.lang], screen.request.POST
    kind = next((one for one in document_types(screen.profile) if one.code == posted.get("id_type")), None)
    nationality = posted.get("nationality", "")
    if kind is None or posted.get("role") not in MemberRole.values:
        return {"number": words["problem_FORMAT"]}
    nationality = kind.nationality or nationality
    allowed = kind.nationalities or COUNTRIES
    if nationality not in COUNTRIES or nationality not in allowed:
        return {"nationality": words["problem_NATIONALITY"]}
    try:
        businesses.invite(
            person=screen.person,
            business_id=business_id,
            id_type=kind.code,
            number=posted.get("number", "")[:40],
            nationality=nationality,
            role=MemberRole(posted["role"]),
            now=clock.now(),
        )
    except BusinessRefused as refusal:
        return {"number": words[f"problem_{refusal.reason}"]}
    return {}


@require_POST
@signed_in(reauth=True)
def change_role(screen: MyScreen, business_id: int, membership_id: int) -> HttpResponse:
    """Give a member, or who is invited, another role."""
    wanted = screen.request.POST.get("role", "")
    if not _is_of(business_id, membership_id) or wanted not in MemberRole.values:
        return screen.gone()

    def changed() -> None:
        businesses.change_role(
            person=screen.person, membership_id=membership_id, role=MemberRole(wanted), now=clock.now()
        )

    return _do(screen, changed, reverse("portal:members_business", args=[business_id]), "role")


@require_POST
@signed_in
def end(screen: MyScreen, business_id: int, membership_id: int) -> HttpResponse:
    """End a membership, take an invitation back, or leave."""
    found = Membership.objects.filter(pk=membership_id, business_id=business_id).first()
    if found is None:
        return screen.gone()
    is_own = found.person_id == screen.person.pk
    back = reverse("portal:members") if is_own else reverse("portal:members_business", args=[business_id])

    def ended() -> None:
        businesses.end(person=screen.person, membership_id=membership_id, now=clock.now())

    return _do(screen, ended, back, "left" if is_own else "ended")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def send_file(screen: MyScreen, business_id: int) -> HttpResponse:
    """Claim accounts by a file; its result has a page of its own. The same file is under way once."""
    own = _own(screen, business_id)
    if own is None or own.role != MemberRole.ADMIN:
        return screen.gone()
    words, errors = MEMBERS_WORDS[screen.lang], {}
    version = screen.profile.terms_version
    if screen.request.method == "POST":
        sent = screen.request.FILES.get("file")
        if sent is None or (sent.size or 0) > bulk.MOST_BYTES:
            errors = {"file": words["file_MISSING" if sent is None else "file_SIZE"]}
        else:
            try:
                kept = submit_file(
                    person=screen.person,
                    customer_id=business_id,
                    name=sent.name or "",
                    data=sent.read(),
                    terms_version=screen.request.POST.get("terms", ""),
                    language=Language[screen.lang],
                    now=clock.now(),
                )
                return redirect("portal:members_file", file_id=kept.pk)
            except ClaimRefused as refused:
                errors = {"terms" if refused.reason == "TERMS" else "file": words[f"file_{refused.reason}"]}
    context = {
        "title": words["files"],
        "m": words,
        "business": own.business,
        "problems": list(errors.items()),
        "terms_error": errors.get("terms", ""),
        "version": version,
        "terms": format_html(words["file_terms"], version=screen.code(version)),
        "file": Field(
            "file",
            words["file"],
            hint=words["file_hint"],
            error=errors.get("file", ""),
            type="file",
            accept=".csv,.xlsx",
        ),
    }
    return screen.page("portal/me_members_send.html", context, status=422 if errors else 200)


@require_safe
@signed_in
def file_result(screen: MyScreen, file_id: int) -> HttpResponse:
    """What became of each row; while a worker is at it, how to look again."""
    found = files_of(screen.person).filter(pk=file_id).first()
    if found is None:
        return screen.gone()
    words, result = MEMBERS_WORDS[screen.lang], bulk.results_of(found)
    context = {
        "title": words["file_title"],
        "m": words,
        "file": found,
        "is_done": found.done_at is not None,
        "counts": [
            {"name": words[f"outcome_{outcome}"], "count": screen.num(count)}
            for outcome, count in result.counts.items()
        ],
        "rows": [
            {
                "line": screen.num(row.line),
                "account": row.account_number,
                "outcome": words[f"outcome_{row.outcome}"],
                "why": words[f"why_{row.reason if row.reason in WHY else 'OTHER'}"]
                if row.outcome is bulk.Outcome.INVALID
                else "",
                "reference": row.reference,
            }
            for row in result.rows
        ],
    }
    return screen.page("portal/me_members_file.html", context)


def _memberships(screen: MyScreen) -> list[Membership]:
    found = Membership.objects.filter(person=screen.person, ended_at=None, accepted_at__isnull=False)
    return list(found.select_related("business").order_by("business__name", "id"))


def _own(screen: MyScreen, business_id: int) -> Membership | None:
    """The person's membership of that business."""
    return next((found for found in _memberships(screen) if found.business_id == business_id), None)


def _is_of(business_id: int, membership_id: int) -> bool:
    return Membership.objects.filter(pk=membership_id, business_id=business_id).exists()


def _do(screen: MyScreen, change: Callable[[], None], back: str, done: str) -> HttpResponse:
    """Make a change and go `back` with a word about it; the same 404 where it is not the person's to make."""
    try:
        change()
    except Membership.DoesNotExist:
        return screen.gone()
    except BusinessRefused as refusal:
        return redirect(f"{back}?problem={refusal.reason}")
    return redirect(f"{back}?done={done}")


def _said(screen: MyScreen, what: str) -> str:
    return MEMBERS_WORDS[screen.lang].get(f"{what}_{screen.request.GET.get(what, '')}", "")
