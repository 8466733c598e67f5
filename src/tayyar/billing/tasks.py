"""Background work of billing: conducting a run, joining one from another machine, verifying one.

Each task is thin and may run twice at any moment, as the run itself allows it. What a task cannot do it leaves in the
audit log, where the console reads it. Next: conduct.py, worker.py, certificate.py.
"""

from contextlib import closing

from procrastinate import JobContext
from procrastinate.contrib.django import app

from tayyar.core import audit, clock
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.profiles import Profile

QUEUE = "billing"
JOINERS = 64  # worker processes that may join one run beside those that its conductor starts


@app.task(queue=QUEUE, name="bill_period")
def bill_period(period: str) -> None:
    """Bill a period ("2026-11") from plan to certificate, and ask other machines to join."""
    from tayyar.billing.conduct import conduct
    from tayyar.profiles.installation import installed_profile

    wanted = Period.parse(period)
    try:
        profile = installed_profile()
        invite(period=wanted, profile=profile)
        conduct(period=wanted, profile=profile)
    except UserError as error:
        audit.record(
            actor="worker",
            action="BILL_RUN_STOPPED",
            subject=f"run:{period}",
            now=clock.now(),
            why=str(error),
        )


def invite(*, period: Period, profile: Profile) -> None:
    """Plan the run, unless it is, and call waiting workers of other machines to it, a job for each chunk but one."""
    from django.conf import settings

    from tayyar.billing import chunks, run
    from tayyar.billing.worker import connect

    with closing(connect(settings.DATABASE_URL)) as connection:
        run_id = run.plan(connection, period=period, profile=profile, now=clock.now())
        tally = chunks.tally(connection, run_id)
    for _ in range(min(JOINERS, tally["chunks"] - tally["done"] - 1)):
        join_run.defer(run_id=run_id)


@app.task(queue=QUEUE, name="join_run")
def join_run(run_id: int) -> None:
    """Work on a run that another process conducts, until none of its chunks is left."""
    from django.conf import settings

    from tayyar.billing.worker import work
    from tayyar.profiles.installation import installed_profile

    work(run_id, url=settings.DATABASE_URL, profile=installed_profile())


@app.task(queue=QUEUE, name="verify_run")
def verify_run(period: str, actor: str) -> None:
    """Read every bill of a run back and compare it with the certificate; the answer goes to the audit log."""
    from django.conf import settings

    from tayyar.billing.certificate import verify
    from tayyar.billing.worker import connect

    with connect(settings.DATABASE_URL) as connection:
        problems = verify(connection, Period.parse(period))
    audit.record(
        actor=actor, action="BILL_RUN_VERIFIED", subject=f"run:{period}", now=clock.now(), problems=problems
    )


@app.periodic(cron="* * * * *")
@app.task(queue=QUEUE, name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: JobContext, timestamp: int) -> None:
    """Give the jobs of workers that died to those that live."""
    for job in await context.app.job_manager.get_stalled_jobs():
        await context.app.job_manager.retry_job(job)


@app.task(queue=QUEUE, name="print_sheet")
def print_sheet(sheet_id: int, lang: str, actor: str) -> None:
    """Print a sheet of paper into this machine's data folder, where the console finds it."""
    from tayyar.billing import paper
    from tayyar.notifications.sheets import find_sheet

    sheet = find_sheet(sheet_id=sheet_id)
    with paper.counted(sheet, lang) as done:
        paper.print_sheet(sheet, lang=lang, folder=paper.print_folder(), done=done)
    audit.record(actor=actor, action="SHEET_PRINTED", subject=str(sheet), now=clock.now(), language=lang)


def ask_for_print(*, sheet_id: int, lang: str, actor: str) -> None:
    """Have a worker print the sheet, unless one was asked already."""
    if not is_printing(sheet_id=sheet_id, lang=lang):
        print_sheet.defer(sheet_id=sheet_id, lang=lang, actor=actor)


def is_printing(*, sheet_id: int, lang: str) -> bool:
    """Whether a print of the sheet waits for a worker, or is in work."""
    from procrastinate.contrib.django.models import ProcrastinateJob

    return ProcrastinateJob.objects.filter(
        task_name="print_sheet", args__sheet_id=sheet_id, args__lang=lang, status__in=("todo", "doing")
    ).exists()
