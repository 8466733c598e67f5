"""The providers of the delivery fault runs: the product's simulated ones, but each can say what it really took, which
receipts it sent and over whose connection. `Peers` starts them, changes their faults, and writes the providers' file.
"""

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from aiosmtpd.smtp import SMTP, Envelope

from tayyar.gateways.graph import server as graph
from tayyar.gateways.http_peer import process as http
from tayyar.gateways.http_peer import sms as http_sms
from tayyar.gateways.http_peer.faults import Faults as HttpFaults
from tayyar.gateways.mailbox import server as mailbox
from tayyar.gateways.mailbox.reading import read_mails
from tayyar.gateways.mailbox.server import Faults as MailFaults
from tayyar.gateways.smpp import codec
from tayyar.gateways.smsc import server as smsc
from tayyar.gateways.smsc.faults import Faults as SmscFaults

HOST = "127.0.0.1"
PERMITTED = {"sms-first": 20, "sms-second": 12, "mail": 20, "whatsapp": 20}  # a second; SMS: segments
# Numbers and mailboxes that do not exist, by their last digit; the peers always say so, whatever else they do.
NOBODY = {"SMS": "3", "WHATSAPP": "6", "EMAIL": "45"}
_ALWAYS: dict[str, dict[str, Any]] = {
    "sms-first": {"unknown_suffix": NOBODY["SMS"]},
    "sms-second": {"undeliverable": r"3$", "receipt_delay_seconds": 0.1},
    "whatsapp": {"undeliverable": r"6$", "read_share": 0.3, "receipt_delay_seconds": 0.1},
    "mail": {"refuse": r"4@", "bounce": r"5@"},
}


@dataclass(frozen=True)
class SmsTaken:
    """One whole text that the SMSC took. `receipt`: its err ("000": delivered), None when none was sent."""

    number: int
    destination: str
    text: str
    receipt: str | None


@dataclass(frozen=True)
class Witness:
    """What the peers know. `attempts`: the key of each attempt taken, as often as it was, by provider and key."""

    texts: list[SmsTaken]
    attempts: list[tuple[str, str]]
    message_ids: list[tuple[str, str]]  # of mails: the attempt's key, the Message-ID
    heard_by_another: int  # receipts over the bind of a process that had not sent the message
    untold: dict[str, int]  # receipts not yet confirmed, by provider
    most_in_a_second: dict[str, int]
    silent: set[str]  # providers that kept some receipts to themselves
    counts: dict[str, dict[str, int]]  # of faults that really happened, by provider


class WitnessSmsc(smsc.Smsc):
    """An SMSC that remembers each text with its number, its receipt, and the processes that sent and heard."""

    def __init__(self, *, owner: Callable[[int], int], faults: SmscFaults) -> None:
        super().__init__(faults=faults, keep=True)
        self._owner = owner  # client port -> process
        self._owners: dict[int, int] = {}
        self._number, self._sender = 0, 0
        self._parted: dict[tuple[str, bytes], int] = {}
        self._by_body: dict[bytes, int] = {}
        self._looked = (0.0, 0.0)
        self.texts: list[tuple[int, str, str]] = []
        self.fates: dict[int, str] = {}
        self.senders: dict[int, int] = {}
        self.hearers: dict[int, set[int]] = {}
        self.arrivals: list[tuple[float, float, int]] = []  # not before, not after, how many

    def unconfirmed(self) -> int:
        """Receipts that were sent or wait, and are not answered."""
        sessions = [*self._sessions]
        return len(self._due) + len(self._waiting) + sum(len(session.unconfirmed) for session in sessions)

    def most_in_a_second(self) -> int:
        """The most messages that came within a second for certain: what lay unread while this process was busy may
        have come earlier than it was seen."""
        most = first = within = 0
        for place, (_, after, count) in enumerate(self.arrivals):
            within += count
            while first <= place and self.arrivals[first][0] <= after - 1:
                within -= self.arrivals[first][2]
                first += 1
            most = max(most, within)
        return most

    def submits(self, session: Any, pdus: list[tuple[int, bytes]], now: float) -> list[bytes]:
        self.arrivals.append((self._looked[0], now, len(pdus)))
        self._sender = self._process(session)
        return super().submits(session, pdus, now)

    def send_receipts(self) -> None:
        if not self._waiting:
            return
        before = {session: set(session.unconfirmed) for session in self._sessions}
        super().send_receipts()
        for session, known in before.items():
            for sequence in session.unconfirmed.keys() - known:
                number = self._by_body[session.unconfirmed[sequence]]
                self.hearers.setdefault(number, set()).add(self._process(session))

    async def _tick(self) -> None:
        looking = asyncio.ensure_future(self._look())
        try:
            await super()._tick()
        finally:
            looking.cancel()

    async def _look(self) -> None:
        while True:
            self._looked = (self._looked[1], time.monotonic())
            await asyncio.sleep(0.002)

    def _process(self, session: Any) -> int:
        peer = session._transport.get_extra_info("peername")
        port = peer[1] if peer else 0
        if port not in self._owners:
            self._owners[port] = self._owner(port)
        return self._owners[port]

    def _receipt(self, number: int, message: codec.ShortMessage, now: float) -> None:
        self._number = self._parted[_part(message)] = number
        self.senders[number] = self._sender
        super()._receipt(number, message, now)

    def _receipt_body(self, number: int, message: codec.ShortMessage, err: bytes) -> bytes:
        body = super()._receipt_body(number, message, err)
        self.fates[number] = err.decode()
        self._by_body[body] = number
        return body

    def _record(self, message: codec.ShortMessage) -> None:
        before = len(self.received)
        super()._record(message)
        if len(self.received) > before:
            destination, text = self.received[-1]
            self.texts.append((self._parted.pop(_part(message), self._number), destination, text))


