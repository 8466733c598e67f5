"""Background work of identity: what is over is forgotten."""

from procrastinate.contrib.django import app

from tayyar.core import clock
from tayyar.identity import attempts, forgetting


@app.periodic(cron="45 1 * * *")
@app.task(queue="identity", name="forget_sign_ups", queueing_lock="forget_sign_ups")
def forget_sign_ups(timestamp: int) -> None:
    """Once a day, while few sign up."""
    now = clock.now()
    forgetting.forget_ended(now=now)
    attempts.forget(now=now)
