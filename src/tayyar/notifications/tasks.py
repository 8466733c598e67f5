"""Background work of notifications: delegations whose time has passed."""

from procrastinate.contrib.django import app

from tayyar.core import clock
from tayyar.notifications import consent


@app.periodic(cron="15 2 * * *")
@app.task(queue="notifications", name="expire_delegates", queueing_lock="expire_delegates")
def expire_delegates(timestamp: int) -> None:
    """End what is over, each by itself; told to both sides."""
    consent.expire_delegates(now=clock.now())