def _part(message: codec.ShortMessage) -> tuple[str, bytes]:
    head = message.octets()[3:5] if message.esm_class & codec.UDHI else b""
    return message.destination, head


class WitnessMailbox(mailbox.Mailbox):
    """A mail server that also remembers the mails it took and returned: those are not in its Maildir."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, faults=MailFaults(**_ALWAYS["mail"]))
        self.returned: list[bytes] = []

    async def _listen(self) -> asyncio.Server:
        handler = _Remembering(self)
        return await self._loop.create_server(
            lambda: SMTP(handler, hostname="mailbox.tayyar.example", loop=self._loop), HOST, self.port
        )


class _Remembering(mailbox._Store):
    def _return(self, envelope: Envelope, content: bytes, is_bounced: bool, answer: str) -> None:
        self._mailbox.returned.append(content)  # type: ignore[attr-defined]
        super()._return(envelope, content, is_bounced, answer)


class Peers:
    """All providers of one run."""

    def __init__(
        self,
        first: WitnessSmsc,
        second: http.PeerProcess,
        mails: WitnessMailbox,
        whatsapp: http.PeerProcess,
        *,
        entries: list[dict[str, Any]],
        file: Path,
        usual: dict[str, dict[str, Any]],
    ) -> None:
        self.first, self.second, self.mails, self.whatsapp = first, second, mails, whatsapp
        self._entries, self._file, self._usual = entries, file, usual
        self._silent: set[str] = set()
        self._most_in_a_second: dict[str, int] = {}

    def misbehave(self, provider: str, **faults: Any) -> None:
        """From now on the provider does these wrong, and no others; without any it works well."""
        given = self._usual[provider] | faults
        if given.get("missing_share"):
            self._silent.add(provider)
        if provider == "sms-first":
            self.first.faults = SmscFaults(**given)
        elif provider == "mail":
            self.mails.faults = MailFaults(**given)
        else:
            (self.second if provider == "sms-second" else self.whatsapp).set_faults(HttpFaults(**given))

    def behave(self) -> None:
        """All of them work well again."""
        for provider in self._usual:
            self.misbehave(provider)

    def name(self, *, is_limited: bool) -> None:
        """Write the providers' file. Without limits plans come to their end sooner; what was measured is kept."""
        if not is_limited:
            self._most_in_a_second = self._most()
        listed = [
            entry | ({"permitted_per_second": PERMITTED[entry["code"]]} if is_limited else {})
            for entry in self._entries
        ]
        self._file.write_text(yaml.safe_dump(listed, sort_keys=False))

    def _most(self) -> dict[str, int]:
        return {
            "sms-first": self.first.most_in_a_second(),
            "sms-second": self.second.stats().get("most_in_a_second", 0),
            "whatsapp": self.whatsapp.stats().get("most_in_a_second", 0),
        }

    def untold(self) -> dict[str, int]:
        """Receipts that are still to come or to be confirmed, by provider."""
        return {
            "sms-first": self.first.unconfirmed(),
            "sms-second": self.second.stats()["receipts_waiting"],
            "whatsapp": self.whatsapp.stats()["receipts_waiting"],
            "mail": sum(1 for _ in (self.mails.bounces / "new").iterdir()),
        }

    def witness(self) -> Witness:
        """All that they know at this moment."""
        first = self.first
        texts = [SmsTaken(number, to, text, first.fates.get(number)) for number, to, text in first.texts]
        attempts = [
            (provider, line["key"])
            for provider, peer in (("sms-second", self.second), ("whatsapp", self.whatsapp))
            for line in http.read_log(peer.log)
            if "number" in line
        ]
        message_ids = [
            (str(mail["X-Tayyar-Key"]).rpartition("-")[0], str(mail["Message-ID"]))
            for mail in read_mails(self.mails.folder)
        ]
        message_ids += [_head_of(content) for content in self.mails.returned]
        attempts += [("mail", key) for key, _ in message_ids]
        heard = sum(bool(first.hearers.get(number, set()) - {sent}) for number, sent in first.senders.items())
        second, whatsapp = self.second.stats(), self.whatsapp.stats()
        kept = ("most_in_a_second", "receipts_told", "receipts_waiting")
        return Witness(
            texts=texts,
            attempts=attempts,
            message_ids=message_ids,
            heard_by_another=heard,
            untold=self.untold(),
            most_in_a_second=self._most_in_a_second,
            silent=set(self._silent),
            counts={
                "sms-first": dict(first.counts),
                "sms-second": {name: count for name, count in second.items() if name not in kept},
                "whatsapp": {name: count for name, count in whatsapp.items() if name not in kept},
            },
        )


