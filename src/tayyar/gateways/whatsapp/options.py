"""What a WhatsApp provider needs to know, read from its entry in the providers' file and checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tayyar.core.errors import UserError
from tayyar.notifications.providers import ProviderConfig

_SECRETS = ("phone_number_id", "access_token", "app_secret", "verify_token")
_NAMES = {*_SECRETS, "base_url", "version", "concurrency", "timeout_seconds", "languages", "parameter_names"}


@dataclass(frozen=True, slots=True)
class WhatsAppOptions:
    """`languages`: our language -> the code its templates are registered under at Meta ("en" -> "en_US").
    `parameter_names`: template -> its parameters' names in order, for those registered with named parameters.
    `concurrency`: how many requests may be under way; about the permitted rate times the seconds an answer takes.
    """

    phone_number_id: str
    access_token: str = field(repr=False)
    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)
    base_url: str = "https://graph.facebook.com"
    version: str = "v26.0"
    concurrency: int = 32
    timeout_seconds: int = 30
    languages: Mapping[str, str] = field(default_factory=lambda: {"ar": "ar", "en": "en", "fr": "fr"})
    parameter_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def messages_url(self) -> str:
        """Where messages are handed over."""
        return f"{self.base_url.rstrip('/')}/{self.version}/{self.phone_number_id}/messages"


def read_options(config: ProviderConfig) -> WhatsAppOptions:
    """The entry's options; UserError names what is wrong."""
    raw = dict(config.options)
    where = f"Provider {config.code}"
    if unknown := set(raw) - _NAMES:
        raise UserError(f"{where}: {', '.join(sorted(unknown))} is no option of whatsapp.")
    if missing := [name for name in _SECRETS if not str(raw.get(name) or "")]:
        raise UserError(f"{where} needs {', '.join(missing)}; Meta's app dashboard shows them.")
    raw.update({name: str(raw[name]) for name in _SECRETS})
    if not re.fullmatch(r"[0-9]{1,30}", raw["phone_number_id"]):
        raise UserError(f"{where}: phone_number_id is the number's ID at Meta, digits only, not the number.")
    if not re.fullmatch(r"[!-~]+", raw["access_token"]):
        raise UserError(f"{where}: access_token holds a space or a letter no token has. Copy it again.")
    if "base_url" in raw and not re.fullmatch(r"https?://[^\s?#]+", str(raw["base_url"])):
        raise UserError(f"{where}: base_url begins with https:// and holds no ? or #.")
    if "version" in raw and not re.fullmatch(r"v[0-9]+\.[0-9]+", str(raw["version"])):
        raise UserError(f"{where}: version is written like v26.0.")
    for name, most in (("concurrency", 1000), ("timeout_seconds", 300)):
        if name in raw and not (type(raw[name]) is int and 1 <= raw[name] <= most):
            raise UserError(f"{where}: {name} is a whole number from 1 to {most}.")
    if "languages" in raw:
        raw["languages"] = _texts(raw["languages"], f"{where}: languages is a map such as {{en: en_US}}.")
    if "parameter_names" in raw:
        raw["parameter_names"] = _lists(
            raw["parameter_names"],
            f"{where}: parameter_names is a map such as {{bill_issued: [amount, due]}}.",
        )
    return WhatsAppOptions(**raw)


def _texts(raw: Any, complaint: str) -> dict[str, str]:
    if not isinstance(raw, dict) or not all(isinstance(value, str) and value for value in raw.values()):
        raise UserError(complaint)
    return {str(name): value for name, value in raw.items()}


def _lists(raw: Any, complaint: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(raw, dict) or not all(isinstance(value, list) for value in raw.values()):
        raise UserError(complaint)
    return {str(name): tuple(map(str, value)) for name, value in raw.items()}
