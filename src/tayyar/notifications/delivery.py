"""The delivery worker: claim, word, send, settle, again and again.

Owns the order of these steps and the patience with a provider that does not answer. It writes nothing itself
(services.py does) and holds no transaction while it sends. Run by `tayyar deliver` (config/commands/deliver.py).
"""

import datetime as dt
import hashlib
import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

from tayyar.core.crypto import keys
from tayyar.core.errors import UserError
from tayyar.notifications import content, rules, services
from tayyar.notifications.ports import EmailGateway, Outcome, OutgoingEmail, SendResult

Result = TypeVar("Result")
log = logging.getLogger(__name__)

BATCH_SIZE = 100  # also the most that one crash can leave in doubt
_RECONNECT_SECONDS = 120.0
_IDLE_SECONDS = 2.0
_RECOVER_EVERY_SECONDS = 15.0
_PATIENCE_SECONDS = (1.0, 2.0, 5.0)  # between tries of a provider that takes nothing
NO_CONTACT = "NO_CONTACT"


def deliver_batch(
    *, gateway: EmailGateway, worker: str, clock: Callable[[], dt.datetime], limit: int = BATCH_SIZE
) -> Counter[str]:
    """One round. How many messages ended with each Outcome, or with NO_CONTACT; empty when none was queued."""
    stop_at = time.monotonic() + rules.SENDING_WINDOW.total_seconds()
    claimed = _patiently(lambda: services.claim_batch(limit=limit, now=clock(), worker=worker))
    mails, results = _worded(claimed.claims, now=clock())
    if mails:
        results += gateway.send_batch(mails, stop_at=stop_at)
    if results:
        _patiently(lambda: services.settle(results=results, now=clock()))
    counts = Counter(result.outcome.value for result in results)
    if claimed.without_contact:
        counts[NO_CONTACT] = claimed.without_contact
    return counts


def run_worker(
    *,
    gateway: EmailGateway,
    worker: str,
    clock: Callable[[], dt.datetime],
    once: bool,
    stopping: Callable[[], bool],
    report: Callable[[Counter[str]], None],
) -> None:
    """Deliver until `stopping`, or with `once` until nothing is queued. Each round's counts go to `report`.

    With `once`, UserError when the provider takes nothing several times running; else it waits for it to return.
    """
    recovered_at, refused_rounds = 0.0, 0
    try:
        while not stopping():
            if not recovered_at or time.monotonic() - recovered_at >= _RECOVER_EVERY_SECONDS:
                _patiently(lambda: services.recover(now=clock()))
                recovered_at = time.monotonic()
            counts = deliver_batch(gateway=gateway, worker=worker, clock=clock)
            report(counts)
            if not counts:
                if once:
                    return
                gateway.close()  # no provider likes a connection that says nothing
                time.sleep(_IDLE_SECONDS)
            elif set(counts) == {Outcome.NOT_TRIED.value}:
                if once and refused_rounds == len(_PATIENCE_SECONDS):
                    raise UserError(
                        "The mail server takes no mail; everything not yet sent stays queued. "
                        "Look at TAYYAR_SMTP_HOST and TAYYAR_SMTP_PORT, then run the command again."
                    )
                log.warning("the mail server takes no mail; trying again")
                time.sleep(_PATIENCE_SECONDS[min(refused_rounds, len(_PATIENCE_SECONDS) - 1)])
                refused_rounds += 1
            else:
                refused_rounds = 0
    finally:
        gateway.close()


def _patiently(call: Callable[[], Result]) -> Result:
    """Call; while the database is away, call again: results of mails already sent must not be lost with it."""
    give_up_at = time.monotonic() + _RECONNECT_SECONDS
    while True:
        try:
            return call()
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(0.5)


def _worded(
    claims: Sequence[services.Claim], *, now: dt.datetime
) -> tuple[list[OutgoingEmail], list[SendResult]]:
    """Mails for the claims, and results for those that cannot be worded: one odd bill must not stop the rest."""
    mails: list[OutgoingEmail] = []
    results: list[SendResult] = []
    by_kind = sorted(claims, key=lambda claim: claim.key.kind)
    for _, group in itertools.groupby(by_kind, key=lambda claim: claim.key.kind):
        of_kind = list(group)
        facts = _facts(of_kind)
        for claim in of_kind:
            found = facts.get(claim.key.ref)
            if isinstance(found, content.BillIssuedFacts):
                try:
                    mails.append(_mail(claim, found, now))
                    continue
                except UserError as error:
                    log.error("%s", error)
                    results.append(SendResult(claim.key, Outcome.REFUSED, "BAD_CONTENT"))
            elif isinstance(found, Exception):
                results.append(SendResult(claim.key, Outcome.TRY_LATER, "CONTENT_ERROR"))
            else:
                results.append(SendResult(claim.key, Outcome.REFUSED, "NO_CONTENT"))
    return mails, results


def _facts(claims: Sequence[services.Claim]) -> dict[int, content.BillIssuedFacts | Exception]:
    """The claims' facts by `ref`; when the provider fails it is asked for each alone."""
    try:
        return dict(content.facts_of([claim.message for claim in claims]))
    except Exception as error:  # whatever a provider raises, the other messages go on
        if len(claims) == 1:
            log.exception("no content for message %s of %s", claims[0].key.ref, claims[0].key.period)
            return {claims[0].key.ref: error}
    found: dict[int, content.BillIssuedFacts | Exception] = {}
    for claim in claims:
        found |= _facts([claim])
    return found


def _mail(claim: services.Claim, facts: content.BillIssuedFacts, now: dt.datetime) -> OutgoingEmail:
    rendered = content.render(facts, claim.message.language)
    return OutgoingEmail(
        key=claim.key,
        address_sealed=claim.address_sealed,
        sender_name=facts.utility_name,
        language=claim.message.language,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        message_id=_message_id(claim),
        dated=now,
    )


def _message_id(claim: services.Claim) -> str:
    """The same for every attempt at one message, and telling nothing about it."""
    name = ".".join(map(str, claim.key[:-1])).encode()
    return hashlib.blake2b(name, key=keys().links, digest_size=16, person=b"tayyar messageid").hexdigest()
