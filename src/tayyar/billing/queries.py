"""Reads of runs and bills for the faces and the command line."""

from typing import Any

from django.db import connection
from django.db.models import Count

from tayyar.billing.documents.view import BillView
from tayyar.billing.models import Bill, BillException, BillRun
from tayyar.billing.numbers import bill_period
from tayyar.billing.services import balance_of
from tayyar.billing.showing import bill_view
from tayyar.billing.telling import bill_url
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.customers.models import CustomerAccount, Language
from tayyar.profiles.installation import installed_profile


def find_run(*, period: Period) -> BillRun:
    """The run of a period; UserError when there is none."""
    run = BillRun.objects.filter(period=period.number).first()
    if run is None:
        raise UserError(f"{period} was not billed. Start it with `tayyar billrun {period}`.")
    return run


def certificate_of(*, period: Period) -> tuple[dict[str, Any], bytes]:
    """The signed certificate and its signature."""
    run = find_run(period=period)
    if run.certificate is None or run.signature is None:
        raise UserError(f"The run of {period} is not finished. `tayyar billrun {period}` goes on with it.")
    return run.certificate, bytes(run.signature)


def run_status(*, period: Period) -> dict[str, Any]:
    """Progress and totals of a run, also while it lasts."""
    from tayyar.billing import chunks

    run = find_run(period=period)
    connection.ensure_connection()
    tally = chunks.tally(connection.connection, run.pk)
    return {
        "period": str(period),
        "state": run.state,
        "issue_date": run.issue_date,
        "due_date": run.due_date,
        **tally,
        "exceptions": list(
            BillException.objects.filter(run=run)
            .values("outcome", "reason")
            .annotate(accounts=Count("id"))
            .order_by("outcome", "reason")
        ),
        "failures": list(run.chunks.filter(state="FAILED").values("index", "first_account_id", "error")),
        "certificate": run.certificate,
    }


def find_bill(*, number: int) -> Bill:
    """The bill with that number; UserError when there is none."""
    bill = Bill.objects.filter(period=bill_period(number).number, number=number).first()
    if bill is None:
        raise UserError(f"There is no bill {number}.")
    return bill


def bill_by_number(*, number: int, mask_holder: bool = False) -> BillView:
    """Everything a reader sees of a bill; UserError when there is none."""
    profile = installed_profile()
    bill = find_bill(number=number)
    url = bill_url(number, due_date=bill.due_date)
    return bill_view(
        number=number, profile=profile, page_url=url, pdf_url=f"{url}/bill.pdf", mask_holder=mask_holder
    )


def language_of(*, account_number: str) -> str:
    """The language an account's customer chose: "ar", "en" or "fr"."""
    account = CustomerAccount.objects.get(id=int(account_number) // 100)
    return Language(account.language).name


def account_list(*, limit: int) -> list[dict[str, Any]]:
    """The first accounts with their newest bill and their balance as a decimal text."""
    profile = installed_profile()
    names = {category.number: category.code for category in profile.categories}
    accounts = []
    for account in CustomerAccount.objects.select_related("customer").order_by("id")[:limit]:
        agreement = account.agreement_set.order_by("-start_date").first()
        bill = Bill.objects.filter(account_id=account.pk).order_by("-period", "-number").first()
        accounts.append(
            {
                "account_number": str(account.number),
                "name": account.customer.name,
                "category": names[agreement.category] if agreement else "",
                "language": Language(account.language).name,
                "newest_bill": str(bill.number) if bill else None,
                "balance": profile.currency.format(balance_of(account_id=account.pk)),
                "currency": profile.currency.code,
            }
        )
    return accounts


def held_list(
    *, period: Period, reason: str | None = None, limit: int = 50, offset: int = 0
) -> list[dict[str, Any]]:
    """Agreements that the run held or rejected, with the reason, what was measured and what was decided."""
    found = BillException.objects.filter(period=period.number).order_by("reason", "account_id")
    if reason:
        found = found.filter(reason=reason)
    page = list(found[offset : offset + limit])
    accounts = CustomerAccount.objects.select_related("customer").in_bulk([row.account_id for row in page])
    return [
        {
            "agreement_id": row.agreement_id,
            "account_number": str(accounts[row.account_id].number),
            "name": accounts[row.account_id].customer.name,
            "outcome": row.outcome,
            "reason": row.reason,
            "detail": row.detail,
            "resolution": row.resolution,
            "resolved_by": row.resolved_by,
            "resolved_at": row.resolved_at,
        }
        for row in page
    ]
