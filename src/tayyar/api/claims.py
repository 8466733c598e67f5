"""Claiming an account: what is theirs already, a look before, the claim itself, and claims against one's own account.

Holds no rule: claims/services.py decides. A foreign account and none answer alike until papers are given. Next:
claims/queries.py, claims/disputes.py.
"""

import datetime as dt
from typing import Annotated, Literal

from django.http import HttpRequest
from ninja import Form, Path, Query, Router, Schema, Status
from pydantic import AfterValidator, BeforeValidator

from tayyar.api.accounts import account_id_of
from tayyar.api.door import Caller
from tayyar.api.paging import Cursor, Limit, page_of_rows
from tayyar.api.papers import DocumentKinds, Documents, OnceKey, uploads
from tayyar.api.problems import invalid, not_found
from tayyar.api.shapes import PROBLEMS, AccountNumber, Money, maybe_money, number_of, only_iso, storable
from tayyar.claims import queries, services
from tayyar.claims.models import Claim, ClaimRole, Evidence
from tayyar.customers.models import Language
from tayyar.requests.models import Via
from tayyar.requests.services import LONGEST_TEXT

router = Router(tags=["Claims"])
ClaimPath = Annotated[str, Path(description="As `contests` names it.", examples=["12"])]


class Offered(Schema):
    """An account that is theirs in the books and was never claimed: a claim without papers is approved at once."""

    account_number: AccountNumber
    customer_id: int


class Offers(Schema):
    """Accounts to claim by one tap."""

    items: list[Offered]


class Preview(Schema):
    """What may be seen before a claim; all is empty for an account that is not theirs, and for none."""

    account_number: AccountNumber
    is_own: bool
    address: str
    holder_initials: str
    category: str
    balance: Money | None


class ClaimBody(Schema):
    """A claim. `state`: OPEN, DISPUTED (the present holder may answer until `answer_until`), APPROVED, REFUSED,
    WITHDRAWN. `held_account`: the account that came of it; take the claim back under its reference at requests."""

    reference: str
    account_number: AccountNumber
    customer_id: int
    role: str
    is_beneficiary: bool
    start_date: dt.date
    evidence: str
    state: str
    answer_until: dt.date | None
    held_account: str | None
    ended_at: dt.datetime | None


class Claims(Schema):
    """A page of claims, the newest first."""

    items: list[ClaimBody]
    next_cursor: str | None


class Contest(Schema):
    """A claim against an account of the person: nothing of who claims. `answer`: "", OBJECTED or GAVE_WAY."""

    id: str
    reference: str
    account_number: AccountNumber
    role: str
    start_date: dt.date
    answer_until: dt.date
    answer: str


class Contests(Schema):
    """Claims that the person may still answer."""

    items: list[Contest]


class Objection(Schema):
    """The objection's own reference."""

    reference: str


@router.get(
    "/offers",
    response={200: Offers, **PROBLEMS},
    operation_id="listOffers",
    summary="Accounts to claim at once",
)
def list_offers(request: HttpRequest) -> Offers:
    """In the books under the person's identity or business, and not claimed yet."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    found = queries.offered_to(caller.person, today=caller.today)
    return Offers(
        items=[Offered(account_number=str(one.account.number), customer_id=one.customer_id) for one in found]
    )


@router.get(
    "/claims/preview",
    response={200: Preview, **PROBLEMS},
    operation_id="previewClaim",
    summary="Look before a claim",
)
def preview_claim(
    request: HttpRequest,
    account_number: Annotated[str, Query(max_length=40, examples=["10000000154"])],
) -> Preview:
    """Says nothing of accounts that are not theirs; asking about many in a day is refused (BUDGET)."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    account_id = account_id_of(account_number)
    if account_id is None:
        raise invalid(account_number="NUMBER")
    seen = services.preview(person=caller.person, account_id=account_id, now=caller.now)
    return Preview(
        account_number=str(seen.account_number),
        is_own=seen.is_own,
        address=seen.address,
        holder_initials=seen.holder_initials,
        category=seen.category,
        balance=maybe_money(seen.balance_minor),
    )


