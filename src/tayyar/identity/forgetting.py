"""What identity forgets, and when: sealed facts of sign-ups that are over, codes, addresses that proved nobody's.

Calls nothing and tells nobody; a second run changes nothing. The audit log keeps that something happened.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from tayyar.core import audit
from tayyar.customers.models import ContactPoint
from tayyar.identity.models import ContactChange, IdentityCode, Membership, Person, SignUp, SignUpStep

KEPT = dt.timedelta(days=8)  # receipts of a code's message may come for seven; budgets look one day back
INVITED_FOR = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many of each."""

    emptied: int
    signups: int
    codes: int
    contacts: int
    invitations: int


@transaction.atomic
def forget_ended(*, now: dt.datetime) -> Forgotten:
    """Empty sign-ups that are over; delete those, their codes and unproven addresses that are older than eight days;
    end invitations that nobody answered in thirty."""
    over = SignUp.objects.filter(Q(expires_at__lte=now) | Q(step=SignUpStep.DONE))
    emptied = over.exclude(facts_sealed=None).update(facts_sealed=None)
    old = now - KEPT
    ContactChange.objects.filter(ended_at=None, expires_at__lte=now).update(ended_at=now)
    sent_to = IdentityCode.objects.filter(issued_at__lte=old).values_list("contact_point_id", flat=True)
    not_taken = ContactChange.objects.filter(ended_at__lte=old, confirmed_at=None)
    unproven = {*sent_to, *not_taken.values_list("contact_point_id", flat=True)}
    codes, _ = IdentityCode.objects.filter(issued_at__lte=old).delete()
    signups, _ = SignUp.objects.filter(expires_at__lte=old).delete()
    contacts, _ = _nobodys([one for one in unproven if one is not None]).delete()
    invitations = Membership.objects.filter(
        accepted_at=None, ended_at=None, invited_at__lte=now - INVITED_FOR
    ).update(ended_at=now, ended_by="worker")
    found = Forgotten(emptied, signups, codes, contacts, invitations)
    if any((emptied, signups, codes, contacts, invitations)):
        audit.record(
            actor="worker",
            action="SIGN_UPS_FORGOTTEN",
            subject="identity",
            now=now,
            emptied=emptied,
            signups=signups,
            codes=codes,
            contacts=contacts,
            invitations=invitations,
        )
    return found


def _nobodys(ids: Collection[int]) -> QuerySet[ContactPoint]:
    """Of these contact points, those that nobody proved and nothing waits for."""
    me = OuterRef("pk")
    return ContactPoint.objects.filter(
        ~Exists(Person.objects.filter(Q(mobile=me) | Q(email=me))),
        ~Exists(SignUp.objects.filter(contact_point=me)),
        ~Exists(IdentityCode.objects.filter(contact_point=me)),
        ~Exists(ContactChange.objects.filter(contact_point=me, ended_at=None)),
        id__in=ids,
        account=None,
        verified_at=None,
    )
