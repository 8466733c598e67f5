"""Line codes: one stable integer per line of a bill, and what it says in three languages.

A code is tariff number x 1000 + component: 1-99 blocks (20 per season), 100-499 registers (100 per season),
500-549 fees, 550-599 fees by day share, 600 subsidies, 700 minimum, 900 taxes. Codes are stored with bills
and never change meaning.
The flow goes next to bill pages and documents, which print the labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tayyar.tariffs.book import TariffBook
from tayyar.tariffs.documents import Season, Version

PER_TARIFF = 1000
BLOCK, REGISTER, FIXED, FIXED_SHARE, SUBSIDY, MINIMUM, TAX = 1, 100, 500, 550, 600, 700, 900
BLOCKS_PER_SEASON, REGISTERS_PER_SEASON = 20, 100


@dataclass(frozen=True, slots=True)
class LineLabel:
    """What a line is. `kind` ENERGY, FIXED, SUBSIDY, MINIMUM, TAX; `unit` WH, MONTH, DAY or MINOR says what the
    line's quantity counts. A fee whose unit is DAY_SHARE is a monthly fee's share for that many days.
    `from_kwh` and `to_kwh` are decimal texts of a block's published size, None where they do not apply;
    `reprices_all`: the block prices the whole consumption from zero."""

    code: str
    kind: str
    unit: str
    names: Mapping[str, str]
    from_kwh: str | None = None
    to_kwh: str | None = None
    reprices_all: bool = False


def decode(book: TariffBook, line_code: int) -> LineLabel:
    """The label of a stored line code. Raises KeyError for a code this book never issued."""
    number, component = divmod(line_code, PER_TARIFF)
    version = book.version(number)
    try:
        return _label(version, component)
    except (IndexError, ValueError):
        raise KeyError(line_code) from None


def _label(version: Version, component: int) -> LineLabel:
    if component >= TAX:
        tax = version.taxes[component - TAX]
        return LineLabel(tax.code, "TAX", "MINOR", tax.names)
    if component >= MINIMUM:
        if version.minimum is None:
            raise ValueError
        return LineLabel("MINIMUM", "MINIMUM", "MONTH", version.minimum.names)
    if component >= SUBSIDY:
        subsidy = version.subsidies[component - SUBSIDY]
        unit = "MINOR" if subsidy.percent_micro is not None else "WH"
        return LineLabel(subsidy.code, "SUBSIDY", unit, subsidy.names)
    if component >= FIXED_SHARE:
        fee = version.fixed[component - FIXED_SHARE]
        return LineLabel(f"FIXED_{fee.code}", "FIXED", "DAY_SHARE", fee.names)
    if component >= FIXED:
        fee = version.fixed[component - FIXED]
        return LineLabel(f"FIXED_{fee.code}", "FIXED", fee.per, fee.names)
    if component >= REGISTER:
        season_at, position = divmod(component - REGISTER, REGISTERS_PER_SEASON)
        season = version.seasons[season_at]
        register = season.registers[position]
        return LineLabel(
            _in_season(f"REGISTER_{register.code}", season), "ENERGY", "WH", _names(register.names, season)
        )
    season_at, position = divmod(component - BLOCK, BLOCKS_PER_SEASON)
    season = version.seasons[season_at]
    return _block_label(season, position)


def _block_label(season: Season, position: int) -> LineLabel:
    block = season.blocks[position]
    first = None if position == 0 else season.blocks[position - 1].up_to_wh
    from_kwh, to_kwh = kwh_text(first or 0), None if block.up_to_wh is None else kwh_text(block.up_to_wh)
    if block.reprices_all and to_kwh:
        names = {
            "ar": f"حتى {to_kwh} ك.و.س، كلها بسعر شريحة {from_kwh}–{to_kwh}",
            "en": f"Up to {to_kwh} kWh, all at the price of block {from_kwh}–{to_kwh}",
            "fr": f"Jusqu'à {to_kwh} kWh, tout au prix de la tranche {from_kwh}–{to_kwh}",
        }
    elif block.reprices_all:
        names = {
            "ar": f"كل الاستهلاك بسعر ما فوق {from_kwh} ك.و.س",
            "en": f"All energy at the price above {from_kwh} kWh",
            "fr": f"Toute l'énergie au prix au-delà de {from_kwh} kWh",
        }
    elif len(season.blocks) == 1:
        names = {"ar": "الطاقة المستهلكة", "en": "Energy", "fr": "Énergie"}
    elif to_kwh is None:
        names = {
            "ar": f"ما زاد على {from_kwh} ك.و.س",
            "en": f"Energy above {from_kwh} kWh",
            "fr": f"Énergie au-delà de {from_kwh} kWh",
        }
    else:
        names = {
            "ar": f"الشريحة {from_kwh}–{to_kwh} ك.و.س",
            "en": f"Energy {from_kwh}–{to_kwh} kWh",
            "fr": f"Tranche {from_kwh}–{to_kwh} kWh",
        }
    code = _in_season(f"BLOCK_{position + 1}", season)
    return LineLabel(code, "ENERGY", "WH", _names(names, season), from_kwh, to_kwh, block.reprices_all)


def kwh_text(energy_wh: int) -> str:
    """12500 -> "12.5": kWh without needless zeros."""
    whole, rest = divmod(energy_wh, 1000)
    return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)


def _in_season(code: str, season: Season) -> str:
    return f"{season.code}_{code}" if season.code else code


def _names(names: Mapping[str, str], season: Season) -> dict[str, str]:
    """The names, with the season's name behind them where the year has seasons."""
    if not season.code:
        return dict(names)
    separators = {"ar": "، ", "en": ", ", "fr": ", "}
    return {
        language: text + separators[language] + season.names[language] for language, text in names.items()
    }
