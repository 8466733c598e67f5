"""Speed of the printed bill: render_pdf, from BillView to bytes, against a bare Typst compile of the same inputs.

Every round renders a bill that neither side has seen (another number, name and amount), so Typst's memory of
earlier pages helps no one. Next: `make bench` prints the figures; docs/benchmarks.md keeps them.
"""

import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import typst

from tayyar.billing.documents import pdf
from tayyar.billing.documents.view import BillView

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))

from bill_sample import sa_home


def another(view: BillView, n: int) -> BillView:
    """The same customer's bill with another number, reference and balance."""
    return replace(
        view,
        bill_number=view.bill_number + n,
        page_url=f"{view.page_url}{n}",
        balance_before_minor=n,
        amount_due_minor=view.total_minor + n,
    )


def run(n: int) -> dict[str, float]:
    """`n` alternating rounds -> medians in milliseconds and `ratio` = bare compile / render_pdf."""
    view, bare_ms, render_ms = sa_home(), [], []
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(pdf.HERE / "fonts")]
    )
    pdf.render_pdf(view, "ar")
    for index in range(n):
        bill = another(view, 2 * index + 1)
        inputs = pdf.pdf_inputs(bill, "ar")
        start = time.perf_counter()
        typst.compile(
            str(pdf.HERE / "bill.typ"), root=str(pdf.HERE), font_paths=fonts, sys_inputs=inputs, format="pdf",
            pdf_standards=pdf.STANDARD, timestamp=pdf.timestamp(bill),
        )  # fmt: skip
        bare_ms.append((time.perf_counter() - start) * 1000)
        bill = another(view, 2 * index + 2)
        start = time.perf_counter()
        pdf.render_pdf(bill, "ar")
        render_ms.append((time.perf_counter() - start) * 1000)
    bare, render = statistics.median(bare_ms), statistics.median(render_ms)
    return {"bare_ms": bare, "render_ms": render, "ratio": bare / render}


if __name__ == "__main__":
    print(run(int(sys.argv[1]) if len(sys.argv) > 1 else 25))
