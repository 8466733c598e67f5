"""The simulated providers and the local identity authority: started together, with the files that point at them.

It owns which there are and what the file says of each; what a provider does belongs to its own folder. They listen on
127.0.0.1 and reach nobody. Next: `tayyar simulate providers`, the demo and the fault tests run them.
"""

import contextlib
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tayyar.core.errors import UserError
from tayyar.core.text import LANGUAGES
from tayyar.customers.models import Channel
from tayyar.gateways.graph import server as graph
from tayyar.gateways.http_peer import sms as http_sms
from tayyar.gateways.http_peer.faults import Faults as HttpFaults
from tayyar.gateways.identity_authority import process as authority
from tayyar.gateways.identity_authority.faults import Faults as AuthorityFaults
from tayyar.gateways.mailbox import process as mailbox
from tayyar.gateways.mailbox.reading import count_mails
from tayyar.gateways.mailbox.server import Faults as MailFaults
from tayyar.gateways.push_peer import process as push
from tayyar.gateways.push_peer.faults import Faults as PushFaults
from tayyar.gateways.smsc import process as smsc
from tayyar.gateways.smsc.faults import Faults as SmscFaults
from tayyar.identity.models import IdType
from tayyar.notifications import words
from tayyar.notifications.variables import TEMPLATES

HOST = "127.0.0.1"
MARK = (
    "# Written by `tayyar simulate providers`: what it names is simulated, people and prices are made up.\n"
)
_WRITTEN = "# Written by `tayyar simulate providers`"  # however it went on in an earlier version
PEOPLE = "people.json"  # in the authority's folder: whom it knows from the demo's books
SENDER = "bills@tayyar.example"
PHONE_NUMBER_ID = "106540352242922"


@dataclass(frozen=True, slots=True)
class Place:
    """What every simulated provider is started with. `folder` is its own; `site_url` where its receipts go; `country`
    the profile whose people the authority makes up."""

    folder: Path
    port: int
    site_url: str
    country: str
    faults: Any


@dataclass(frozen=True, slots=True)
class Running:
    """A provider that runs: its entry in the providers' file (the authority: its whole file), and its counts."""

    port: int
    entry: Mapping[str, Any]
    stats: Callable[[], Mapping[str, Any]]
    process: subprocess.Popen[str]


@dataclass(frozen=True, slots=True)
class Peer:
    """A provider that can be started. Its name is its code in the providers' file."""

    name: str
    what: str
    port: int
    faults: type[Any]
    start: Callable[[Place], contextlib.AbstractContextManager[Running]]
    is_provider: bool = True


@dataclass(frozen=True, slots=True)
class Simulated:
    """All of them, running."""

    providers_file: Path
    authorities_file: Path
    folder: Path
    running: Mapping[str, Running] = field(default_factory=dict)

    @property
    def ports(self) -> dict[str, int]:
        """Where each listens."""
        return {name: peer.port for name, peer in self.running.items()}

    def stats(self) -> dict[str, dict[str, int]]:
        """What each counted: `taken` first, then whatever else happened. UserError when one of them ended."""
        counted = {}
        for name, peer in self.running.items():
            if peer.process.poll() is not None:
                raise UserError(f"The simulated provider {name} ended. Start them again.")
            told = {key: value for key, value in peer.stats().items() if isinstance(value, int) and value}
            counted[name] = {"taken": 0, **dict(sorted(told.items(), key=lambda item: item[0] != "taken"))}
        return counted


@contextlib.contextmanager
def _sms_first(place: Place) -> Iterator[Running]:
    log = place.folder / "messages.jsonl"
    with smsc.running(port=place.port, faults=place.faults, log=log) as peer:
        account = {"host": HOST, "port": peer.port, "system_id": "tayyar", "password": "simulated"}
        entry = {
            "channel": "SMS",
            "gateway": "SMPP",
            "weight": 70,
            "permitted_per_second": 500,
            "cost_micro": 80_000,
            "options": {**account, "source": "TAYYAR"},
        }
        yield Running(peer.port, entry, peer.stats, peer.process)


