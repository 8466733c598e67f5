"""How the vendored fonts were made from IBM Plex Sans Arabic: run once by hand, never by the platform.

Owns the subset, the new family name the licence asks for ("Plex" is a reserved name) and the split of
ligatures that keeps text extraction right. Next: documents/pdf.py (TTF) and portal/static/portal/tayyar.css.

The trap it solves: a ligature glyph stands for two letters, and a PDF paints right-to-left text in visual
order, so readers that turn a line round letter by letter give the two letters back swapped (lam-alef:
"استهالك" for "استهلاك"). Here every two-letter ligature becomes two glyphs that together look exactly like it:
the first letter carries the whole drawing, the second is an empty glyph as wide as its share. Each glyph
then stands for one letter, and every reader gets the right word.

    uv run --with fonttools --with brotli python -m tayyar.billing.documents.fonts.build_fonts SOURCE OUT_TTF OUT_WOFF2

SOURCE holds `ibm-plex-sans-arabic-{arabic,latin}-{400,600}-normal.woff2` (npm package
@fontsource/ibm-plex-sans-arabic 5.3.0).
"""

import sys
import tempfile
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from fontTools import merge, subset  # type: ignore[import-untyped,unused-ignore]
from fontTools.pens.transformPen import TransformPen  # type: ignore[import-untyped,unused-ignore]
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped,unused-ignore]
from fontTools.ttLib import TTFont  # type: ignore[import-untyped,unused-ignore]
from fontTools.ttLib.tables import otTables as ot  # type: ignore[import-untyped,unused-ignore]

from tayyar.billing.documents.charset import ARABIC, LATIN

FAMILY = "Tayyar Sans"
STYLES = {400: "Regular", 600: "SemiBold"}

MOST_KERNING = 60  # thousandths of an em
PARTS = {"arabic": ARABIC, "latin": LATIN}


def tables_of(lookup: Any) -> list[Any]:
    """The subtables of a lookup with extension wrappers taken off."""
    return [getattr(table, "ExtSubTable", table) for table in lookup.SubTable]


def coverage(glyphs: list[str]) -> Any:
    """An OpenType coverage table of `glyphs`."""
    table = ot.Coverage()
    table.glyphs = glyphs
    return table


def split_ligatures(font: Any) -> None:
    """Replace each two-letter `rlig` ligature of an Arabic font by a pair that looks the same (module docstring)."""
    gsub = font["GSUB"].table
    (rlig,) = {
        index
        for record in gsub.FeatureList.FeatureRecord
        if record.FeatureTag == "rlig"
        for index in record.Feature.LookupListIndex
    }
    pairs = [
        (first, ligature.Component[0], ligature.LigGlyph)
        for table in tables_of(gsub.LookupList.Lookup[rlig])
        for first, ligatures in table.ligatures.items()
        for ligature in ligatures
        if len(ligature.Component) == 1
    ]
    share = split_glyphs(font, pairs)
    # One single substitution per "nth ligature of this first letter", one for all second letters.
    nth_maps: list[dict[str, str]] = []
    uses: list[tuple[str, str, int]] = []
    for first, second, ligature in pairs:
        n = next((i for i, m in enumerate(nth_maps) if first not in m), len(nth_maps))
        if n == len(nth_maps):
            nth_maps.append({})
        nth_maps[n][first] = ligature + ".first"
        uses.append((first, second, n))
    base = len(gsub.LookupList.Lookup)
    for mapping in [*nth_maps, {second: second + ".second" for second in share}]:
        single = ot.SingleSubst()
        single.mapping = mapping
        gsub.LookupList.Lookup.append(lookup_of(1, 0, [single]))
    chains = []
    for first, second, n in uses:
        chain = ot.ChainContextSubst()
        chain.Format = 3
        chain.BacktrackGlyphCount = chain.LookAheadGlyphCount = 0
        chain.BacktrackCoverage, chain.LookAheadCoverage = [], []
        chain.InputGlyphCount, chain.InputCoverage = 2, [coverage([first]), coverage([second])]
        chain.SubstCount, chain.SubstLookupRecord = 2, []
        for position, index in ((0, base + n), (1, base + len(nth_maps))):
            record = ot.SubstLookupRecord()
            record.SequenceIndex, record.LookupListIndex = position, index
            chain.SubstLookupRecord.append(record)
        chains.append(chain)
    flag = gsub.LookupList.Lookup[rlig].LookupFlag
    gsub.LookupList.Lookup[rlig] = lookup_of(6, flag, chains)
    gsub.LookupList.LookupCount = len(gsub.LookupList.Lookup)
    move_positions(font, pairs, share)


def lookup_of(kind: int, flag: int, tables: list[Any]) -> Any:
    """An OpenType lookup of one type."""
    lookup = ot.Lookup()
    lookup.LookupType, lookup.LookupFlag = kind, flag
    lookup.SubTable, lookup.SubTableCount = tables, len(tables)
    return lookup


