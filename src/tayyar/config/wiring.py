"""Which gateway stands behind which port: the one place that knows both."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from tayyar.core.errors import UserError
from tayyar.gateways.http_sms import client as http_sms
from tayyar.gateways.smpp import gateway as smpp
from tayyar.gateways.smtp import gateway as smtp
from tayyar.gateways.webpush import client as webpush
from tayyar.gateways.whatsapp import client as whatsapp
from tayyar.notifications.kinds import Lane
from tayyar.notifications.ports import Gateway
from tayyar.notifications.providers import ProviderConfig, configured

GATEWAYS: dict[str, Callable[[ProviderConfig], Gateway]] = {
    "SMPP": smpp.build,
    "HTTP_SMS": http_sms.build,
    "SMTP": smtp.build,
    "WHATSAPP": whatsapp.build,
    "WEBPUSH": webpush.build,
}

# What a gateway has several of, and how many where the providers' file does not say: both halves share them.
_SHARED = {
    "SMPP": ("binds", 2),
    "SMTP": ("connections", 4),
    "HTTP_SMS": ("concurrency", 32),
    "WHATSAPP": ("concurrency", 32),
    "WEBPUSH": ("concurrency", 32),
}


def providers(lane: Lane | None = None) -> list[tuple[ProviderConfig, Gateway]]:
    """The installation's providers, each twice, with gateways of this process's own that share its connections.

    While one waits for the last answers to its batch the other sends. Those of the URGENT lane send and leave it to
    other workers to hear receipts: nine million of them must not stand before a code. UserError for an unknown gateway.
    """
    configs: Iterable[ProviderConfig] = configured().values()
    if lane is Lane.URGENT:
        configs = [_sending_only(config) for config in configs]
    return [(config, gateway_of(half)) for config in configs for half in _halves(config)]


def _sending_only(config: ProviderConfig) -> ProviderConfig:
    """The provider's entry without what brings receipts."""
    options = dict(config.options)
    if config.gateway == "SMPP":
        options["bind_as"] = "TRANSMITTER"
    if config.gateway == "SMTP" and isinstance(options.get("bounces"), dict):
        options["bounces"] = {name: value for name, value in options["bounces"].items() if name != "maildir"}
    return replace(config, options=options)


def _halves(config: ProviderConfig) -> list[ProviderConfig]:
    """The provider's entry for each of its two gateways: half its connections, but one at least."""
    if config.gateway not in _SHARED:
        return [config]  # gateway_of says what is wrong with it
    name, usual = _SHARED[config.gateway]
    count = config.options.get(name, usual)
    if not isinstance(count, int):
        return [config]  # and so does the gateway
    return [
        replace(config, options={**config.options, name: max(1, part)})
        for part in (count - count // 2, count // 2)
    ]


def gateway_of(config: ProviderConfig) -> Gateway:
    """The gateway to one provider."""
    if config.gateway not in GATEWAYS:
        raise UserError(f"{config.code}: the gateway is one of {', '.join(GATEWAYS)}, not {config.gateway}.")
    return GATEWAYS[config.gateway](config)
