"""`make bench`: every figure with its baseline in the same run, printed as the table of docs/benchmarks.md.

`python -m tests.benchmarks.run --accounts N [--only NAME ...]`. Minutes at the default size.
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from typing import Any

KERNEL_ROWS = 1_000_000
THIRTEEN_ACCOUNTS = 100_000
IMPORT_ROWS = 2_000_000
PDFS = 100


def in_own_process(module: str, *arguments: str) -> dict[str, Any]:
    """The JSON that `python -m module arguments` prints last, from a process and a data folder of its own."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(
        prefix="tayyar-bench-", dir=os.environ.get("TAYYAR_BENCH_DIR")
    ) as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "TAYYAR_DATA": folder},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def bill_run(accounts: int) -> list[tuple[str, str, str]]:
    """The run against raw COPY and the ORM."""
    result = in_own_process("tests.benchmarks.bench_billrun", "run", str(accounts))
    size = f"{accounts:,} accounts"
    return [
        (
            f"bill run, {size}",
            f"{result['run_seconds']:.1f} s",
            f"{result['accounts_per_second']:,.0f} accounts/s",
        ),
        (
            "whole run ÷ raw binary COPY and the same indexes, over as many connections",
            f"{result['raw_over_run']:.2f}",
            f"raw {result['raw_copy_seconds']:.1f} s",
        ),
        (
            "whole run ÷ raw binary COPY over one connection and the same indexes",
            f"{result['raw_one_connection_over_run']:.2f}",
            f"raw {result['raw_copy_one_connection_seconds']:.1f} s",
        ),
        ("bill run against save()", f"{result['times_faster_than_save']:,.0f}x", ""),
        ("bill run against bulk_create", f"{result['times_faster_than_bulk_create']:,.0f}x", ""),
        ("Python's peak memory, largest process", f"{result['peak_python_mib']:,.0f} MiB", ""),
        ("verify the certificate", f"{result['verify_seconds']:.1f} s", ""),
        ("generate the population", f"{result['generate_seconds']:.1f} s", ""),
    ]


def thirteen(accounts: int) -> list[tuple[str, str, str]]:
    """Does the cost grow with history?"""
    result = in_own_process("tests.benchmarks.bench_billrun", "run_thirteen", str(accounts))
    listed = ", ".join(str(seconds) for seconds in result["seconds"])
    return [
        (
            f"13th monthly run ÷ the first, {accounts:,} accounts",
            f"{result['thirteenth_over_first']:.2f}",
            listed + " s",
        ),
        (
            "median of the last three ÷ median of the first three",
            f"{result['last_three_over_first_three']:.2f}",
            "",
        ),
    ]


def kernel(_: int) -> list[tuple[str, str, str]]:
    """The tariff kernel against bare arithmetic and the reference."""
    from tests.benchmarks import bench_kernel

    return [(f"tariff kernel: {key}", str(value), "") for key, value in bench_kernel.run(KERNEL_ROWS).items()]


def imports(_: int) -> list[tuple[str, str, str]]:
    """Reading import."""
    result = in_own_process("tests.benchmarks.bench_import", str(IMPORT_ROWS))
    return [(f"reading import: {key}", str(value), "") for key, value in result.items()]


def pdf(_: int) -> list[tuple[str, str, str]]:
    """A bill's PDF against bare Typst."""
    from tests.benchmarks import bench_pdf

    return [(f"PDF: {key}", str(value), "") for key, value in bench_pdf.run(PDFS).items()]


