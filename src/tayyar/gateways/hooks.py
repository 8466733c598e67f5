"""What every provider's webhook needs: its entry in the providers' file, and its body in bounded size."""

from django.http import HttpRequest

from tayyar.notifications import providers
from tayyar.notifications.providers import ProviderConfig


def configured_provider(code: str, *, gateway: str) -> ProviderConfig | None:
    """The entry named `code`, if its gateway is this one."""
    config = providers.configured().get(code)
    return config if config is not None and config.gateway == gateway else None


def bounded_body(request: HttpRequest, *, most_bytes: int) -> bytes | None:
    """The raw body; None when it is longer. Read from the stream: Django's own limit is below what Meta sends."""
    body = request.read(most_bytes + 1)
    return body if len(body) <= most_bytes else None
