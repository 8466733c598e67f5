"""Who may do what in the console: any member of staff reads, billing managers act.

Owns the group. Never creates a user. Next: screen.py asks.
"""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User

BILLING_MANAGER = "BILLING_MANAGER"


def ensure_roles() -> Group:
    """Make the group of billing managers where it is missing; calling it again changes nothing."""
    return Group.objects.get_or_create(name=BILLING_MANAGER)[0]


def can_read(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Staff who may still sign in."""
    return isinstance(user, User) and user.is_active and user.is_staff


def can_act(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Billing managers, and superusers."""
    if not isinstance(user, User) or not can_read(user):
        return False
    return user.is_superuser or user.groups.filter(name=BILLING_MANAGER).exists()
