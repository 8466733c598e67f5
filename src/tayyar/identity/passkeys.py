"""Whether what a browser sent has the shape of a passkey's answer at all: allauth and fido2 expect that it has.

Owns no check of a signature; django-allauth's does that. Next: portal/login_views.py and urls_login.py ask before.
"""

import json
import struct
from typing import Any

from fido2.utils import websafe_decode
from fido2.webauthn import AuthenticationResponse, RegistrationResponse


def is_answer(sent: Any, *, to_creation: bool = False) -> bool:
    """Whether `sent` (JSON as text, or already read) can be parsed as an answer to "get" or to "create"."""
    try:
        value = json.loads(sent) if isinstance(sent, str) else sent
        if to_creation:
            RegistrationResponse.from_dict(value)
        else:
            AuthenticationResponse.from_dict(value)
            websafe_decode(value["response"].get("userHandle") or "").decode()
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError, struct.error):
        return False
    return True
