"""What a message says: the facts its module supplies, put into the words of its language.

Owns the facts' shape, the registry of their providers and the templates' rules. Never looks a bill up.
Words lie in templates/<name>.<language>.toml, the mail's frame in templates/frame.html; next: delivery.py sends.
"""

import functools
import html
import string
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

from tayyar.core.errors import UserError
from tayyar.core.text import LANGUAGES, RTL_LANGUAGES
from tayyar.notifications.models import MessageKind

FOLDER = Path(__file__).parent / "templates"


class MessageKey(NamedTuple):
    """Which message, about what, for whom, in which language ("ar", "en", "fr")."""

    period: int
    kind: int
    ref: int
    recipient: int
    account_id: int
    language: str


@dataclass(frozen=True, slots=True)
class BillIssuedFacts:
    """What a message about a new bill says, every value written for its reader in the message's language.

    `amount_text` is what is to be paid, with its currency word; when nothing is, `due_date_text` is empty and
    `amount_text` is the credit in the customer's favour. `total_text` is the bill alone, without balances.
    """

    ref: int
    amount_text: str
    due_date_text: str
    account_number: str
    period_text: str
    total_text: str
    bill_url: str
    utility_name: str
    complaint_text: str

    @property
    def template(self) -> str:
        """The words that fit these facts."""
        return "bill_issued" if self.due_date_text else "bill_issued_nothing_due"


TEMPLATES: Mapping[str, type[BillIssuedFacts]] = {
    "bill_issued": BillIssuedFacts,
    "bill_issued_nothing_due": BillIssuedFacts,
}

Provider = Callable[[Sequence[MessageKey]], Sequence[BillIssuedFacts]]
_providers: dict[int, Provider] = {}


def register_content(kind: MessageKind, provider: Provider) -> None:
    """The module that owns `kind`'s documents supplies their facts: one for each key asked, in any order.

    A key it leaves out has nothing to say any more; that message ends as FAILED with reason NO_CONTENT.
    """
    _providers[kind] = provider


def known_kinds() -> list[int]:
    """The kinds whose content this process can supply; it claims no other messages."""
    return list(_providers)


def facts_of(keys: Sequence[MessageKey]) -> dict[int, BillIssuedFacts]:
    """The facts for messages of one kind, by `ref`."""
    return {facts.ref: facts for facts in _providers[keys[0].kind](keys)}


@dataclass(frozen=True, slots=True)
class Words:
    """One template in one language; every text may hold $variables, the names of the facts' fields."""

    subject: str
    headline: str
    number: str
    date: str
    button: str
    details: tuple[tuple[str, str], ...]
    note: str
    help: str

    def texts(self) -> list[str]:
        """All its texts."""
        single = [getattr(self, f.name) for f in fields(self) if f.name != "details"]
        return single + [text for pair in self.details for text in pair]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words, ready to be sent."""

    subject: str
    text: str
    html: str


@functools.cache
def words(template: str, language: str) -> Words:
    """Load one template; UserError naming file and key when it is incomplete or asks for an unknown variable."""
    path = FOLDER / f"{template}.{language}.toml"
    if language not in LANGUAGES or not path.exists():
        raise UserError(f"There is no template {path.name}. Each template needs {', '.join(LANGUAGES)}.")
    raw = tomllib.loads(path.read_text("utf-8"))
    wanted = {field.name for field in fields(Words)}
    if raw.keys() != wanted:
        wrong = ", ".join(sorted(raw.keys() ^ wanted))
        raise UserError(f"{path.name}: these keys are missing or not known: {wrong}.")
    raw["details"] = tuple((label, value) for label, value in raw["details"])
    found = Words(**raw)
    known = {field.name for field in fields(TEMPLATES[template])}
    for text in found.texts():
        _check_variables(text, known, path.name)
    return found


def render(facts: BillIssuedFacts, language: str) -> Rendered:
    """Fill the words in, as plain text and as HTML. UserError when a variable has no value."""
    filled = words(facts.template, language)
    values = {name: str(value) for name, value in asdict(facts).items()}

    def fill(text: str) -> str:
        for name in _variables(text):
            if not values[name]:
                raise UserError(f"The message {facts.template} about {facts.ref} has no {name}.")
        return string.Template(text).substitute(values)

    details = [(fill(label), fill(value)) for label, value in filled.details]
    subject, headline, number, date = map(fill, (filled.subject, filled.headline, filled.number, filled.date))
    button, note, complaint = map(fill, (filled.button, filled.note, filled.help))
    if not facts.bill_url.startswith(("https://", "http://")):
        raise UserError(f"The message {facts.template} about {facts.ref} has no usable bill_url.")
    text = "\n".join(
        [f"{headline}: {number}", date, "", f"{button}:", facts.bill_url, note, ""]
        + [f"{label}: {value}" for label, value in details]
        + ["", complaint, "", facts.utility_name, ""]
    )
    frame, row = _frame()
    direction = "rtl" if language in RTL_LANGUAGES else "ltr"
    escape = functools.partial(html.escape, quote=True)
    rows = "".join(row.substitute(label=escape(label), value=escape(value)) for label, value in details)
    page = frame.substitute(
        language=language,
        direction=direction,
        subject=escape(subject),
        headline=escape(headline),
        number=escape(number),
        date=escape(date),
        url=escape(facts.bill_url),
        button=escape(button),
        note=escape(note),
        details=rows,
        help=escape(complaint),
        utility=escape(facts.utility_name),
    )
    return Rendered(subject, text, page)


@functools.cache
def _frame() -> tuple[string.Template, string.Template]:
    return tuple(string.Template((FOLDER / name).read_text("utf-8")) for name in ("frame.html", "row.html"))  # type: ignore[return-value]


@functools.cache
def _variables(text: str) -> tuple[str, ...]:
    return tuple(string.Template(text).get_identifiers())


def _check_variables(text: str, known: set[str], file: str) -> None:
    if not text.strip() or not string.Template(text).is_valid():
        raise UserError(f"{file}: an empty text, or a $ that is no variable, in {text!r}.")
    if unknown := set(_variables(text)) - known:
        raise UserError(f"{file}: {', '.join(sorted(unknown))} is not a fact of this message, in {text!r}.")
