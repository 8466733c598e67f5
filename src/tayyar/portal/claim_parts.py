"""What the pages of claims show, made of values and words: fields, facts, cards, the sentence on where a claim stands.

Reads nothing but what it is given and decides nothing. Next: templates/portal/claim*.html.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tayyar.claims.models import Claim, ClaimRole, ClaimState, Evidence
from tayyar.claims.queries import Contest
from tayyar.claims.services import ClaimPreview
from tayyar.customers.models import Customer
from tayyar.portal.claim_form import PAPERS, Draft, Named
from tayyar.portal.claim_words import CLAIM_WORDS
from tayyar.portal.door import MyScreen
from tayyar.portal.me_accounts import local_now
from tayyar.portal.parts import Card, Choice, Fact, Field, Steps, Stop
from tayyar.requests.models import RequestState

STEP_NAMES = ("account", "review", "finish")
PICTURES = "image/jpeg,image/png,image/webp"
PAPER_FILES = f"{PICTURES},application/pdf"
_TONES: Mapping[str, str] = {"APPROVED": "paid", "COMING": "paid", "REFUSED": "overdue", "WITHDRAWN": ""}


def words_of(screen: MyScreen) -> Mapping[str, str]:
    """The words of these pages in the reader's language."""
    return CLAIM_WORDS[screen.lang]


def steps(screen: MyScreen, name: str) -> Steps:
    """Where in the claim one is."""
    words, place = words_of(screen), STEP_NAMES.index(name)
    text = words["step"].format(
        now=screen.plain(place + 1), all=screen.plain(len(STEP_NAMES)), name=words[f"step_{name}"]
    )
    return Steps(STEP_NAMES, place, text)


def with_code(text: str, code: str) -> SafeString:
    """A sentence with a version set in, left to right."""
    return format_html(text, version=format_html('<bdi dir="ltr">{}</bdi>', code))


def role_field(words: Mapping[str, str], value: str, error: str) -> Field:
    """Owner or tenant."""
    roles = [Choice(role, words[f"role_{role}"]) for role in ClaimRole.values]
    return Field("role", words["role"], value, error=error, choices=roles, is_radio=True)


def start_fields(
    screen: MyScreen, named: Named, claimants: Sequence[Customer], errors: Mapping[str, str]
) -> dict[str, Field]:
    """The first page's fields; `customer` only for who acts for a business."""
    words = words_of(screen)
    fields = {
        "role": role_field(words, named.role, errors.get("role", "")),
        "account": Field(
            "account",
            words["account"],
            named.account,
            hint=words["account_hint"],
            error=errors.get("account", ""),
            is_code=True,
            inputmode="numeric",
            autocomplete="off",
            longest=40,
            required=False,
        ),
        "link": Field(
            "link",
            words["link"],
            named.link,
            hint=words["link_hint"],
            error=errors.get("link", ""),
            type="textarea",
            required=False,
        ),
        "photo": Field(
            "photo",
            words["photo"],
            hint=words["photo_hint"],
            error=errors.get("photo", ""),
            type="file",
            accept=PICTURES,
            required=False,
        ),
    }
    if len(claimants) > 1:
        names = [Choice(str(one.pk), one.name) for one in claimants]
        names[0] = Choice(names[0].value, words["customer_self"])
        fields["customer"] = Field(
            "customer",
            words["customer"],
            named.customer,
            error=errors.get("customer", ""),
            choices=names,
            is_radio=True,
        )
    return fields


def review_facts(screen: MyScreen, draft: Draft, seen: ClaimPreview, business: str) -> list[Fact]:
    """The account as far as it may be shown."""
    words = words_of(screen)
    facts = [Fact(words["account"], str(draft.account_number), is_code=True)]
    if seen.address:
        facts.append(Fact(words["address"], seen.address))
    if seen.holder_initials and not seen.is_own:
        facts.append(Fact(words["holder"], seen.holder_initials))
    if seen.category:
        facts.append(
            Fact(words["category"], screen.profile.category(seen.category).names.get(screen.lang, ""))
        )
    if seen.balance_minor is not None:
        facts.append(Fact(words["owed"], _balance(screen, seen.balance_minor)))
    if draft.role:
        facts.append(Fact(words["as"], words[f"role_{draft.role}"]))
    if business:
        facts.append(Fact(words["for"], business))
    return facts


def _balance(screen: MyScreen, balance_minor: int) -> str:
    words = words_of(screen)
    if balance_minor < 0:
        return format_html(words["owed_credit"], amount=screen.money(-balance_minor))
    return screen.money(balance_minor) if balance_minor else words["owed_nothing"]


