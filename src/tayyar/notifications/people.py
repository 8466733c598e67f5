"""What the engine asks of customers, for many at a time: contact points, wishes, and this profile's rules."""

import functools
import json
import zoneinfo
from collections.abc import Iterable, Sequence
from typing import Any

from tayyar.core.arrays import ints
from tayyar.notifications.plans import NO_WISH, DeliveryRules, Wish, read_rules
from tayyar.profiles import Profile
from tayyar.profiles.installation import installed_profile


def delivery_rules() -> DeliveryRules:
    """The plans and quiet hours of this installation's profile."""
    return _rules(installed_profile())


def local_zone() -> zoneinfo.ZoneInfo:
    """Where this utility's clocks are."""
    return zoneinfo.ZoneInfo(installed_profile().timezone)


@functools.lru_cache(maxsize=8)
def _rules(profile: Profile) -> DeliveryRules:
    return read_rules(profile.delivery, where=f"{profile.code}/delivery.yaml")


def wish(channels: Any, excluded: Any, plans: Any, wants_paper: Any) -> Wish:
    """A Wish from a preference's columns, all NULL where there is no preference."""
    if channels is None:
        return NO_WISH
    return Wish(tuple(channels), tuple(excluded), plans or None, bool(wants_paper))


def wishes_of(cursor: Any, accounts: Iterable[int]) -> dict[int, Wish]:
    """The wishes of those accounts that have any."""
    cursor.execute(
        """SELECT account_id, channels::text, excluded::text, plans::text, wants_paper
             FROM customers_preference WHERE account_id = ANY(%s::bigint[])""",
        [ints(set(accounts))],
    )
    return {
        account: wish(_json(channels), _json(excluded), _json(plans), paper)
        for account, channels, excluded, plans, paper in cursor.fetchall()
    }


def masks_of(cursor: Any, people: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """For each (account, recipient) the channels with a contact point in use, as bits; absent: none."""
    cursor.execute(
        """SELECT p.account_id, p.recipient, c.mask
             FROM unnest(%s::bigint[], %s::smallint[]) AS p (account_id, recipient)
             CROSS JOIN LATERAL (
                   SELECT bit_or(1 << channel) AS mask FROM customers_contactpoint
                    WHERE account_id = p.account_id AND recipient = p.recipient
                      AND is_active AND verified_at IS NOT NULL) c
            WHERE c.mask IS NOT NULL""",
        [ints(account for account, _ in people), ints(recipient for _, recipient in people)],
    )
    return {(account, recipient): mask for account, recipient, mask in cursor.fetchall()}


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
