"""What is typed into the pages of a claim: the account in each of its spellings, days, papers; and the draft of one.

Owns how an account is named: typed, by a bill's link, by a picture of its code. A draft lives in the login's session
under a key of its own, so that two claims in two windows do not mix. Decides nothing. Next: claim_views.py.
"""

import datetime as dt
import secrets
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from tayyar.billing.queries import find_bill
from tayyar.claims.models import ClaimRole
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.core.links import open_bill_token
from tayyar.core.references import parse_number, with_check
from tayyar.portal.claim_photo import NoCode, text_of_picture
from tayyar.portal.front_views import LONGEST_TEXT, NothingToOpen, where
from tayyar.requests.documents import MOST_BYTES, Upload, UploadRefused

DRAFTS = "claims"  # in the session
MOST_DRAFTS = 5
ACCOUNT_DIGITS = 11
PAPERS = ("paper", "paper_2")
_PAPER_OF: Mapping[str, str] = {ClaimRole.OWNER.value: "DEED", ClaimRole.TENANT.value: "LEASE"}


@dataclass(slots=True)
class Draft:
    """A claim between its pages. `start_date` is ISO text; `sent`: the reference, once it was sent."""

    key: str
    account_id: int
    customer_id: int
    role: str = ""
    bill_number: int | None = None
    is_offered: bool = False
    is_beneficiary: bool | None = None
    start_date: str = ""
    sent: str = ""

    @property
    def account_number(self) -> int:
        """As it stands on a bill."""
        return with_check(self.account_id)

    @property
    def is_reviewed(self) -> bool:
        """Whether everything but papers and terms is known."""
        return bool(self.role and self.start_date) and self.is_beneficiary is not None

    @property
    def paper(self) -> str:
        """The kind of paper that proves the role."""
        return _PAPER_OF[self.role]


def new_key() -> str:
    """The key of a draft: what makes sending it twice the same claim."""
    return secrets.token_urlsafe(16)


def keep_draft(session: MutableMapping[str, Any], draft: Draft) -> None:
    """Keep it for the next page; of many the newest ones."""
    drafts = {key: kept for key, kept in session.get(DRAFTS, {}).items() if key != draft.key}
    drafts[draft.key] = asdict(draft)
    session[DRAFTS] = dict(list(drafts.items())[-MOST_DRAFTS:])


def draft_of(session: MutableMapping[str, Any], key: str) -> Draft | None:
    """The draft of that key, if this login has it."""
    kept = session.get(DRAFTS, {}).get(key)
    return Draft(**kept) if kept else None


@dataclass(slots=True)
class Named:
    """The first page as it was typed. `errors` by field: a key of claim_words.py; `count`: digits that were typed."""

    role: str = ""
    customer: str = ""
    account: str = ""
    link: str = ""
    account_id: int | None = None
    bill_number: int | None = None
    count: int = 0
    errors: dict[str, str] = field(default_factory=dict)


def read_named(request: HttpRequest) -> Named:
    """Which account is meant, and as what."""
    given = request.POST
    named = Named(
        role=given.get("role", ""),
        customer=given.get("customer", "")[:20],
        account=given.get("account", "").strip()[:40],
        link=given.get("link", "").strip()[:LONGEST_TEXT],
    )
    if named.role not in ClaimRole.values:
        named.errors["role"] = "role_missing"
    picture = request.FILES.get("photo")
    if named.link:
        _by_bill(named, named.link, request, "link", "link_wrong")
    elif picture is not None:
        _by_picture(named, picture, request)
    if named.account:
        _by_number(named)
    elif named.account_id is None and not {"link", "photo"} & named.errors.keys():
        named.errors["account"] = "account_missing"
    return named


def _by_number(named: Named) -> None:
    digits = [sign for sign in named.account if sign.isdecimal()]
    named.count = len(digits)
    try:
        typed = parse_number(named.account, what="account number", digits=ACCOUNT_DIGITS) // 100
    except UserError:
        spelled = all(sign.isdecimal() or sign.isspace() or sign in "-‑" for sign in named.account)
        is_short = spelled and len(digits) != ACCOUNT_DIGITS
        named.errors["account"] = (
            "account_LENGTH" if is_short else "account_CHECK" if spelled else "account_SIGNS"
        )
        return
    if named.account_id is not None and named.account_id != typed:
        named.errors["account"] = "account_other"
    named.account_id = typed


def _by_bill(named: Named, text: str, request: HttpRequest, name: str, problem: str) -> None:
    """The account of the bill whose link stands in a text."""
    try:
        path = where(text, own_hosts={request.get_host(), urlsplit(settings.SITE_URL).netloc.lower()})
    except NothingToOpen:
        path = ""
    parts = path.split("/")
    number = open_bill_token(parts[2], today=clock.today()) if parts[1:2] == ["b"] else None
    try:
        bill = find_bill(number=number) if number is not None else None
    except UserError:
        bill = None
    if bill is None:
        named.errors[name] = problem
    else:
        named.account_id, named.bill_number = bill.account_id, bill.number


def _by_picture(named: Named, picture: UploadedFile, request: HttpRequest) -> None:
    if (picture.size or 0) > MOST_BYTES:
        named.errors["photo"] = "upload_SIZE"
        return
    try:
        text = text_of_picture(picture.read())
    except UploadRefused as refused:
        named.errors["photo"] = f"upload_{refused.reason}"
    except NoCode:
        named.errors["photo"] = "photo_none"
    else:
        _by_bill(named, text, request, "photo", "photo_other")


def read_day(text: str) -> dt.date | None:
    """A day as a page sends it; None for what is none."""
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        return None


def read_papers(request: HttpRequest, kind: str, names: tuple[str, ...] = PAPERS) -> list[Upload]:
    """The files that were chosen. UploadRefused SIZE before any of them is read into memory."""
    found = [one for name in names for one in request.FILES.getlist(name)[:1]]
    if any((one.size or 0) > MOST_BYTES for one in found):
        raise UploadRefused("SIZE")
    return [Upload(kind, one.read()) for one in found]
