"""From claims to messages ready to go: facts from their module, words from the templates, in bulk.

One odd bill must not stop the rest: what cannot be worded becomes a result of its own. Next: delivery.py.
"""

import datetime as dt
import hashlib
import itertools
import logging
from collections.abc import Sequence

from django.db import InterfaceError, OperationalError

from tayyar.core.crypto import keys
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel
from tayyar.notifications import content, rules, templates
from tayyar.notifications.content import Facts
from tayyar.notifications.kinds import SPECS, Lane, MessageKind
from tayyar.notifications.outbox import Claim
from tayyar.notifications.ports import Outcome, Outgoing, SendResult

log = logging.getLogger(__name__)


def worded(claims: Sequence[Claim], *, now: dt.datetime) -> tuple[list[Outgoing], list[SendResult]]:
    """Messages for the claims, and results for those that cannot be worded. OperationalError or InterfaceError when
    the database is away: ask again."""
    ready: list[Outgoing] = []
    results: list[SendResult] = []
    by_kind = sorted(claims, key=lambda claim: claim.key.kind)
    for _, group in itertools.groupby(by_kind, key=lambda claim: claim.key.kind):
        of_kind = list(group)
        facts = _facts(of_kind)
        for claim in of_kind:
            found = facts.get((claim.key.ref, claim.key.recipient))
            if isinstance(found, Facts) and found.expires_at and now >= found.expires_at:
                results.append(SendResult(claim.key, Outcome.REFUSED, rules.TOO_LATE))
            elif isinstance(found, Facts):
                try:
                    ready.append(_outgoing(claim, found, now))
                    continue
                except UserError as error:
                    log.error("%s", error)
                    results.append(SendResult(claim.key, Outcome.REFUSED, rules.BAD_CONTENT))
                except (OperationalError, InterfaceError):
                    raise
                except Exception:  # a defect that this message alone meets must not end the worker
                    log.exception("message %s of %s cannot be made", claim.key.ref, claim.key.period)
                    results.append(SendResult(claim.key, Outcome.TRY_LATER, rules.CONTENT_ERROR))
            elif isinstance(found, Exception):
                results.append(SendResult(claim.key, Outcome.TRY_LATER, rules.CONTENT_ERROR))
            else:
                results.append(SendResult(claim.key, Outcome.REFUSED, rules.NO_CONTENT))
    return ready, results


def _facts(claims: Sequence[Claim]) -> dict[tuple[int, int], Facts | Exception]:
    """The claims' facts by (ref, recipient); when the provider fails it is asked for each alone."""
    try:
        single = [claim.message for claim in claims if not claim.speaks_for]
        found: dict[tuple[int, int], Facts | Exception] = {**content.facts_of(single)} if single else {}
        for claim in claims:
            if claim.speaks_for:
                digest = content.digest_of([claim.message, *claim.speaks_for])
                if digest is not None:
                    found[claim.key.ref, claim.key.recipient] = digest
        return found
    except (OperationalError, InterfaceError):  # the database is away: no fault of the messages
        raise
    except Exception as error:  # whatever a provider raises, the other messages go on
        if len(claims) == 1:
            log.exception("no content for message %s of %s", claims[0].key.ref, claims[0].key.period)
            return {(claims[0].key.ref, claims[0].key.recipient): error}
    found = {}
    for claim in claims:
        found |= _facts([claim])
    return found


def _outgoing(claim: Claim, facts: Facts, now: dt.datetime) -> Outgoing:
    attachment = (
        content.document_of(claim.message)
        if claim.attaches_pdf and claim.key.channel == Channel.EMAIL
        else None
    )
    return Outgoing(
        key=claim.key,
        address_sealed=claim.address_sealed,
        language=claim.message.language,
        content=templates.render(
            facts, channel=Channel(claim.key.channel), language=claim.message.language, attachment=attachment
        ),
        message_id=_message_id(claim),
        dated=now,
        is_urgent=SPECS[MessageKind(claim.key.kind)].lane is Lane.URGENT,
    )


def _message_id(claim: Claim) -> str:
    """The same for every attempt at one message, and telling nothing about it."""
    name = ".".join(map(str, claim.key[:-1])).encode()
    return hashlib.blake2b(name, key=keys().links, digest_size=16, person=b"tayyar messageid").hexdigest()
