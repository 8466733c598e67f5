"""What every provider's webhook needs: its options from the providers' file, and its body in bounded size."""

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpRequest

from tayyar.core.errors import UserError
from tayyar.notifications import providers
from tayyar.notifications.providers import ProviderConfig

Options = TypeVar("Options")


def options_of(code: str, *, gateway: str, read: Callable[[ProviderConfig], Options]) -> Options | None:
    """The options of the provider `code`; None when there is none, or it speaks through another gateway.

    So it is while the providers' file is missing or wrong: that is told to whoever starts the workers, not to a
    stranger; a provider comes again with what it was not thanked for.
    """
    try:
        config = providers.configured().get(code)
        return read(config) if config is not None and config.gateway == gateway else None
    except UserError:
        return None


def bounded_body(request: HttpRequest, *, most_bytes: int) -> bytes | None:
    """The raw body; None when it is longer. Read from the stream: Django's own limit is below what Meta sends."""
    body = request.read(most_bytes + 1)
    return body if len(body) <= most_bytes else None
