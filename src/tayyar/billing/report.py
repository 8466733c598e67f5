"""The run's certificate, status and dry run as text for a terminal."""

from typing import Any

from tayyar.core.money import Currency


def _money(certificate: dict[str, Any], amount_minor: int) -> str:
    currency = Currency(certificate["currency"], certificate["minor_digits"])
    return f"{currency.to_decimal(amount_minor):,.{currency.minor_digits}f} {currency.code}"


def _energy(energy_wh: int) -> str:
    return f"{energy_wh // 1000:,} kWh"


def certificate_text(certificate: dict[str, Any]) -> str:
    """The certificate in a dozen lines."""
    accounts, money = certificate["accounts"], certificate["money"]
    lines = [
        f"Bill run {certificate['period']}, issued {certificate['issue_date']}, due {certificate['due_date']}",
        f"  {accounts['billed']:,} of {accounts['eligible']:,} billed, {accounts['held']:,} held, "
        f"{accounts['rejected']:,} rejected; {certificate['messages']:,} messages",
        f"  {_energy(certificate['energy_wh'])}; {_money(certificate, money['total_minor'])} in all:",
        f"  energy {_money(certificate, money['energy_minor'])}, fees {_money(certificate, money['fixed_minor'])}, "
        f"subsidy {_money(certificate, money['subsidy_minor'])}, tax {_money(certificate, money['tax_minor'])}",
    ]
    lines += _tariff_lines(certificate, certificate["tariffs"])
    lines += _exception_lines(certificate["exceptions"])
    lines += [
        f"  bills {certificate['first_number']} to {certificate['last_number']}",
        f"  hash {certificate['bills_sha256']}",
        f"  signed {certificate['certified_at']}",
    ]
    return "\n".join(lines)


def dry_run_text(report: dict[str, Any]) -> str:
    """Totals by tariff against the last run, what would be held, and samples."""
    accounts = report["accounts"]
    lines = [
        f"Dry run of {report['period']}: nothing was written.",
        f"  {accounts['billed']:,} of {accounts['eligible']:,} would be billed, {accounts['held']:,} held, "
        f"{accounts['rejected']:,} rejected",
        f"  {_energy(report['energy_wh'])}; {_money(report, report['money']['total_minor'])}",
    ]
    for tariff, figures in report["tariffs"].items():
        before = report["previous"].get(tariff)
        against = (
            f", last run {before['bills']:,} bills, {_money(report, before['total_minor'])}" if before else ""
        )
        lines.append(
            f"  {tariff:<16} {figures['bills']:>10,} bills  {_money(report, figures['total_minor'])}{against}"
        )
    lines += _exception_lines(report["exceptions"])
    lines += [
        f"  sample: account {sample['account_number']}: {_energy(sample['energy_wh'])}, "
        f"{_money(report, sample['total_minor'])} ({sample['tariff']})"
        for sample in report["samples"]
    ]
    return "\n".join(lines)


def status_text(status: dict[str, Any]) -> str:
    """One line of truth, and the chunks that failed."""
    lines = [
        f"Bill run {status['period']}: {status['state']}. {status['billed']:,} billed, {status['held']:,} held, "
        f"{status['rejected']:,} rejected; {status['done']} of {status['chunks']} chunks done, "
        f"{status['working']} in work, {status['failed']} failed."
    ]
    lines += _exception_lines(status["exceptions"])
    lines += [f"  chunk {failure['index']}: {failure['error'].strip()}" for failure in status["failures"]]
    return "\n".join(lines)


def _tariff_lines(certificate: dict[str, Any], tariffs: dict[str, dict[str, int]]) -> list[str]:
    return [
        f"  {tariff:<16} {figures['bills']:>10,} bills  {_energy(figures['energy_wh'])}  "
        f"{_money(certificate, figures['total_minor'])} (tax {_money(certificate, figures['tax_minor'])})"
        for tariff, figures in tariffs.items()
    ]


def _exception_lines(exceptions: list[dict[str, Any]]) -> list[str]:
    return [f"  {row['outcome'].lower()}: {row['accounts']:,} {row['reason']}" for row in exceptions]
