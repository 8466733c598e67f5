"""Which gateway stands behind which port: the one place that knows both."""

from collections.abc import Callable

from tayyar.core.errors import UserError
from tayyar.gateways.http_sms import client as http_sms
from tayyar.gateways.smpp import gateway as smpp
from tayyar.gateways.smtp import gateway as smtp
from tayyar.gateways.webpush import client as webpush
from tayyar.gateways.whatsapp import client as whatsapp
from tayyar.notifications.ports import Gateway
from tayyar.notifications.providers import ProviderConfig, configured

GATEWAYS: dict[str, Callable[[ProviderConfig], Gateway]] = {
    "SMPP": smpp.build,
    "HTTP_SMS": http_sms.build,
    "SMTP": smtp.build,
    "WHATSAPP": whatsapp.build,
    "WEBPUSH": webpush.build,
}


def providers() -> dict[str, tuple[ProviderConfig, Gateway]]:
    """The installation's providers, each with a gateway of this process's own. UserError for an unknown gateway."""
    return {code: (config, gateway_of(config)) for code, config in configured().items()}


def gateway_of(config: ProviderConfig) -> Gateway:
    """The gateway to one provider."""
    if config.gateway not in GATEWAYS:
        raise UserError(f"{config.code}: the gateway is one of {', '.join(GATEWAYS)}, not {config.gateway}.")
    return GATEWAYS[config.gateway](config)
