"""`tayyar billrun`: bill a period, or look at, export and verify its run."""

import argparse
import json
from pathlib import Path
from typing import Any

from tayyar.core.errors import UserError
from tayyar.core.periods import Period


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "billrun",
        help="bill a period; or: billrun status|certificate|verify PERIOD",
        description="Bill every account due in PERIOD (like 2026-11), certify the run and release its messages. "
        "Stop it at any moment: the same command goes on where it stopped. With a word before PERIOD: status tells "
        "how far the run is, certificate prints or exports it, verify reads every bill back and exits 1 if one was "
        "altered.",
    )
    parser.add_argument("words", nargs="+", metavar="[status|certificate|verify] PERIOD")
    parser.add_argument(
        "--dry-run", action="store_true", help="compute everything, write nothing, show the totals"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="local worker processes; default: one per core"
    )
    parser.add_argument("--pdf", type=Path, metavar="FILE", help="with certificate: write it as a PDF")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Dispatch on the words given."""
    action, period = _words(arguments.words)
    if action == "status":
        return _status(period, as_json=arguments.json)
    if action == "certificate":
        return _certificate(period, as_json=arguments.json, pdf=arguments.pdf)
    if action == "verify":
        return _verify(period, as_json=arguments.json)
    if arguments.workers is not None and arguments.workers < 1:
        raise UserError("--workers is 1 or more.")
    if arguments.dry_run:
        return _dry_run(period, as_json=arguments.json)
    return _bill(period, workers=arguments.workers, as_json=arguments.json)


def _words(words: list[str]) -> tuple[str, Period]:
    if len(words) == 1:
        return "bill", Period.parse(words[0])
    if len(words) == 2 and words[0] in ("status", "certificate", "verify"):
        return words[0], Period.parse(words[1])
    raise UserError("Write `tayyar billrun 2026-11`, or `tayyar billrun status|certificate|verify 2026-11`.")


def _bill(period: Period, *, workers: int | None, as_json: bool) -> int:
    from tayyar.billing.conduct import conduct
    from tayyar.billing.tasks import invite
    from tayyar.profiles.installation import installed_profile

    profile = installed_profile()
    invite(period=period, profile=profile)
    certificate = conduct(period=period, profile=profile, workers=workers)
    _print(certificate, as_json=as_json)
    return 0


def _print(certificate: dict[str, Any], *, as_json: bool) -> None:
    from tayyar.billing.report import certificate_text

    print(json.dumps(certificate, indent=1, ensure_ascii=False) if as_json else certificate_text(certificate))


def _dry_run(period: Period, *, as_json: bool) -> int:
    from tayyar.billing.dry_run import dry_run
    from tayyar.billing.report import dry_run_text
    from tayyar.profiles.installation import installed_profile

    report = dry_run(period=period, profile=installed_profile())
    print(json.dumps(report, indent=1, ensure_ascii=False) if as_json else dry_run_text(report))
    return 0


def _status(period: Period, *, as_json: bool) -> int:
    from tayyar.billing.queries import run_status
    from tayyar.billing.report import status_text

    status = run_status(period=period)
    print(json.dumps(status, indent=1, ensure_ascii=False, default=str) if as_json else status_text(status))
    return 0


def _certificate(period: Period, *, as_json: bool, pdf: Path | None) -> int:
    from tayyar.billing.queries import certificate_of

    certificate, signature = certificate_of(period=period)
    if pdf:
        from tayyar.billing.certificate_pdf import certificate_pdf
        from tayyar.config.output import write_file

        write_file(pdf, certificate_pdf(certificate, signature))
    elif as_json:
        print(
            json.dumps(
                {"certificate": certificate, "signature": signature.hex()}, indent=1, ensure_ascii=False
            )
        )
    else:
        _print(certificate, as_json=False)
    return 0


def _verify(period: Period, *, as_json: bool) -> int:
    from django.conf import settings

    from tayyar.billing.certificate import verify
    from tayyar.billing.queries import certificate_of
    from tayyar.billing.worker import connect
    from tayyar.core.progress import progress

    certificate, _ = certificate_of(period=period)
    with progress(f"Verifying {period}", total=certificate["accounts"]["billed"], unit="bills") as bar:
        problems = verify(connect(settings.DATABASE_URL), period, advance=bar.advance)
    if as_json:
        print(
            json.dumps(
                {"period": str(period), "intact": not problems, "problems": problems}, ensure_ascii=False
            )
        )
    elif problems:
        print("\n".join(problems))
    else:
        print(
            f"{period}: all {certificate['accounts']['billed']:,} bills are as they were issued and signed."
        )
    return 1 if problems else 0
