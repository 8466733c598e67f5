"""Simple mode of a person: fewer and larger things on each page. Owns this choice only. Next: portal/shell.py."""

from tayyar.identity.models import Person


def set_simple(*, user_id: int, is_simple: bool) -> None:
    """Keep the choice of the person with this login; nothing for a login without a person (staff)."""
    Person.objects.filter(user_id=user_id).update(is_simple=is_simple)
