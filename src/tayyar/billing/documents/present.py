"""A `BillView` put into words of one language: a tree of texts that the page and the PDF both show.

Owns which parts a bill has and in what order. Never computes money and never writes markup.
Amounts and numbers are {"n": digits, "u": unit word} so that each face can keep the digits left to right.
Next: page.py (HTML context) and pdf.py (Typst inputs).
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Generic, TypeVar

from tayyar.billing.documents.chart import bar_permille
from tayyar.billing.documents.view import (
    BillHead,
    BillKind,
    BillLineView,
    BillView,
    ChangeKind,
    ChangeShare,
    LineKind,
    Quality,
    ReadingView,
    Text,
    Unit,
)
from tayyar.billing.documents.words import WORDS, counted
from tayyar.core.errors import UserError
from tayyar.core.money import divide_half_up
from tayyar.core.text import (
    RTL_LANGUAGES,
    currency_word,
    format_amount,
    format_date,
    format_energy,
    format_hijri,
    format_month,
    format_number,
    localise_digits,
)

Tree = dict[str, Any]
Shown = TypeVar("Shown", BillHead, BillView)


def pick(text: Text, lang: str) -> str:
    """A text in `lang`; failing that in Arabic, English or whichever language it has."""
    if isinstance(text, str):
        return text
    for candidate in (lang, "ar", "en"):
        if candidate in text:
            return text[candidate]
    return next(iter(text.values()), "")


def masked(name: str) -> str:
    """A holder's name for a page that opens without a login: the first letter of each word, then dots."""
    return " ".join(f"{word[0]}•••" for word in name.split())


@cache
def words_of(lang: str, digits: str) -> Mapping[str, str]:
    """The bill's words with the digits that they contain ("13 شهرا") written as the profile does."""
    return {key: localise_digits(text, lang, digits) for key, text in WORDS[lang].items()}


class HeadPresenter(Generic[Shown]):
    """Says in one language what a bill's first lines say: its title, how much, and by when."""

    def __init__(self, view: Shown, lang: str) -> None:
        """`lang` is one of ar, en, fr; another one raises UserError."""
        if lang not in WORDS:
            raise UserError(f"There is no bill in {lang!r}. Choose one of: {', '.join(WORDS)}.")
        self.view: Shown = view
        self.lang, self.words = lang, words_of(lang, view.formats.digits)
        self.unit = currency_word(view.currency, lang, view.formats)

    # Small phrases

    def say(self, key: str, **values: str) -> str:
        return self.words[key].format(**values)

    def money(self, amount_minor: int, *, signed: bool = False) -> Tree:
        view = self.view
        shown = format_amount(amount_minor, view.currency, self.lang, view.formats, signed=signed)
        return {"n": shown, "u": self.unit}

    def number(self, value: int, *, decimals: int = 0, trim: bool = False) -> str:
        return format_number(value, self.lang, self.view.formats.digits, decimals=decimals, trim=trim)

    def energy(self, energy_wh: int) -> str:
        return format_energy(energy_wh, self.lang, self.view.formats)

    def percent(self, value_milli: int) -> str:
        sign = "٪" if self.lang == "ar" and self.view.formats.digits == "arab" else "%"
        return (
            self.number(value_milli, decimals=3, trim=True) + ("\u00a0" if self.lang == "fr" else "") + sign
        )

    def day(self, day: Any, *, weekday: bool = False, year: bool = True) -> str:
        return format_date(day, self.lang, self.view.formats, weekday=weekday, year=year)

    def hijri(self, day: Any) -> str:
        return format_hijri(day, self.lang, self.view.formats) if self.view.formats.hijri else ""

    def month(self, day: Any) -> str:
        return format_month(day, self.lang, self.view.formats)

    # The first lines

    def title(self) -> str:
        return self.say(f"title_{self.view.kind}", month=self.month(self.view.last_day))

    def notice(self) -> str:
        cancelled_by = self.view.cancelled_by
        return "" if cancelled_by is None else self.say("cancelled", number=f"{cancelled_by:015d}")

    @property
    def payable(self) -> bool:
        view = self.view
        return view.amount_due_minor > 0 and view.cancelled_by is None and view.kind != BillKind.CREDIT_NOTE

    def hero(self) -> Tree:
        """The answer first: how much, and by when."""
        view = self.view
        hero: Tree = {"payable": self.payable, "hijri": ""}
        if view.kind == BillKind.CREDIT_NOTE:
            hero |= {
                "label": self.words["amount_credited"],
                "amount": self.money(-view.total_minor),
                "by": "",
            }
        elif view.amount_due_minor < 0:
            hero |= {"label": self.words["in_credit"], "amount": self.money(-view.amount_due_minor)}
            hero["by"] = self.words["stays_in_account"]
        elif not self.payable:
            hero |= {"label": self.words["amount_due"], "amount": self.money(view.amount_due_minor)}
            hero["by"] = self.words["nothing_to_pay"]
        else:
            hero |= {"label": self.words["amount_due"], "amount": self.money(view.amount_due_minor)}
            hero["by"] = self.say("pay_by", date=self.day(view.due_date, weekday=True, year=False))
            hero["hijri"] = self.hijri(view.due_date)
        return hero


