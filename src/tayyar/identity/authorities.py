"""Which authorities this installation asks. They are put here by config, which alone knows the adapters.

Owns no authority and reads no file. Never chooses how a person is proven: an authority says that. Next: signup.py asks.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tayyar.identity.models import IdType
from tayyar.identity.ports import AddressAuthority, IdentityAuthority


@dataclass(frozen=True, slots=True)
class Authorities:
    """Those of an installation. The first of `identity` that knows a type of document is asked about it."""

    identity: tuple[IdentityAuthority, ...] = ()
    address: AddressAuthority | None = None


_factory: Callable[[], Authorities] = Authorities


def use(factory: Callable[[], Authorities]) -> None:
    """From now on they come from `factory`, which is called each time and raises UserError for a broken file."""
    global _factory
    _factory = factory


def authority_for(id_type: IdType) -> IdentityAuthority | None:
    """Who proves documents of that type; None: nobody does, a service centre must."""
    return next((authority for authority in _factory().identity if id_type in authority.id_types), None)


def authority_named(code: str) -> IdentityAuthority | None:
    """The identity authority of that code, as a sign-up keeps it; None when it is not asked any more."""
    return next((authority for authority in _factory().identity if authority.code == code), None)


def address_authority() -> AddressAuthority | None:
    """Who knows national addresses; None: nobody, addresses are typed."""
    return _factory().address
