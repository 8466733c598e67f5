"""Who may do what in the console: any member of staff reads, clerks serve a person, billing managers act.

Owns the groups. Never creates a user. Next: screen.py asks.
"""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User

BILLING_MANAGER = "BILLING_MANAGER"
CLERK = "CLERK"


def ensure_roles() -> Group:
    """Make the groups where they are missing, and return the billing managers'; calling it again changes nothing."""
    Group.objects.get_or_create(name=CLERK)
    return Group.objects.get_or_create(name=BILLING_MANAGER)[0]


def can_read(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Staff who may still sign in."""
    return isinstance(user, User) and user.is_active and user.is_staff


def can_act(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Billing managers, and superusers."""
    if not isinstance(user, User) or not can_read(user):
        return False
    return user.is_superuser or user.groups.filter(name=BILLING_MANAGER).exists()


def can_serve(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Who changes the contact points, wishes and delegates of one person: clerks, and whoever may act."""
    if not isinstance(user, User) or not can_read(user):
        return False
    return can_act(user) or user.groups.filter(name=CLERK).exists()
