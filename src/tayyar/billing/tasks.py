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
