"""What an adapter must remember of a proof under way, sealed into the reference that the sign-up keeps for it."""

import base64
import binascii
import json
from collections.abc import Mapping

from tayyar.core import crypto
from tayyar.core.errors import UserError
from tayyar.gateways.authority.errors import refusal


def sealed_ref(code: str, facts: Mapping[str, str]) -> str:
    """A reference that only `opened_ref` of the same authority reads."""
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(crypto.seal(text, field=_field(code))).decode()


def opened_ref(code: str, ref: str) -> dict[str, str]:
    """The facts; AuthorityError EXPIRED when it is none of ours: altered, another's, or its key is gone."""
    try:
        found: dict[str, str] = json.loads(crypto.unseal(base64.urlsafe_b64decode(ref), field=_field(code)))
    except (ValueError, binascii.Error, UserError):
        raise refusal("EXPIRED") from None
    return found


def _field(code: str) -> str:
    return f"identity.sign_up.authority_ref.{code}"