@contextlib.contextmanager
def _sms_second(place: Place) -> Iterator[Running]:
    token, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(24)
    with http_sms.running(
        port=place.port,
        token=token,
        secret=secret,
        log=place.folder / "messages.jsonl",
        callback_url=f"{place.site_url}/hooks/sms/sms-second",
        faults=place.faults,
    ) as peer:
        entry = {
            "channel": "SMS",
            "gateway": "HTTP_SMS",
            "weight": 30,
            "permitted_per_second": 200,
            "cost_micro": 95_000,
            "options": {
                "url": f"{peer.url}/messages",
                "headers": {"Authorization": "Bearer ${token}"},
                "sender": "TAYYAR",
                "token": token,
                "callback_secret": secret,
                "errors": {
                    "1201": ["NO_SUCH_NUMBER", "BAD_CONTACT"],
                    "1203": ["BARRED", "REFUSED"],
                    "1429": ["TOO_MANY", "THROTTLED"],
                },
            },
        }
        yield Running(peer.port, entry, peer.stats, peer.process)


@contextlib.contextmanager
def _mail(place: Place) -> Iterator[Running]:
    with mailbox.running(port=place.port, folder=place.folder, faults=place.faults) as peer:
        options = {
            "host": HOST,
            "port": peer.port,
            "sender": SENDER,
            "starttls": "NEVER",
            "verp": True,
            "bounces": {"maildir": str(peer.bounces), "address": f"bounces@{SENDER.partition('@')[2]}"},
        }
        entry = {"channel": "EMAIL", "gateway": "SMTP", "cost_micro": 1_000, "options": options}

        def stats() -> Mapping[str, Any]:
            return {"taken": count_mails(peer.folder), "returned": count_mails(peer.bounces)}

        yield Running(peer.port, entry, stats, peer.process)


@contextlib.contextmanager
def _whatsapp(place: Place) -> Iterator[Running]:
    templates = place.folder / "templates.json"
    templates.write_text(json.dumps(registrations(place.site_url), ensure_ascii=False, indent=1), "utf-8")
    token, secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    with graph.running(
        port=place.port,
        phone_number_id=PHONE_NUMBER_ID,
        access_token=token,
        app_secret=secret,
        templates=templates,
        log=place.folder / "messages.jsonl",
        callback_url=f"{place.site_url}/hooks/whatsapp/whatsapp",
        faults=place.faults,
    ) as peer:
        entry = {
            "channel": "WHATSAPP",
            "gateway": "WHATSAPP",
            "permitted_per_second": 500,
            "cost_micro": 40_000,
            "options": {
                "phone_number_id": PHONE_NUMBER_ID,
                "access_token": token,
                "app_secret": secret,
                "verify_token": secrets.token_urlsafe(16),
                "base_url": peer.url,
            },
        }
        yield Running(peer.port, entry, peer.stats, peer.process)


@contextlib.contextmanager
def _push(place: Place) -> Iterator[Running]:
    with push.running(port=place.port, faults=place.faults) as peer:
        entry = {"channel": "PUSH", "gateway": "WEBPUSH", "options": {"allow_local": True}}
        yield Running(peer.port, entry, peer.stats, peer.process)


@contextlib.contextmanager
def _authority(place: Place) -> Iterator[Running]:
    key = secrets.token_urlsafe(24)
    with authority.running(
        key=key,
        country=place.country,
        port=place.port,
        faults=place.faults,
        known=place.folder / PEOPLE,
    ) as peer:
        options = {"url": peer.url, "key": key}
        entry = {
            "identity": [
                {"code": "local", "gateway": "LOCAL", "id_types": list(IdType.values), "options": options}
            ],
            "address": {"code": "local-addresses", "gateway": "LOCAL", "options": dict(options)},
        }
        yield Running(peer.port, entry, peer.stats, peer.process)


PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("sms-first", "an SMSC that speaks SMPP", 2775, SmscFaults, _sms_first),
        Peer("sms-second", "an SMS provider over HTTP", http_sms.PORT, HttpFaults, _sms_second),
        Peer("mail", "an SMTP server with mailboxes", 2525, MailFaults, _mail),
        Peer("whatsapp", "WhatsApp's Graph server", graph.PORT, HttpFaults, _whatsapp),
        Peer("push", "a web push service", push.PORT, PushFaults, _push),
        Peer(
            "authority",
            "an identity and address authority",
            authority.PORT,
            AuthorityFaults,
            _authority,
            is_provider=False,
        ),
    )
}


@contextlib.contextmanager
def simulated_providers(
    folder: Path,
    *,
    site_url: str,
    ports: Mapping[str, int] | None = None,
    faults: Mapping[str, Any] | None = None,
    write: Path | None = None,
    write_authorities: Path | None = None,
    country: str = "sa",
) -> Iterator[Simulated]:
    """All simulated providers for the length of the block, a providers' file (`write`, else in `folder`) and an
    authorities' file (`write_authorities`, else in `folder`).

    `ports`: name -> port, 0 for any free one, its usual one when left out. `faults`: name -> its Faults.
    `site_url`: where receipts go. UserError when a port is taken or a file is one that somebody wrote.
    """
    path = write or folder / "providers.yaml"
    authorities = write_authorities or folder / "authorities.yaml"
    for target in (path, authorities):
        refuse_foreign(target)
    with contextlib.ExitStack() as stack:
        running = {}
        for name, peer in PEERS.items():
            own = folder / name
            own.mkdir(parents=True, exist_ok=True)
            place = Place(
                own,
                (ports or {}).get(name, peer.port),
                site_url.rstrip("/"),
                country,
                (faults or {}).get(name, peer.faults()),
            )
            running[name] = stack.enter_context(peer.start(place))
        providers = {name: peer for name, peer in running.items() if PEERS[name].is_provider}
        _write(path, [{"code": name, **peer.entry} for name, peer in providers.items()])
        _write(authorities, running["authority"].entry)
        yield Simulated(path, authorities, folder, running)


def registrations(site_url: str) -> list[dict[str, Any]]:
    """The shipped WhatsApp templates in the form in which they are registered at Meta, in every language."""
    found = []
    for template in TEMPLATES:
        for language in LANGUAGES:
            text = words.shipped(template, language)[Channel.WHATSAPP]
            places = enumerate(words.variables_of(text["body"]), start=1)
            body = text["body"]
            for place, name in places:
                body = body.replace(f"{{{name}}}", f"{{{{{place}}}}}")
            components: list[dict[str, Any]] = [{"type": "BODY", "text": body}]
            if text["header"]:
                components.insert(0, {"type": "HEADER", "format": text["header"]})
            if text["button"]:
                button = {"type": "URL", "text": template, "url": f"{site_url}/{{{{1}}}}"}
                components.append({"type": "BUTTONS", "buttons": [button]})
            found.append({"name": text["template"], "language": language, "components": components})
    return found


def refuse_foreign(path: Path) -> None:
    """UserError when `path` holds a file that was not written here: it may be the real one."""
    if path.exists() and not path.read_text("utf-8").startswith(_WRITTEN):
        raise UserError(
            f"{path} is there already and was not written by `tayyar simulate providers`. Name another file with "
            "--write (the authorities' file lies beside it), and in TAYYAR_PROVIDERS and TAYYAR_AUTHORITIES for the "
            "other commands."
        )


def _write(path: Path, entries: list[dict[str, Any]] | Mapping[str, Any]) -> None:
    """Whole or not at all, and for its owner only: it holds secrets, if only simulated ones."""
    text = MARK + yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)
    partial = path.with_suffix(".partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
        partial.rename(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}. Name another file.") from None