def _head_of(content: bytes) -> tuple[str, str]:
    key = re.search(rb"^X-Tayyar-Key: (\S+)-", content, re.MULTILINE)
    name = re.search(rb"^Message-ID: (\S+)", content, re.MULTILINE)
    assert key and name
    return key[1].decode(), name[1].decode()


@contextlib.contextmanager
def peers(folder: Path, *, site_url: str, owner: Callable[[int], int], hex_ids: bool) -> Iterator[Peers]:
    """All providers for the length of the block, named in `folder`/providers.yaml. `owner` tells which process holds
    a client's port; `hex_ids`: the SMSC spells its identifiers in two ways, as some do."""
    from tayyar.gateways.simulated import PHONE_NUMBER_ID, SENDER, registrations  # needs Django set up

    folder.mkdir(parents=True)
    templates = folder / "templates.json"
    templates.write_text(json.dumps(registrations(site_url), ensure_ascii=False), "utf-8")
    secret, token = secrets.token_urlsafe(24), secrets.token_urlsafe(16)
    usual = _ALWAYS | {"sms-first": {**_ALWAYS["sms-first"], "hex_ids": hex_ids}}
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(WitnessSmsc(owner=owner, faults=SmscFaults(**usual["sms-first"])))
        mails = stack.enter_context(WitnessMailbox(folder / "mail"))
        second = stack.enter_context(
            http_sms.running(
                port=0,
                token=token,
                secret=secret,
                log=folder / "sms-second.jsonl",
                callback_url=f"{site_url}/hooks/sms/sms-second",
                faults=HttpFaults(**usual["sms-second"]),
            )
        )
        whatsapp = stack.enter_context(
            graph.running(
                port=0,
                phone_number_id=PHONE_NUMBER_ID,
                access_token=token,
                app_secret=secret,
                templates=templates,
                log=folder / "whatsapp.jsonl",
                callback_url=f"{site_url}/hooks/whatsapp/whatsapp",
                faults=HttpFaults(**usual["whatsapp"]),
            )
        )
        account = {"host": HOST, "port": first.port, "system_id": "tayyar", "password": "simulated"}
        entries = {
            "sms-first": ("SMS", "SMPP", {**account, "source": "TAYYAR", "answer_timeout_seconds": 3}),
            "sms-second": (
                "SMS",
                "HTTP_SMS",
                {
                    "url": f"{second.url}/messages",
                    "headers": {"Authorization": "Bearer ${token}"},
                    "sender": "TAYYAR",
                    "token": token,
                    "callback_secret": secret,
                    "timeout_seconds": 3,
                    "errors": {"1201": ["NO_SUCH_NUMBER", "BAD_CONTACT"], "1429": ["TOO_MANY", "THROTTLED"]},
                },
            ),
            "mail": (
                "EMAIL",
                "SMTP",
                {
                    "host": HOST,
                    "port": mails.port,
                    "sender": SENDER,
                    "starttls": "NEVER",
                    "verp": True,
                    "timeout_seconds": 3,
                    "bounces": {
                        "maildir": str(mails.bounces),
                        "address": f"bounces@{SENDER.partition('@')[2]}",
                    },
                },
            ),
            "whatsapp": (
                "WHATSAPP",
                "WHATSAPP",
                {
                    "phone_number_id": PHONE_NUMBER_ID,
                    "access_token": token,
                    "app_secret": secret,
                    "verify_token": secret,
                    "base_url": whatsapp.url,
                    "timeout_seconds": 3,
                },
            ),
        }
        listed = [
            {
                "code": code,
                "channel": channel,
                "gateway": gateway,
                "weight": 70 if code == "sms-first" else 30,
                "options": options,
            }
            for code, (channel, gateway, options) in entries.items()
        ]
        found = Peers(
            first, second, mails, whatsapp, entries=listed, file=folder / "providers.yaml", usual=usual
        )
        found.name(is_limited=True)
        yield found
