"""Background work of the kiosks: visits that nobody came back to."""

from procrastinate.contrib.django import app

from tayyar.core import clock
from tayyar.kiosk import services


@app.periodic(cron="* * * * *")
@app.task(queue="kiosk", name="forget_visits", queueing_lock="forget_visits")
def forget_visits(timestamp: int) -> None:
    """A machine that lost its network leaves a row behind; it opens nothing any more, and goes."""
    services.forget_visits(now=clock.now())