def split_glyphs(font: Any, pairs: list[tuple[str, str, str]]) -> dict[str, int]:
    """Add the `.first` and `.second` glyphs; returns the width that each second letter takes of its ligatures."""
    widths, glyf, glyph_set = font["hmtx"].metrics, font["glyf"], font.getGlyphSet()
    share: dict[str, int] = {}
    for _first, second, ligature in pairs:
        share[second] = min(share.get(second, 10_000), widths[ligature][0] // 2)
    order = list(font.getGlyphOrder())
    for _first, second, ligature in pairs:
        pen = TTGlyphPen(glyph_set)
        glyph_set[ligature].draw(TransformPen(pen, (1, 0, 0, 1, -share[second], 0)))
        glyf[ligature + ".first"] = glyph = pen.glyph()
        glyph.recalcBounds(glyf)
        widths[ligature + ".first"] = (widths[ligature][0] - share[second], glyph.xMin)
        order.append(ligature + ".first")
    for second, width in share.items():
        glyf[second + ".second"] = TTGlyphPen(None).glyph()
        widths[second + ".second"] = (width, 0)
        order.append(second + ".second")
    font.setGlyphOrder(order)
    for name in order[-len(pairs) - len(share) :]:
        font["GDEF"].table.GlyphClassDef.classDefs[name] = 1
    return share


def move_positions(font: Any, pairs: list[tuple[str, str, str]], share: dict[str, int]) -> None:
    """Give the new glyphs the kerning and the mark anchors of the ligatures they replace."""
    second_of = {ligature: second for _first, second, ligature in pairs}
    lookups = font["GPOS"].table.LookupList.Lookup
    for index, lookup in enumerate(lookups):
        kind = {type(table).__name__ for table in tables_of(lookup)}
        if kind == {"PairPos"}:
            for table in tables_of(lookup):
                tighten(table)
                if table.Format == 2:
                    for ligature in second_of:
                        if ligature in table.ClassDef2.classDefs:
                            table.ClassDef2.classDefs[ligature + ".first"] = table.ClassDef2.classDefs[
                                ligature
                            ]
        elif kind == {"MarkLigPos"}:
            lookups[index] = lookup_of(
                4, lookup.LookupFlag, [as_bases(font, t, second_of, share) for t in tables_of(lookup)]
            )


def tighten(table: Any) -> None:
    """Cap the gaps that kerning opens inside a word: from a tenth of an em, text extraction sees a space there."""
    if table.Format == 1:
        values = [record.Value1 for pairs in table.PairSet for record in pairs.PairValueRecord]
    else:
        values = [record.Value1 for row in table.Class1Record for record in row.Class2Record]
    for value in values:
        for axis in ("XAdvance", "XPlacement"):
            if value is not None and getattr(value, axis, 0) > MOST_KERNING:
                setattr(value, axis, MOST_KERNING)


def as_bases(font: Any, table: Any, second_of: dict[str, str], share: dict[str, int]) -> Any:
    """Marks that sat on the first component of a ligature sit on its `.first` glyph, which is a base now."""
    base = ot.MarkBasePos()
    base.Format, base.ClassCount = 1, table.ClassCount
    base.MarkCoverage, base.MarkArray = table.MarkCoverage, table.MarkArray
    found: dict[str, Any] = {}
    for ligature, attach in zip(
        table.LigatureCoverage.glyphs, table.LigatureArray.LigatureAttach, strict=True
    ):
        if ligature not in second_of:
            continue
        record = ot.BaseRecord()
        record.BaseAnchor = []
        for anchor in attach.ComponentRecord[0].LigatureAnchor:
            moved = deepcopy(anchor)
            if moved is not None:
                moved.XCoordinate -= share[second_of[ligature]]
            record.BaseAnchor.append(moved)
        found[ligature + ".first"] = record
    names = sorted(found, key=font.getGlyphID)
    base.BaseCoverage, base.BaseArray = coverage(names), ot.BaseArray()
    base.BaseArray.BaseRecord = [found[name] for name in names]
    base.BaseArray.BaseCount = len(names)
    return base


def cut(font: Any, unicodes: Iterable[int]) -> None:
    """Keep only `unicodes` and the layout they need; Latin ligatures go (fi has the same trap as lam-alef)."""
    options = subset.Options()
    options.layout_features = ["ccmp", "locl", "init", "medi", "fina", "rlig", "calt", "kern", "mark", "mkmk"]
    options.hinting, options.glyph_names, options.notdef_outline = False, False, True
    options.name_IDs = ["*"]
    options.drop_tables += ["gasp"]
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=unicodes)
    cutter.subset(font)


def rename(font: Any, weight: int) -> None:
    """The family name of a modified font must not be the reserved one; copyright and licence stay."""
    style = STYLES[weight]
    file_name = f"TayyarSans-{style}"
    names = {1: FAMILY if weight == 400 else f"{FAMILY} {style}", 2: "Regular", 3: f"1.0;{file_name}",
             4: f"{FAMILY} {style}", 6: file_name, 16: FAMILY, 17: style}  # fmt: skip
    for name_id, text in names.items():
        font["name"].setName(text, name_id, 3, 1, 0x409)
    font["name"].names = [n for n in font["name"].names if n.platformID == 3]
    font["OS/2"].usWeightClass = weight


def build(source: Path, out_ttf: Path, out_woff2: Path) -> None:
    """Write TayyarSans-{Regular,SemiBold}.ttf and .woff2."""
    for weight, style in STYLES.items():
        with tempfile.TemporaryDirectory() as scratch:
            parts = []
            for script, unicodes in PARTS.items():
                font = TTFont(source / f"ibm-plex-sans-arabic-{script}-{weight}-normal.woff2")
                if script == "arabic":
                    split_ligatures(font)
                cut(font, unicodes)
                font.flavor = None
                parts.append(str(Path(scratch) / f"{script}.ttf"))
                font.save(parts[-1])
            merged = merge.Merger().merge(parts)
        rename(merged, weight)
        merged["head"].created = merged["head"].modified = (
            3_800_000_000  # fixed: the same bytes at every build
        )
        merged.recalcTimestamp = False
        merged.save(out_ttf / f"TayyarSans-{style}.ttf")
        merged.flavor = "woff2"
        merged.save(out_woff2 / f"tayyar-sans-{weight}.woff2")


if __name__ == "__main__":
    build(*(Path(argument) for argument in sys.argv[1:4]))
