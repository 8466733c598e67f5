"""What a decision does, by type: registered at start by the module that knows, called by opening.py and services.py.

Also who holds an account, which a module above knows. Never calls anything by itself.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any, Protocol

from tayyar.core.errors import UserError
from tayyar.customers.models import CustomerAccount
from tayyar.identity.models import Person
from tayyar.requests.catalogue import request_type
from tayyar.requests.models import ServiceRequest


class Handler(Protocol):
    """The three moments at which a module above acts, each inside the transaction of the request.

    What they raise undoes everything: FormRefused in `opened` is shown at its field, any UserError in `decided`
    leaves the request undecided.
    """

    def opened(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """It was opened. It may be decided here, by services.decide with the actor "system"."""

    def decided(
        self, *, request: ServiceRequest, form: dict[str, Any], is_approved: bool, now: dt.datetime
    ) -> None:
        """It was approved or refused: do what was asked, or nothing."""

    def withdrawn(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        """The person took it back."""


HolderCheck = Callable[[Person, int, dt.date], bool]

_handlers: dict[str, Handler] = {}
_holders: list[HolderCheck] = []


def register(type_code: str, handler: Handler) -> None:
    """Called from AppConfig.ready(). UserError for an unknown type, one without a handler, or a second handler."""
    kind = request_type(type_code)
    if not kind.handler:
        raise UserError(f"Request type {type_code} says that it has no handler. Name one in its file.")
    if type(_handlers.get(type_code, handler)) is not type(handler):
        raise UserError(f"Request type {type_code} has a handler already: {_handlers[type_code]!r}.")
    _handlers[type_code] = handler


def handler_of(type_code: str) -> Handler | None:
    """The type's handler; None when staff do by hand what is decided. UserError when it was never registered."""
    kind = request_type(type_code)
    if kind.handler and type_code not in _handlers:
        raise UserError(f"Requests of type {type_code} cannot be taken: {kind.handler} registers no handler.")
    return _handlers.get(type_code)


def use_holders(check: HolderCheck) -> None:
    """From now on `check(person, account_id, today)` says who may open a HOLDER's request for an account."""
    _holders[:] = [check]


def may_open_for(person: Person, account_id: int, today: dt.date) -> bool:
    """Whether the person may ask for this account; without a registered check, when it is their own customer's."""
    if _holders:
        return _holders[0](person, account_id, today)
    return CustomerAccount.objects.filter(id=account_id, customer_id=person.customer_id).exists()