@router.get(
    "/claims", response={200: Claims, **PROBLEMS}, operation_id="listClaims", summary="The person's claims"
)
def list_claims(request: HttpRequest, limit: Limit, cursor: Cursor = None) -> Claims:
    """The newest first."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    found = queries.claims_of(caller.person).select_related("holding")
    shown, following = page_of_rows(found, limit=limit, cursor=cursor)
    return Claims(items=[_claim(one) for one in shown], next_cursor=following)


@router.post(
    "/claims", response={201: ClaimBody, **PROBLEMS}, operation_id="claimAccount", summary="Claim an account"
)
def claim_account(
    request: HttpRequest,
    once_key: OnceKey,
    account_number: Annotated[str, Form(max_length=40, examples=["10000000154"])],
    role: Annotated[Literal["OWNER", "TENANT"], Form()],
    is_beneficiary: Annotated[bool, Form(description="They themselves use the supply.")],
    start_date: Annotated[
        dt.date, BeforeValidator(only_iso), Form(description="From this day they are liable.")
    ],
    terms_version: Annotated[
        str,
        AfterValidator(storable),
        Form(max_length=20, description="Of `me`: the terms that were accepted."),
    ],
    evidence: Annotated[Literal["AUTHORITY", "DEED", "LEASE"], Form()] = "AUTHORITY",
    customer_id: Annotated[
        int | None, Form(ge=1, le=2**63 - 1, description="A business of `me`; left out: the person.")
    ] = None,
    documents: Documents = [],  # noqa: B006 - ninja copies it
    document_kinds: DocumentKinds = [],  # noqa: B006
) -> Status:
    """The same key gives the same claim. Without papers, EVIDENCE says alike that the account is another's, or none."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    account_id = account_id_of(account_number)
    if account_id is None:
        raise invalid(account_number="NUMBER")
    made = services.claim(
        person=caller.person,
        customer_id=customer_id if customer_id is not None else caller.person.customer_id,
        account_id=account_id,
        role=ClaimRole(role),
        is_beneficiary=is_beneficiary,
        start_date=start_date,
        evidence=Evidence(evidence),
        documents=uploads(documents, document_kinds),
        via=Via.APP,
        terms_version=terms_version,
        language=Language[caller.lang],
        once_key=once_key,
        now=caller.now,
    )
    return Status(201, _claim(made))


@router.get(
    "/contests",
    response={200: Contests, **PROBLEMS},
    operation_id="listContests",
    summary="Claims against the person's accounts",
)
def list_contests(request: HttpRequest) -> Contests:
    """Those that may still be answered."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return Contests(
        items=[
            Contest(
                id=str(one.claim_id),
                reference=one.reference,
                account_number=str(one.account_number),
                role=one.role,
                start_date=one.start_date,
                answer_until=one.answer_until,
                answer=one.answer,
            )
            for one in queries.contests_of(caller.person, today=caller.today)
        ]
    )


@router.post(
    "/contests/{claim_id}/object",
    response={201: Objection, **PROBLEMS},
    operation_id="objectToClaim",
    summary="Object to a claim",
)
def object_to_claim(
    request: HttpRequest,
    claim_id: ClaimPath,
    text: Annotated[str, AfterValidator(storable), Form(max_length=LONGEST_TEXT)],
    documents: Documents = [],  # noqa: B006
    document_kinds: DocumentKinds = [],  # noqa: B006
) -> Status:
    """Nothing changes hands until staff have decided. The same text again is the same objection."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    made = services.object_to(
        claim_id=_id(claim_id),
        person=caller.person,
        text=text,
        documents=uploads(documents, document_kinds),
        via=Via.APP,
        now=caller.now,
    )
    return Status(201, Objection(reference=made.reference))


@router.post(
    "/contests/{claim_id}/give-way",
    response={204: None, **PROBLEMS},
    operation_id="giveWayToClaim",
    summary="Agree to a claim",
)
def give_way_to_claim(request: HttpRequest, claim_id: ClaimPath) -> Status:
    """The account may pass on; staff still look at the papers."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    services.give_way(claim_id=_id(claim_id), person=caller.person, now=caller.now)
    return Status(204, None)


def _id(typed: str) -> int:
    if not (typed.isascii() and typed.isdecimal() and len(typed) < 19):
        raise not_found()
    return int(typed)


def _claim(made: Claim) -> ClaimBody:
    return ClaimBody(
        reference=made.request.reference,
        account_number=str(made.account.number),
        customer_id=made.customer_id,
        role=made.role,
        is_beneficiary=made.is_beneficiary,
        start_date=made.start_date,
        evidence=made.evidence,
        state=made.state,
        answer_until=made.answer_until,
        held_account=number_of(made.holding.account_id) if made.holding else None,
        ended_at=made.ended_at,
    )
