"""The only writer of how the people of an account want to be told: channels, quiet hours, kinds they do not want.

It knows no kind of message by name and sends nothing. Next: notifications/consent.py, which knows what is statutory.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction

from tayyar.core import audit
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel, Customer, CustomerAccount, Language, OptOut, Preference

DIGITAL = (Channel.WHATSAPP, Channel.SMS, Channel.EMAIL, Channel.PUSH)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an account's people asked for; without a stored preference, nothing. `quiet` is local time, [from, to)."""

    channels: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    wants_paper: bool = False
    attaches_pdf: bool = False
    wants_digest: bool = False
    quiet: tuple[dt.time, dt.time] | None = None
    opted_out: frozenset[int] = frozenset()
    language: Language = Language.ar


class NothingLeft(UserError):
    """Every channel is off and no paper is wanted: bills would have no way."""


def wishes_of(*, account_id: int) -> Wishes:
    """The stored wishes. CustomerAccount.DoesNotExist without such an account."""
    account = CustomerAccount.objects.select_related("customer").get(id=account_id)
    stored = Preference.objects.filter(account_id=account_id).first() or Preference()
    opted_out = OptOut.objects.filter(account_id=account_id).values_list("kind", flat=True)
    quiet = (stored.quiet_from, stored.quiet_to) if stored.quiet_from and stored.quiet_to else None
    return Wishes(
        channels=tuple(stored.channels),
        excluded=tuple(stored.excluded),
        wants_paper=stored.wants_paper,
        attaches_pdf=stored.attaches_pdf,
        wants_digest=account.customer.wants_digest,
        quiet=quiet,
        opted_out=frozenset(opted_out),
        language=Language(account.language),
    )


@transaction.atomic
def set_wishes(*, account_id: int, wishes: Wishes, actor: str, now: dt.datetime) -> bool:
    """Store all wishes of an account; False when nothing changed. Staff's own plans for it stay as they are.

    NothingLeft when every channel is excluded and paper is not wanted; UserError for unknown channels or equal hours.
    """
    account = CustomerAccount.objects.select_for_update().get(id=account_id)
    before = wishes_of(account_id=account_id)
    if wishes == before:
        return False
    _check(wishes)
    quiet_from, quiet_to = wishes.quiet or (None, None)
    Preference.objects.update_or_create(
        account=account,
        defaults={
            "channels": list(wishes.channels),
            "excluded": list(wishes.excluded),
            "wants_paper": wishes.wants_paper,
            "attaches_pdf": wishes.attaches_pdf,
            "quiet_from": quiet_from,
            "quiet_to": quiet_to,
        },
    )
    _set_opt_outs(account_id, before.opted_out, wishes.opted_out, now)
    CustomerAccount.objects.filter(id=account_id).update(language=wishes.language)
    Customer.objects.filter(id=account.customer_id).update(wants_digest=wishes.wants_digest)
    changed = {
        name: _plain(getattr(wishes, name))
        for name in Wishes.__slots__
        if getattr(wishes, name) != getattr(before, name)
    }
    audit.record(
        actor=actor, action="WISHES_CHANGED", subject=f"account:{account_id}", now=now, changed=changed
    )
    return True


def _check(wishes: Wishes) -> None:
    known = {channel.name for channel in DIGITAL}
    if not known.issuperset((*wishes.channels, *wishes.excluded)):
        raise UserError(f"The channels one can choose are {', '.join(sorted(known))}.")
    if not wishes.wants_paper and known.issubset(wishes.excluded):
        raise NothingLeft("Every channel is off. Leave one on, or ask for paper.")
    if wishes.quiet and wishes.quiet[0] == wishes.quiet[1]:
        raise UserError("Quiet hours begin and end at different times.")


def _set_opt_outs(account_id: int, before: Collection[int], after: Collection[int], now: dt.datetime) -> None:
    OptOut.objects.filter(account_id=account_id).exclude(kind__in=after).delete()
    OptOut.objects.bulk_create(
        OptOut(account_id=account_id, kind=kind, since=now) for kind in sorted(set(after) - set(before))
    )


def _plain(value: object) -> object:
    """As JSON for the audit log."""
    if isinstance(value, Language):
        return value.name
    if isinstance(value, bool | str | None):
        return value
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Sequence):
        return [item.isoformat() if isinstance(item, dt.time) else item for item in value]
    return str(value)
