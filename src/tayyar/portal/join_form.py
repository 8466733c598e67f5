"""What is typed into the sign-up's forms: the fields to show, and the values read back, each wrong one with its text.

Holds no rule of identities (identity/rules.py) and stores nothing. Next: join_views.py gives the values to signup.py.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.http import QueryDict

from tayyar.core.text import localise_digits
from tayyar.identity import rules
from tayyar.portal.countries import COUNTRIES, country_choices
from tayyar.portal.join_words import JOIN_WORDS
from tayyar.portal.parts import Choice, Field
from tayyar.profiles import Profile
from tayyar.profiles.model import IdentityType

KINDS = ("PERSON", "BUSINESS")
CALENDARS = ("HIJRI", "GREGORIAN")
FIRST_GREGORIAN_YEAR = 1700  # as rules.date_of_parts tells the calendars apart
STRENGTHS = (12, 16, 20)  # characters; the least is settings.AUTH_PASSWORD_VALIDATORS'


@dataclass(slots=True)
class Who:
    """The first form as it was typed; `errors` by field ("kind", "id_type", "nationality", "number", "birth")."""

    kind: str = "PERSON"
    id_type: str = ""
    nationality: str = ""
    number: str = ""
    calendar: str = "GREGORIAN"
    day: str = ""
    month: str = ""
    year: str = ""
    birth_date: dt.date | None = None
    errors: dict[str, str] = field(default_factory=dict)


def document_types(profile: Profile) -> list[IdentityType]:
    """The documents by which a person may sign up here."""
    return [found for found in profile.identity_types if found.kind == "PERSON"]


def first_who(profile: Profile, lang: str) -> Who:
    """The empty form: the country's own document and people."""
    usual = document_types(profile)[0]
    calendar = "HIJRI" if profile.formats.hijri and lang == "ar" else "GREGORIAN"
    return Who(id_type=usual.code, nationality=profile.code.upper(), calendar=calendar)


def read_who(given: QueryDict, profile: Profile, lang: str) -> Who:
    """The form as typed, checked as far as that is possible without asking anybody."""

    def typed(name: str) -> str:
        return given.get(name, "").strip()[:40]

    who = Who(
        kind=typed("kind"),
        id_type=typed("id_type"),
        nationality=typed("nationality"),
        number=typed("number"),
        calendar=typed("calendar"),
        day=typed("day"),
        month=typed("month"),
        year=typed("year"),
    )
    words = JOIN_WORDS[lang]
    known = {found.code: found for found in document_types(profile)}
    if who.kind not in KINDS:
        who.kind = "PERSON"
    if who.calendar not in CALENDARS:
        who.calendar = "GREGORIAN"
    document = known.get(who.id_type)
    if document is None:
        who.errors["id_type"] = words["choose_type"]
    else:
        _check_nationality(who, document, words)
        _check_number(who, document, words, lambda text: localise_digits(text, lang, profile.formats.digits))
    _check_birth(who, words)
    return who


def _check_nationality(who: Who, document: IdentityType, words: Mapping[str, str]) -> None:
    if document.nationality:
        who.nationality = document.nationality
    elif who.nationality not in COUNTRIES:
        who.errors["nationality"] = words["choose_nationality"]
    elif document.nationalities and who.nationality not in document.nationalities:
        who.errors["nationality"] = words["choose_own_document"]


def _check_number(
    who: Who, document: IdentityType, words: Mapping[str, str], digits: Callable[[str], str]
) -> None:
    if not who.number:
        who.errors["number"] = words["number_missing"]
        return
    try:
        rules.check_id(document, who.number)
    except rules.IdRefused as error:
        who.errors["number"] = words[f"number_{error.reason}"].format(
            wanted=digits(_span(error.least, error.most)),
            count=digits(str(error.count)),
            prefix=digits(" / ".join(error.prefixes)),
        )


def _check_birth(who: Who, words: Mapping[str, str]) -> None:
    try:
        year, month, day = (int(part) for part in (who.year, who.month, who.day))
        if (year < FIRST_GREGORIAN_YEAR) != (who.calendar == "HIJRI"):
            raise ValueError  # the calendar beside it was not meant for this year: better ask than guess
        who.birth_date = rules.date_of_parts(year=year, month=month, day=day)
    except (ValueError, rules.DateRefused):
        who.errors["birth"] = words["birth_wrong"]


