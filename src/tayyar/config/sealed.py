"""Secrets as a settings file may hold them: sealed with the installation's own keys.

Owns that form. Needs neither Django nor a database, so `tayyar keys seal` works before there is one.
Next: authorities.py opens them.
"""

from tayyar.core import crypto
from tayyar.core.errors import UserError

SEALED_FIELD = "config.authorities.secret"


def sealed_secret(plain: str) -> str:
    """A secret as a file may hold it under `sealed`."""
    return crypto.seal(plain, field=SEALED_FIELD).hex()


def opened_secret(sealed: str) -> str:
    """The secret; UserError when it was sealed with other keys or copied wrongly."""
    try:
        data = bytes.fromhex(sealed)
    except ValueError:
        raise UserError(
            "a sealed secret was not copied whole. Seal it again with `tayyar keys seal`."
        ) from None
    return crypto.unseal(data, field=SEALED_FIELD)
