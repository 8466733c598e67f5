"""Reads of runs and bills for the faces and the command line."""

from typing import Any

from django.db import connection
from django.db.models import Count

from tayyar.billing.models import Bill, BillException, BillRun
from tayyar.billing.numbers import bill_period
from tayyar.core.errors import UserError
from tayyar.core.periods import Period


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