def review_fields(
    screen: MyScreen,
    draft: Draft,
    errors: Mapping[str, str],
    *,
    asks_day: bool,
    first: dt.date,
    last: dt.date,
) -> list[Field]:
    """Role where it was not said yet, beneficiary, the first day where somebody else may have days before it."""
    words = words_of(screen)
    fields = [role_field(words, draft.role, errors.get("role", ""))] if draft.is_offered else []
    answers = [Choice(answer, words[f"beneficiary_{answer}"]) for answer in ("YES", "NO")]
    chosen = "" if draft.is_beneficiary is None else "YES" if draft.is_beneficiary else "NO"
    fields.append(
        Field(
            "is_beneficiary",
            words["beneficiary"],
            chosen,
            hint=words["beneficiary_hint"],
            error=errors.get("is_beneficiary", ""),
            choices=answers,
            is_radio=True,
        )
    )
    if asks_day:
        typed = screen.request.POST.get("start_date", draft.start_date)[:10]
        fields.append(
            Field(
                "start_date",
                words["start"],
                typed or local_now(screen).date().isoformat(),
                hint=words["start_hint"].format(first=screen.day(first), last=screen.day(last)),
                error=errors.get("start_date", ""),
                type="date",
            )
        )
    return fields


def finish_facts(screen: MyScreen, draft: Draft, business: str, *, is_own: bool) -> list[Fact]:
    """What will be sent. What is theirs in the books keeps its past: it has no first day."""
    words = words_of(screen)
    facts = [
        Fact(words["account"], str(draft.account_number), is_code=True),
        Fact(words["as"], words[f"role_{draft.role}"]),
    ]
    if business:
        facts.append(Fact(words["for"], business))
    if not is_own:
        facts.append(Fact(words["start"], screen.day(dt.date.fromisoformat(draft.start_date))))
    return facts


def what_next(screen: MyScreen, *, is_own: bool) -> list[Stop]:
    """What follows once it is sent."""
    keys = ("next_own",) if is_own else ("next_papers", "next_holder", "next_number")
    return [Stop(words_of(screen)[key]) for key in keys]


def paper_fields(screen: MyScreen, draft: Draft, errors: Mapping[str, str]) -> list[Field]:
    """The deed or the lease, and a second page of it."""
    words = words_of(screen)
    labels = (words[f"paper_{draft.paper}"], words["paper_second"])
    return [
        Field(
            name,
            label,
            hint=words["paper_hint"] if name == PAPERS[0] else "",
            error=errors.get(name, ""),
            type="file",
            accept=PAPER_FILES,
            required=name == PAPERS[0],
        )
        for name, label in zip(PAPERS, labels, strict=True)
    ]


def state_code(claim: Claim) -> str:
    """Where it stands, as its words are keyed: a ClaimState, WAITING (for the person), COMING (for its day)."""
    if claim.state == ClaimState.APPROVED and claim.holding is None:
        return "COMING"
    is_open = claim.state in (ClaimState.OPEN, ClaimState.DISPUTED)
    if is_open and claim.request.state == RequestState.WAITING:
        return "WAITING"
    if claim.state == ClaimState.DISPUTED and claim.answer:
        return "OPEN"  # the holder answered: it is with the staff again
    return str(claim.state)


def state_of(screen: MyScreen, claim: Claim) -> tuple[str, str]:
    """Where it stands in words, and its tone."""
    code = state_code(claim)
    return words_of(screen)[f"state_{code}"], _TONES.get(code, "pending")


def about(screen: MyScreen, claim: Claim) -> str:
    """What that means, in a sentence."""
    code = state_code(claim)
    day = {"OPEN": claim.request.due_on, "DISPUTED": claim.answer_until, "COMING": claim.start_date}.get(code)
    account = screen.code(claim.holding.account.number) if claim.holding else ""
    return format_html(words_of(screen)[f"about_{code}"], day=screen.day(day) if day else "", account=account)


def claim_facts(screen: MyScreen, claim: Claim) -> list[Fact]:
    """What was claimed."""
    words = words_of(screen)
    facts = [
        Fact(words["account"], str(claim.account.number), is_code=True),
        Fact(words["as"], words[f"role_{claim.role}"]),
    ]
    if claim.evidence != Evidence.AUTHORITY:
        facts.append(Fact(words["start"], screen.day(claim.start_date)))
    return facts


def claim_card(screen: MyScreen, claim: Claim) -> Card:
    """One of the person's claims."""
    state, tone = state_of(screen, claim)
    sent = local_now(screen).tzinfo
    day = screen.day(claim.request.opened_at.astimezone(sent).date())
    return Card(
        title=screen.code(claim.account.number),
        href=reverse("portal:claim_done", args=[claim.request.reference]),
        state=state,
        tone=tone,
        lines=[screen.code(claim.request.reference), words_of(screen)["sent_on"].format(day=day)],
    )


def contest_cards(screen: MyScreen, contests: Sequence[Contest]) -> list[Card]:
    """Claims of others that the person may answer."""
    words = words_of(screen)
    return [
        Card(
            title=words["contest_title"],
            href=reverse("portal:contest", args=[one.reference]),
            state=f"{words['contest_until']}: {screen.day(one.answer_until)}"
            if not one.answer
            else words[f"contest_{one.answer}"],
            tone="pending" if one.answer else "overdue",
            lines=[screen.code(one.account_number)],
        )
        for one in contests
    ]
