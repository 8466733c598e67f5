"""Numbers, money and dates as people read them in Arabic, English and French.

Owns separators, digits, month names and plural forms, pinned here so that no library version can move them.
Never rounds money and knows no sentence. Next: the faces and the bill's words (billing/documents).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from hijridate import Gregorian

from tayyar.core.money import Currency

LANGUAGES = ("ar", "en", "fr")
RTL_LANGUAGES = frozenset({"ar"})
NBSP = "\u00a0"
MINUS = "\u2212"

MONTHS: Mapping[str, tuple[str, ...]] = {
    "ar": ("يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو",
           "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"),
    "en": ("January", "February", "March", "April", "May", "June",
           "July", "August", "September", "October", "November", "December"),
    "fr": ("janvier", "février", "mars", "avril", "mai", "juin",
           "juillet", "août", "septembre", "octobre", "novembre", "décembre"),
}  # fmt: skip
WEEKDAYS: Mapping[str, tuple[str, ...]] = {
    "ar": ("الاثنين", "الثلاثاء", "الأربعاء", "الخميس", "الجمعة", "السبت", "الأحد"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
}
HIJRI_MONTHS: Mapping[str, tuple[str, ...]] = {
    "ar": ("محرم", "صفر", "ربيع الأول", "ربيع الآخر", "جمادى الأولى", "جمادى الآخرة",
           "رجب", "شعبان", "رمضان", "شوال", "ذو القعدة", "ذو الحجة"),
    "en": ("Muharram", "Safar", "Rabi I", "Rabi II", "Jumada I", "Jumada II",
           "Rajab", "Shaban", "Ramadan", "Shawwal", "Dhu al-Qadah", "Dhu al-Hijjah"),
    "fr": ("mouharram", "safar", "rabia I", "rabia II", "joumada I", "joumada II",
           "rajab", "chaabane", "ramadan", "chawwal", "dhou al-qida", "dhou al-hijja"),
}  # fmt: skip
HIJRI_ERA: Mapping[str, str] = {"ar": "هـ", "en": "AH", "fr": "H"}

_ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@dataclass(frozen=True, slots=True)
class Formats:
    """How a profile writes numbers and dates.

    `digits`: "latn" (0123) or "arab" (٠١٢٣), for Arabic only; the other languages always use 0123.
    `months`: twelve Gregorian month names per language where the profile's differ from `MONTHS`.
    `currency_words`: the currency's word per language ({"ar": "ريال"}); its ISO code where absent.
    `hijri`: print the Hijri date beside the Gregorian one.
    """

    digits: str = "latn"
    hijri: bool = False
    months: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    currency_words: Mapping[str, str] = field(default_factory=dict)


def plural_form(count: int, lang: str) -> str:
    """The CLDR plural form of a whole number: six forms in Arabic, two in English and French."""
    n = abs(count)
    if lang == "ar":
        if n <= 2:
            return ("zero", "one", "two")[n]
        if 3 <= n % 100 <= 10:
            return "few"
        return "many" if n % 100 >= 11 else "other"
    if lang == "fr":
        return "one" if n <= 1 else "other"
    return "one" if n == 1 else "other"


def localise_digits(text: str, lang: str, digits: str) -> str:
    """Latin digits of `text` as the language writes them (grouping is the caller's)."""
    return text.translate(_ARABIC_DIGITS) if lang == "ar" and digits == "arab" else text


def _separators(lang: str, digits: str) -> tuple[str, str]:
    if lang == "fr":
        return NBSP, ","
    if lang == "ar" and digits == "arab":
        return "٬", "٫"
    return ",", "."


def format_number(
    value: int, lang: str, digits: str, *, decimals: int = 0, trim: bool = False, signed: bool = False
) -> str:
    """`value` x 10^-decimals, grouped by thousands: 127645 with 2 decimals -> "1,276.45".

    `trim` drops trailing zeros of the fraction; `signed` writes + before positive numbers. Exact: integers only.
    """
    group, point = _separators(lang, digits)
    whole, fraction = divmod(abs(value), 10**decimals)
    text = f"{whole:,}".replace(",", group)
    fraction_text = f"{fraction:0{decimals}d}" if decimals else ""
    if trim:
        fraction_text = fraction_text.rstrip("0")
    if fraction_text:
        text += point + fraction_text
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    return sign + localise_digits(text, lang, digits)


def format_amount(
    amount_minor: int, currency: Currency, lang: str, formats: Formats, *, signed: bool = False
) -> str:
    """Money without its currency word, always all decimals: 27600 -> "276.00"."""
    return format_number(amount_minor, lang, formats.digits, decimals=currency.minor_digits, signed=signed)


def currency_word(currency: Currency, lang: str, formats: Formats) -> str:
    """The currency as the language writes it after an amount: "ريال", "SAR"."""
    return formats.currency_words.get(lang, currency.code)


def format_energy(energy_wh: int, lang: str, formats: Formats) -> str:
    """Wh as kWh, exact, without its unit: 1520000 -> "1,520", 1520500 -> "1,520.5"."""
    return format_number(energy_wh, lang, formats.digits, decimals=3, trim=True)


def month_name(month: int, lang: str, formats: Formats) -> str:
    """The Gregorian month, 1 to 12, as the profile names it."""
    return formats.months.get(lang, MONTHS[lang])[month - 1]


def format_month(day: date, lang: str, formats: Formats) -> str:
    """ "نوفمبر 2025", "November 2025", "novembre 2025"."""
    return f"{month_name(day.month, lang, formats)} {localise_digits(str(day.year), lang, formats.digits)}"


def format_date(day: date, lang: str, formats: Formats, *, weekday: bool = False, year: bool = True) -> str:
    """A date in words: "الخميس 11 ديسمبر 2025", "Thursday 11 December 2025", "jeudi 11 décembre 2025"."""
    number = localise_digits(str(day.day), lang, formats.digits)
    if lang == "fr" and day.day == 1:
        number = "1er"
    text = f"{number} {month_name(day.month, lang, formats)}"
    if weekday:
        text = f"{WEEKDAYS[lang][day.weekday()]} {text}"
    return f"{text} {localise_digits(str(day.year), lang, formats.digits)}" if year else text


@lru_cache(maxsize=1024)
def _hijri(day: date) -> tuple[int, int, int] | None:
    try:
        return Gregorian(day.year, day.month, day.day).to_hijri().datetuple()
    except (
        OverflowError
    ):  # outside the Umm al-Qura tables (1924 to 2077): better no Hijri date than a wrong one
        return None


def format_hijri(day: date, lang: str, formats: Formats) -> str:
    """The Hijri date in words ("20 جمادى الآخرة 1447 هـ"); empty outside the Umm al-Qura tables."""
    found = _hijri(day)
    if found is None:
        return ""
    year, month, number = found
    text = f"{number} {HIJRI_MONTHS[lang][month - 1]} {year}"
    return f"{localise_digits(text, lang, formats.digits)} {HIJRI_ERA[lang]}"
