"""Figures as a reader sees them: numbers, money, energy and dates in one language, as this country writes them.

Owns formatting to markup, with numbers kept left to right. Reads nothing and holds no word but the unit it is given.
Next: console/screen.py (staff) and portal/door.py (people) are built on it.
"""

import datetime as dt
import zoneinfo

from django.utils.html import format_html
from django.utils.safestring import SafeString

from tayyar.core import text
from tayyar.core.periods import Period
from tayyar.core.text import Formats
from tayyar.profiles import Profile
from tayyar.profiles.installation import installed_profile

NO_VALUE = "–"


class Figures:
    """What formats for one reader. `profile` None: before a country was chosen; then money raises UserError."""

    def __init__(self, lang: str, profile: Profile | None, *, kwh: str) -> None:
        self.lang, self._profile, self._kwh = lang, profile, kwh
        self.formats = profile.formats if profile else Formats()

    @property
    def profile(self) -> Profile:
        """The installation's country; UserError when none was chosen."""
        return self._profile or installed_profile()

    def plain(self, value: int, *, decimals: int = 0, signed: bool = False) -> str:
        """A number as text, for charts and attributes."""
        return text.format_number(value, self.lang, self.formats.digits, decimals=decimals, signed=signed)

    def num(self, value: int) -> SafeString:
        """A whole number as markup."""
        return format_html('<bdi dir="ltr">{}</bdi>', self.plain(value))

    def code(self, value: object) -> SafeString:
        """An account number, serial or hash: left to right in any text."""
        return format_html('<bdi dir="ltr" class="code">{}</bdi>', value)

    def money(self, amount_minor: int, *, unit: bool = True) -> SafeString:
        """An amount with all its decimals and, unless a column says it, the currency."""
        currency = self.profile.currency
        shown = text.format_amount(amount_minor, currency, self.lang, self.formats)
        return self._with_unit(shown, text.currency_word(currency, self.lang, self.formats) if unit else "")

    def energy(self, energy_wh: int | None, *, unit: bool = True) -> SafeString:
        """Wh as kWh, exact; a dash for what was not measured."""
        if energy_wh is None:
            return format_html("{}", NO_VALUE)
        shown = text.format_energy(energy_wh, self.lang, self.formats)
        return self._with_unit(shown, self._kwh if unit else "")

    def percent(self, now: int, before: int) -> SafeString:
        """The change from `before` to `now` in percent, signed; a dash where there is nothing to compare."""
        if before <= 0:
            return format_html("{}", NO_VALUE)
        permille = (now - before) * 1000 // before
        shown = self.plain(permille, decimals=1, signed=True)
        sign = {"fr": text.NBSP + "%", "ar": "٪" if self.formats.digits == "arab" else "%"}.get(
            self.lang, "%"
        )
        return format_html('<bdi dir="ltr">{}{}</bdi>', shown, sign)

    def day(self, day: dt.date) -> str:
        """A date in words."""
        return text.format_date(day, self.lang, self.formats)

    def month(self, period: Period) -> str:
        """A period in words."""
        return text.format_month(period.start, self.lang, self.formats)

    def moment(self, moment: dt.datetime) -> SafeString:
        """Date and time of day where the utility is."""
        zone = zoneinfo.ZoneInfo(self._profile.timezone if self._profile else "UTC")
        local = moment.astimezone(zone)
        clock = text.localise_digits(f"{local:%H:%M}", self.lang, self.formats.digits)
        return format_html('{} <bdi dir="ltr">{}</bdi>', self.day(local.date()), clock)

    def _with_unit(self, shown: str, unit: str) -> SafeString:
        if not unit:
            return format_html('<bdi dir="ltr">{}</bdi>', shown)
        return format_html(
            '<span class="money"><bdi dir="ltr">{}</bdi> <small>{}</small></span>', shown, unit
        )
