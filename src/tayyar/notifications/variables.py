"""Which templates there are, for which kinds, and the variables their words may and must use.

Owns the declarations; the explanations and samples that an editor shows lie in templates/variables.toml. Knows no
words. Next: templates.py checks words against these and renders them.
"""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tayyar.notifications.content import Facts, Row
from tayyar.notifications.kinds import MessageKind

FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    """`variables`: what facts for this template carry. `must_say`: what no wording may leave out, whatever the
    channel; of each group one is enough. `has_link`: its message leads somewhere."""

    kinds: tuple[MessageKind, ...]
    variables: tuple[str, ...]
    must_say: tuple[tuple[str, ...], ...]
    has_link: bool = True


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable as an editor shows it: explanation and sample per language."""

    name: str
    explain: Mapping[str, str]
    sample: Mapping[str, str]


_BILLS = (MessageKind.BILL_ISSUED, MessageKind.SINGLE_BILL_ISSUED)
_BILL = ("amount_text", "period_text", "month_text", "account_number", "total_text", "complaint_text")
_DIGEST = ("count_text", "amount_text", "period_text", "month_text", "complaint_text")
_DUE = ("due_date_text", "due_day_text")

TEMPLATES: Mapping[str, TemplateSpec] = {
    "bill_issued": TemplateSpec(_BILLS, (*_BILL, *_DUE), (("amount_text",), _DUE)),
    "bill_issued_nothing_due": TemplateSpec(_BILLS, _BILL, ()),
    "bill_issued_digest": TemplateSpec(_BILLS, (*_DIGEST, *_DUE), (("count_text",), ("amount_text",), _DUE)),
    "bill_issued_digest_nothing_due": TemplateSpec(_BILLS, _DIGEST, (("count_text",),)),
    "due_soon": TemplateSpec(
        (MessageKind.DUE_SOON,),
        ("amount_text", *_DUE, "days_text", "account_number", "complaint_text"),
        (("amount_text",), (*_DUE, "days_text")),
    ),
    "overdue": TemplateSpec(
        (MessageKind.OVERDUE,),
        ("amount_text", *_DUE, "account_number", "complaint_text"),
        (("amount_text",), ("account_number",)),
    ),
    "final_notice": TemplateSpec(
        (MessageKind.FINAL_NOTICE,),
        ("amount_text", "deadline_text", "account_number", "complaint_text"),
        (("amount_text",), ("deadline_text",), ("account_number",)),
    ),
    "payment_received": TemplateSpec(
        (MessageKind.PAYMENT_RECEIVED,),
        ("amount_text", "paid_on_text", "balance_text", "account_number", "reference", "complaint_text"),
        (("amount_text",),),
    ),
    "one_time_code": TemplateSpec(
        (MessageKind.ONE_TIME_CODE,), ("code", "minutes_text"), (("code",),), has_link=False
    ),
    "low_balance": TemplateSpec(
        (MessageKind.LOW_BALANCE,),
        ("balance_text", "days_text", "account_number", "complaint_text"),
        (("balance_text",),),
    ),
    "token": TemplateSpec(
        (MessageKind.TOKEN,),
        ("token", "energy_text", "amount_text", "account_number", "complaint_text"),
        (("token",),),
        has_link=False,
    ),
    "request_update": TemplateSpec(
        (MessageKind.REQUEST_UPDATE,),
        ("reference", "subject_text", "update_text", "complaint_text"),
        (("reference",), ("update_text",)),
    ),
    "campaign": TemplateSpec(
        (MessageKind.CAMPAIGN,), ("headline_text", "body_text", "complaint_text"), (("body_text",),)
    ),
    "delegate_invited": TemplateSpec(
        (MessageKind.DELEGATE_INVITED,),
        ("holder_name", "account_number", "rights_text", "complaint_text"),
        (("holder_name",), ("rights_text",)),
    ),
    "delegate_changed": TemplateSpec(
        (MessageKind.DELEGATE_CHANGED,),
        ("change_text", "account_number", "complaint_text"),
        (("change_text",),),
    ),
    "email_check": TemplateSpec((MessageKind.EMAIL_CHECK,), ("valid_text", "complaint_text"), ()),
    "contact_changed": TemplateSpec(
        (MessageKind.CONTACT_CHANGED,),
        ("change_text", "complaint_text"),
        (("change_text",),),
        has_link=False,  # the same message that a thief of identities would forge with one
    ),
}

# Known to every message: who writes, and where it leads.
COMMON = ("utility_name",)
LINK = ("url", "url_path")


def usable(template: str) -> tuple[str, ...]:
    """The variables that words of `template` may use."""
    spec = TEMPLATES[template]
    return (*spec.variables, *COMMON, *(LINK if spec.has_link else ()))


def templates_of(kind: int) -> list[str]:
    """The templates of a kind; the first is the usual one."""
    return [name for name, spec in TEMPLATES.items() if kind in spec.kinds]


@functools.cache
def known_variables() -> Mapping[str, Variable]:
    """Every variable with its explanation and its sample."""
    raw = tomllib.loads((FOLDER / "variables.toml").read_text("utf-8"))
    return {name: Variable(name, entry["explain"], entry["sample"]) for name, entry in raw.items()}


def sample_facts(template: str, language: str) -> Facts:
    """Facts made of the variables' samples: what a preview shows where no real document is at hand."""
    spec, known = TEMPLATES[template], known_variables()
    rows: tuple[Row, ...] = ()
    if "digest" in template:
        rows = (Row(*(known[name].sample[language] for name in ("account_number", "amount_text", "url"))),)
    return Facts(
        ref=1,
        recipient=0,
        template=template,
        values={name: known[name].sample[language] for name in spec.variables},
        utility_name=known["utility_name"].sample[language],
        url=known["url"].sample[language] if spec.has_link else "",
        document_url=known["url"].sample[language] + "/bill.pdf" if "bill" in template else "",
        document_name="bill-261100000001234.pdf" if "bill" in template else "",
        rows=rows,
    )
