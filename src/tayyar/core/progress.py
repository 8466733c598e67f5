"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator

LINE_EVERY_SECONDS = 5.0


class Progress:
    """What a `progress` block yields. Call `advance(n)` as work is done."""

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = 0
        self.shown = -1
        self._started = self._last = time.monotonic()

    def advance(self, count: int) -> None:
        """`count` more are done."""
        self.done += count
        if time.monotonic() - self._last >= LINE_EVERY_SECONDS:
            self._last = time.monotonic()
            self.show()

    def show(self) -> None:
        """Print one line: how many of how many, how fast, how long still."""
        self.shown = self.done
        rate = self.done / max(time.monotonic() - self._started, 1e-9)
        of = f" of {self.total:,}" if self.total else ""
        left = ""
        if self.total and rate and self.done < self.total:
            left = f", {(self.total - self.done) / rate:.0f} s left"
        print(
            f"{self.label}: {self.done:,}{of} {self.unit} ({rate:,.0f}/s{left})", file=sys.stderr, flush=True
        )


class _Bar(Progress):
    """The same on a terminal, drawn by rich."""

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        super().__init__(label, total, unit)
        from rich import progress as rich_progress
        from rich.console import Console

        self.drawing = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(),
            rich_progress.TextColumn("{task.completed:,.0f} {task.fields[unit]}"),
            rich_progress.TextColumn("{task.fields[rate]}"),
            rich_progress.TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self.drawing.add_task(label, total=total, unit=unit, rate="")

    def advance(self, count: int) -> None:
        """`count` more are done."""
        self.done += count
        rate = self.done / max(time.monotonic() - self._started, 1e-9)
        self.drawing.update(self._task, advance=count, rate=f"{rate:,.0f}/s")


@contextlib.contextmanager
def progress(label: str, total: int | None = None, unit: str = "rows") -> Iterator[Progress]:
    """Show progress on standard error while the block runs."""
    if sys.stderr.isatty():
        bar = _Bar(label, total, unit)
        with bar.drawing:
            yield bar
    else:
        plain = Progress(label, total, unit)
        yield plain
        if plain.shown != plain.done or not plain.done:
            plain.show()
