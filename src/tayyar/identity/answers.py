"""What authorities told us by calling, kept for some minutes until the sign-up asks for it.

Owns AuthorityAnswer. Never reads what was told: that is the adapter's, which checked it before. Next: gateways/nafath.
"""

import datetime as dt

from django.db import transaction

from tayyar.core import crypto
from tayyar.identity.models import AuthorityAnswer

REF_FIELD = "identity.authority_answer.ref"
ANSWER_FIELD = "identity.authority_answer.answer"
KEPT_FOR = dt.timedelta(hours=1)


def keep_answer(*, authority: str, ref: str, answer: str, now: dt.datetime) -> None:
    """Keep what `authority` told of `ref`; the first answer stands. Old ones of any authority go."""
    with transaction.atomic():
        AuthorityAnswer.objects.filter(received_at__lt=now - KEPT_FOR).delete()
        AuthorityAnswer.objects.bulk_create(
            [
                AuthorityAnswer(
                    authority=authority,
                    ref_hash=crypto.lookup_hash(ref, field=REF_FIELD),
                    answer_sealed=crypto.seal(answer, field=ANSWER_FIELD),
                    received_at=now,
                )
            ],
            ignore_conflicts=True,
        )


def kept_answer(*, authority: str, ref: str) -> str | None:
    """What `authority` told of `ref`; None when it has not called."""
    found = AuthorityAnswer.objects.filter(
        authority=authority, ref_hash=crypto.lookup_hash(ref, field=REF_FIELD)
    ).first()
    return crypto.unseal(bytes(found.answer_sealed), field=ANSWER_FIELD) if found else None