class Presenter(HeadPresenter[BillView]):
    """Says one bill in one language. `tree()` is its whole output; the other methods are its parts."""

    # The parts, in the order of the bill

    def tree(self) -> Tree:
        """Everything the bill shows, as texts, numbers and lists; JSON-able."""
        view = self.view
        return {
            "lang": self.lang,
            "dir": "rtl" if self.lang in RTL_LANGUAGES else "ltr",
            "w": self.words,
            "unit": self.unit,
            "title": self.title(),
            "utility": pick(view.utility_name, self.lang),
            "number": view.number_text,
            "vat_number": view.issuer_vat_number,
            "notice": self.notice(),
            "corrects": self.corrects(),
            "hero": self.hero(),
            "facts": self.facts(),
            "chart": self.chart(),
            "why": self.why(),
            "readings": [self.reading(reading) for reading in view.readings],
            "estimated": any(Quality.ESTIMATED in (r.from_quality, r.to_quality) for r in view.readings),
            "lines": [self.line(line) for line in view.lines],
            "total": self.money(view.total_minor),
            "support": self.support(),
            "balance": self.balance(),
            "pay": self.pay(),
            "help": self.help(),
            "url": view.page_url,
        }

    def corrects(self) -> str:
        return "" if self.view.corrects is None else self.say("corrects", number=f"{self.view.corrects:015d}")

    def facts(self) -> list[Tree]:
        """Who, where, when: label and value; `code` marks identifiers that stay left to right."""
        view, words = self.view, self.words
        holder = masked(view.holder_name) if view.mask_holder else view.holder_name
        days = counted("days", view.days, self.lang, self.number(view.days))
        rows = [
            (words["account"], view.account_number, "", True),
            (words["holder"], holder, "", False),
            (words["address"], pick(view.service_address, self.lang), "", False),
            (words["centre"], pick(view.service_centre, self.lang), "", False),
            (words["category"], pick(view.category, self.lang), "", False),
            (words["period"], self.period(), days, False),
            (words["issued"], self.day(view.issue_date), self.hijri(view.issue_date), False),
            (words["bill_number"], view.number_text, "", True),
        ]
        return [
            {"label": label, "value": value, "note": note, "code": code}
            for label, value, note, code in rows
            if value
        ]

    def period(self) -> str:
        """ "1 to 30 November 2025": the month and year are said once where both days share them."""
        first, last = self.view.period_start, self.view.last_day
        if first == last:
            return self.day(first)
        if (first.year, first.month) == (last.year, last.month):
            start = self.day(first, year=False).rsplit(" ", 1)[0]
        else:
            start = self.day(first, year=first.year != last.year)
        return self.say("period_value", start=start, end=self.day(last))

    def chart(self) -> Tree | None:
        """Bars oldest first, the sentence that says the same, and the table behind it."""
        history = self.view.history
        if not any(month.energy_wh for month in history):
            return None
        heights = bar_permille([month.energy_wh for month in history])
        last = len(history) - 1
        bars = []
        for index, (month, height) in enumerate(zip(history, heights, strict=True)):
            edge = index == last or (index == 0 and last == 12)
            shown = "" if month.energy_wh is None else self.number(divide_half_up(month.energy_wh, 1000))
            bars.append(
                {
                    "permille": height,
                    "tick": localise_digits(str(month.month.month), self.lang, self.view.formats.digits),
                    "month": self.month(month.month),
                    "energy": shown or self.words["no_bill"],
                    "shown": shown if edge else "",
                    "kind": "now" if index == last else "year-ago" if edge else "bar",
                }
            )
        return {"bars": bars, "sentence": self.chart_sentence()}

    def chart_sentence(self) -> str:
        view = self.view
        used = self.say("used", energy=self.energy(view.energy_wh))
        before = view.same_month_last_year_wh
        if not before or not view.history:
            return used
        change = divide_half_up((view.energy_wh - before) * 100, before)
        key = "versus_more" if change > 0 else "versus_less" if change < 0 else "versus_same"
        versus = self.say(
            key, percent=self.percent(abs(change) * 1000), month=self.month(view.history[0].month)
        )
        return f"{used}{'،' if self.lang == 'ar' else ','} {versus}"

    def why(self) -> Tree | None:
        """The causes of the change, each with its signed amount."""
        view = self.view
        if view.previous_total_minor is None or view.kind == BillKind.CREDIT_NOTE:
            return None
        change = view.total_minor - view.previous_total_minor
        key = "why_more" if change > 0 else "why_less" if change < 0 else "why_same"
        return {
            "sentence": self.words[key].split("{amount}"),
            "amount": self.money(abs(change)) if change else None,
            "rows": [
                {
                    "text": self.cause(share),
                    "amount": self.money(share.amount_minor, signed=True),
                    "up": share.amount_minor > 0,
                }
                for share in view.explanation
            ],
        }

    def cause(self, share: ChangeShare) -> str:
        facts = share.facts
        direction = "more" if share.amount_minor > 0 else "less"
        if share.kind == ChangeKind.DAYS:
            now, before = facts["days_now"], facts["days_before"]
            return self.say(
                "change_DAYS",
                now=counted("days", now, self.lang, self.number(now)),
                before=self.number(before),
            )
        if share.kind == ChangeKind.CONSUMPTION:
            now, before = facts["wh_per_day_now"], facts["wh_per_day_before"]
            direction = "more" if now > before else "less" if now < before else "same"
            decimals = 1  # of a kWh a day, or as many as it takes to tell the two apart
            while decimals < 3 and divide_half_up(now, 10 ** (3 - decimals)) == divide_half_up(
                before, 10 ** (3 - decimals)
            ):
                decimals += 1
            return self.say(
                f"change_CONSUMPTION_{direction}",
                now=self.number(divide_half_up(now, 10 ** (3 - decimals)), decimals=decimals),
                before=self.number(divide_half_up(before, 10 ** (3 - decimals)), decimals=decimals),
            )
        if share.kind == ChangeKind.OTHER:
            return self.words["change_OTHER"]
        return self.words[f"change_{share.kind}_{direction}"]

    def reading(self, reading: ReadingView) -> Tree:
        words = self.words
        return {
            "serial": reading.meter_serial,
            "register": reading.register,
            "rows": [
                {
                    "label": words[label],
                    "date": self.day(day),
                    "value": self.energy(value_wh),
                    "quality": words[f"quality_{quality}"],
                    "estimated": quality == Quality.ESTIMATED,
                }
                for label, day, value_wh, quality in (
                    ("previous_reading", reading.from_date, reading.from_wh, reading.from_quality),
                    ("current_reading", reading.to_date, reading.to_wh, reading.to_quality),
                )
            ],
            "multiplier": ""
            if reading.multiplier == 1
            else self.say("multiplier", factor=self.number(reading.multiplier)),
            "energy": {"n": self.energy(reading.energy_wh), "u": words["kwh"]},
        }

    def line(self, line: BillLineView) -> Tree:
        return {
            "kind": str(line.kind),
            "label": self.line_label(line),
            "quantity": self.quantity(line),
            "price": "" if line.price_micro is None else self.price(line.price_micro),
            "amount": self.money(line.amount_minor),
            "fill": fill_permille(line),
        }

    def line_label(self, line: BillLineView) -> str:
        label = pick(line.label, self.lang)
        if label:
            return label
        if line.kind != LineKind.ENERGY or line.from_kwh is None:
            return self.words[f"line_{line.kind}"]
        low, high = self.number(line.from_kwh), "" if line.to_kwh is None else self.number(line.to_kwh)
        if not high:
            return self.words["block_all"] if line.from_kwh == 0 else self.say("block_above", low=low)
        return self.say("block_between" if line.from_kwh else "block_first", low=low, high=high)

    def quantity(self, line: BillLineView) -> str:
        if line.quantity_milli is None or line.unit is None:
            return ""
        if line.unit == Unit.PERCENT:
            return self.percent(line.quantity_milli)
        shown = self.number(line.quantity_milli, decimals=3, trim=True)
        if line.unit == Unit.KWH:
            return f"{shown} {self.words['kwh']}"
        noun = "days" if line.unit == Unit.DAY else "months"
        # A fraction (1.033 months) takes the plural form of "other" in all three languages.
        whole = line.quantity_milli // 1000 if line.quantity_milli % 1000 == 0 else 100
        return counted(noun, whole, self.lang, shown)

    def price(self, price_micro: int) -> str:
        """A price with as many decimals as it has, and never fewer than the currency's own."""
        decimals = 6
        while decimals > self.view.currency.minor_digits and price_micro % 10 == 0:
            price_micro, decimals = price_micro // 10, decimals - 1
        return self.number(price_micro, decimals=decimals)

    def support(self) -> Tree | None:
        view = self.view
        if not view.support_minor:
            return None
        return {"text": self.words["support"].split("{amount}"), "amount": self.money(view.support_minor)}

    def balance(self) -> list[Tree]:
        """From the balance after the last bill to the amount due; only this bill's total when there is no other."""
        view, words = self.view, self.words
        if view.kind == BillKind.CREDIT_NOTE:
            return []
        paid_minor = sum(payment.amount_minor for payment in view.payments)
        rows = [(words["balance_last"], "", view.balance_before_minor + paid_minor)] if view.payments else []
        for payment in view.payments:
            label = pick(payment.label, self.lang) or words["payment"]
            rows.append((label, self.day(payment.paid_on), -payment.amount_minor))
        rows.append((words["carried"], "", view.balance_before_minor))
        rows.append((words["total"], "", view.total_minor))
        table = [
            {"label": label, "note": note, "amount": self.money(amount), "sum": False}
            for label, note, amount in rows
        ]
        due = words["amount_due"] if view.amount_due_minor >= 0 else words["in_credit"]
        table.append(
            {"label": due, "note": "", "amount": self.money(abs(view.amount_due_minor)), "sum": True}
        )
        return table

    def pay(self) -> Tree | None:
        if not self.payable:
            return None
        ways = [
            {"name": pick(way.name, self.lang), "how": pick(way.how, self.lang)}
            for way in self.view.ways_to_pay
        ]
        return {"account": self.view.account_number, "ways": ways}

    def help(self) -> Tree:
        before, after = self.words["help_text"].split("{number}")
        contacts = [
            {
                "kind": str(contact.kind),
                "label": self.words[f"contact_{contact.kind}"],
                "value": pick(contact.value, self.lang),
            }
            for contact in self.view.contacts
        ]
        return {"before": before, "after": after, "contacts": contacts}


def fill_permille(line: BillLineView) -> int | None:
    """How full the line's price block is, in thousandths; None where there are no blocks to fill."""
    if line.kind != LineKind.ENERGY or line.from_kwh is None or line.quantity_milli is None:
        return None
    if line.to_kwh is None:
        return 1000 if line.from_kwh else None
    size_wh = (line.to_kwh - line.from_kwh) * 1000
    return min(1000, line.quantity_milli * 1000 // size_wh)


def present(view: BillView, lang: str) -> Mapping[str, Any]:
    """The texts of `view` in `lang` (ar, en, fr). Raises UserError for another language."""
    return Presenter(view, lang).tree()
