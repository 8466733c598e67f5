"""Background work of claims: last days that passed, transfers whose day has come, attempts that are forgotten."""

from procrastinate.contrib.django import app

from tayyar.claims import services, transfers
from tayyar.core import clock


@app.periodic(cron="35 1 * * *")
@app.task(queue="notifications", name="settle_claims", queueing_lock="settle_claims")
def settle_claims(timestamp: int) -> None:
    """Each claim by itself; run twice, it changes nothing more."""
    now = clock.now()
    services.expire_disputes(now=now)
    transfers.carry_out_due(now=now)
    services.clear_attempts(now=now)