def delivery(_: int) -> list[tuple[str, str, str]]:
    """Bills told: by SMS and e-mail against raw loops, the pace kept, a code that overtakes, a long history."""
    module = "tests.benchmarks.bench_delivery"
    sms = in_own_process(module, "sms", "60000", "2")
    mail = in_own_process(module, "email", "20000", "4")
    paces = [in_own_process(module, "pace", "1000", str(workers)) for workers in (1, 4)]
    codes = in_own_process(module, "codes", "200", "200")
    past = in_own_process(module, "history", "40000", "50")
    return [
        (
            f"SMS, claim to stored receipt, {sms['workers']} workers",
            f"{sms['engine_per_second']:,}/s",
            f"raw asyncio loop {', '.join(f'{rate:,}' for rate in sms['raw_per_second'])}/s",
        ),
        ("SMS ÷ raw loop", f"{sms['engine_over_raw']:.2f}", ""),
        (
            f"e-mail, one worker, {mail['connections']} connections",
            f"{mail['engine_per_second']:,}/s",
            f"smtplib {', '.join(f'{rate:,}' for rate in mail['raw_per_second'])}/s",
        ),
        ("e-mail ÷ smtplib", f"{mail['engine_over_raw']:.2f}", ""),
        *(
            (
                f"achieved ÷ permitted, {pace['permitted_per_second']:,}/s, {pace['workers']} workers",
                f"{pace['achieved_over_permitted']:.3f}",
                f"most in any second ÷ permitted {pace['most_in_a_second_over_permitted']:.3f}",
            )
            for pace in paces
        ),
        (
            "one-time code p99 during a bulk send ÷ idle",
            f"{codes['busy_p99_over_idle_p99']:.2f}",
            f"{codes['busy_p99_ms']} ms ÷ {codes['idle_p99_ms']} ms",
        ),
        (
            "cost of a message, 50 million old rows ÷ 1 million",
            f"{past['many_over_few']:.2f}",
            ", ".join(f"{size}: {cost} µs" for size, cost in past["microseconds_per_message"].items()),
        ),
    ]


def portal(accounts: int) -> list[tuple[str, str, str]]:
    """Link pages, signed-in bill pages and a login storm, by the server as it is in production."""
    result = in_own_process("tests.benchmarks.bench_portal", "run", str(accounts))
    rates, calm, storm = result["per_second"], result["bill_page"], result["bill_page_in_storm"]
    size = f"{result['accounts']:,} accounts, {result['months']} months"
    beside = f"nginx {rates['nginx_10kb']:,}/s, plain view {rates['plain_view']:,}/s"
    return [
        (f"link page, each link once, {size}", f"{rates['link_page_each_once']:,}/s", beside),
        ("the same ÷ plain view / ÷ nginx", *_both(result, "link_page_each_once")),
        ("link page, opened again within the minute", f"{rates['link_page_again']:,}/s", ""),
        ("the same ÷ plain view / ÷ nginx", *_both(result, "link_page_again")),
        (f"bill page p99 at {calm['per_second']}/s", f"{calm['p99_ms']} ms", f"p50 {calm['p50_ms']} ms"),
        (
            f"the same while {storm['logins']} sign in at once",
            f"{storm['p99_ms']} ms",
            f"p50 {storm['p50_ms']} ms; {storm['signed_in']} signed in, {storm['asked_to_wait']} asked to wait",
        ),
        ("storm ÷ calm, p99 / p50", f"{result['storm_p99_over_calm']} / {result['storm_p50_over_calm']}", ""),
    ]


def _both(result: dict[str, Any], name: str) -> tuple[str, str]:
    return f"{result[f'{name}_over_plain_view']} / {result[f'{name}_over_nginx_10kb']}", ""


BENCHES: dict[str, Callable[[int], list[tuple[str, str, str]]]] = {
    "billrun": bill_run,
    "thirteen": lambda accounts: thirteen(min(accounts, THIRTEEN_ACCOUNTS)),
    "kernel": kernel,
    "import": imports,
    "pdf": pdf,
    "delivery": delivery,
    "portal": portal,
}


def main() -> int:
    """Run them and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=200_000)
    parser.add_argument("--only", nargs="+", choices=list(BENCHES), default=list(BENCHES))
    arguments = parser.parse_args()
    print(
        f"{dt.date.today()}, {os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}\n"
    )
    print("| what | figure | beside it |\n|---|---|---|")
    for name in arguments.only:
        for row in BENCHES[name](arguments.accounts):
            print(f"| {' | '.join(row)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