def who_fields(who: Who, profile: Profile, lang: str) -> dict[str, Field]:
    """The fields of the first form, with what was typed and what is wrong with it."""
    words = JOIN_WORDS[lang]
    kinds = [Choice(kind, words[f"kind_{kind}"], words.get(f"kind_{kind}_hint", "")) for kind in KINDS]
    documents = [
        Choice(found.code, found.names[lang], _number_hint(found, profile, lang))
        for found in document_types(profile)
    ]
    made = (
        Field("kind", words["kind"], who.kind, choices=kinds, is_radio=True),
        Field(
            "id_type",
            words["id_type"],
            who.id_type,
            error=who.errors.get("id_type", ""),
            choices=documents,
            is_radio=True,
        ),
        Field(
            "nationality",
            words["nationality"],
            who.nationality,
            hint=words["nationality_hint"],
            error=who.errors.get("nationality", ""),
            choices=country_choices(lang, first=profile.code.upper()),
        ),
        Field(
            "number",
            words["number"],
            who.number,
            hint=words["number_hint"],
            error=who.errors.get("number", ""),
            is_code=True,
            inputmode="text" if any(found.has_letters for found in document_types(profile)) else "numeric",
            autocomplete="off",
            longest=40,
        ),
    )
    return {made_field.name: made_field for made_field in made}


def birth_parts(who: Who, lang: str) -> list[dict[str, str | int]]:
    """Day, month, year."""
    words = JOIN_WORDS[lang]
    return [
        {
            "name": name,
            "label": words[name],
            "value": value,
            "longest": longest,
            "autocomplete": f"bday-{name}",
        }
        for name, value, longest in (("day", who.day, 2), ("month", who.month, 2), ("year", who.year, 4))
    ]


def code_field(lang: str, *, error: str = "") -> Field:
    """Where a one-time code is typed; telephones fill it in from the message."""
    words = JOIN_WORDS[lang]
    return Field(
        "code",
        words["code_label"],
        hint=words["code_hint"],
        error=error,
        is_code=True,
        inputmode="numeric",
        autocomplete="one-time-code",
        longest=12,
        look="code-input",
    )


def details_fields(
    given: Mapping[str, str], lang: str, *, errors: Mapping[str, str], asks_name: bool
) -> dict[str, Field]:
    """Mobile, e-mail, the way to sign in, password; the name where the authority does not say it."""
    words = JOIN_WORDS[lang]
    ways = [
        Choice("PASSWORD", words["way_PASSWORD"]),
        Choice("PASSKEY", words["way_PASSKEY"], words["way_PASSKEY_hint"]),
    ]

    def one(name: str, **more: object) -> Field:
        hint = words.get(f"{name}_hint", "")
        return Field(name, words[name], given.get(name, ""), hint, errors.get(name, ""), **more)  # type: ignore[arg-type]

    fields = {
        "mobile": one(
            "mobile", type="tel", is_code=True, inputmode="tel", autocomplete="tel-national", longest=20
        ),
        "email": one(
            "email",
            type="email",
            is_code=True,
            inputmode="email",
            autocomplete="email",
            longest=254,
            required=False,
        ),
        "way": Field("way", words["login_way"], given.get("way") or "PASSWORD", choices=ways, is_radio=True),
        "password": one(
            "password",
            type="password",
            is_code=True,
            autocomplete="new-password",
            longest=128,
            required=False,
        ),
    }
    if asks_name:
        fields["name"] = one("name", autocomplete="name", longest=120)
    return fields


def _number_hint(document: IdentityType, profile: Profile, lang: str) -> str:
    """What the number of such a document looks like."""
    words = JOIN_WORDS[lang]
    key = "letters" if document.has_letters else "digits_prefix" if document.prefixes else "digits"
    text = words[f"{key}_hint"].format(
        digits=_span(document.least, document.most), prefix=" / ".join(document.prefixes)
    )
    return localise_digits(text, lang, profile.formats.digits)


def _span(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least}–{most}"
