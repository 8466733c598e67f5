"""Reads of the portal that no lower module offers: how to ask the utility.

Never writes. Next: views.py.
"""

from typing import Any

from django.db import DatabaseError

from tayyar.billing.documents.page import contact_href
from tayyar.billing.installation import installed_profile
from tayyar.core.errors import UserError


def utility(lang: str) -> tuple[str, list[dict[str, Any]]]:
    """The utility's name and its contacts as kind, value, href; both empty when it cannot be known just now."""
    try:
        profile = installed_profile()
    except (UserError, DatabaseError):
        return "", []
    contacts: list[dict[str, Any]] = []
    for contact in profile.complaint_contacts:
        entry = {"kind": str(contact["kind"]), "value": str(contact["value"])}
        contacts.append({**entry, "href": contact_href(entry)})
    return str(profile.utility_names.get(lang, "")), contacts
