"""The web push gateway: many posts at a time over kept connections, one outcome for each.

What is certain and what is not: a connection that was never made has told nothing; after it, only the answer tells.
A push service that says "too fast" is left alone until the moment it names; the other services go on.
"""

import asyncio
import contextlib
import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
from django.conf import settings
from yarl import URL

from tayyar.core.crypto import unseal
from tayyar.core.errors import UserError
from tayyar.customers.push_address import PushAddress, encoded
from tayyar.gateways.webpush.codes import THROTTLED, meaning
from tayyar.gateways.webpush.encryption import MOST_BYTES, encrypt
from tayyar.gateways.webpush.network import NotPublicError, open_session
from tayyar.gateways.webpush.signature import Signatures
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    Outcome,
    Outgoing,
    Pace,
    PushContent,
    Receipt,
    SendResult,
)
from tayyar.notifications.providers import ProviderConfig

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 20.0
_URGENT_TTL_SECONDS = 600  # a one-time code is worth nothing later
_LONGEST_OBEYED_SECONDS = 5.0  # within a call; who asks for more gets the message in another
_USUAL_RETRY_SECONDS = 5.0  # where a service says "too fast" and not until when
_LONGEST_RETRY_SECONDS = 3600.0
_UNREACHABLE_SECONDS = 10.0  # for which a host that could not be reached is not tried again
_MOST_ORIGINS = 10_000
_SHORTEST_RETRY_SECONDS = 0.2
_LONGEST_REF = 120
_MOST_ANSWER_BYTES = 4096
_UNSAFE = re.compile(r"[^A-Za-z0-9:%._~=-]")
_OPTIONS = {"concurrency", "ttl_seconds", "contact", "allow_local"}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message that may be posted: its address is open and fit, its content fits."""

    message: Outgoing
    address: PushAddress
    plain: bytes


class _ThrottledError(Exception):
    """The push service took nothing and wants nothing for a while."""


class WebPushGateway:
    """Sends to whatever push services the browsers named. Not for sharing between threads.

    Options: `contact` ("mailto:..." or "https://...", whom a push service may ask), `concurrency` (posts at a time),
    `ttl_seconds` (how long a service keeps a message for a browser that is away), `allow_local` (the simulated push
    service at 127.0.0.1 may be asked). Its event loop runs only inside its calls.
    """

    def __init__(self, *, code: str, options: dict[str, Any]) -> None:
        if unknown := set(options) - _OPTIONS:
            raise UserError(f"{code}: {', '.join(sorted(unknown))} is not an option of webpush.")
        self.code = code
        self._concurrency = _whole(code, options, "concurrency", default=32, most=1000)
        self._ttl_seconds = _whole(code, options, "ttl_seconds", default=3 * 86_400, most=28 * 86_400)
        self._allow_local = options.get("allow_local", False) is True
        contact = options.get("contact", f"mailto:{settings.EMAIL_FROM}")
        if not isinstance(contact, str) or not contact.startswith(("mailto:", "https://")):
            raise UserError(f"{code}: contact begins with mailto: or https://.")
        self._signatures = Signatures(contact=contact)
        self._held: dict[str, float] = {}  # origin -> until when it wants nothing
        self._lost: dict[str, float] = {}  # origin -> until when it counts as unreachable
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None

    def send_batch(self, batch: Sequence[Outgoing], *, pace: Pace, stop_at: float) -> list[SendResult]:
        """One result per message. A service that says "too fast" is asked again within the call, if it permits that
        within seconds; else its messages are NOT_TRIED."""
        made = [self._made_ready(message) for message in batch]
        results = [result for result in made if isinstance(result, SendResult)]
        queue = deque(ready for ready in made if isinstance(ready, _Ready))
        posts: dict[asyncio.Task[SendResult], _Ready] = {}
        while queue or posts:
            if time.monotonic() >= stop_at:
                results += [_not_tried(ready, "OUT_OF_TIME") for ready in queue]
                queue.clear()
            going = self._willing(queue, self._concurrency - len(posts), results)
            pause = None if going or not queue or len(posts) == self._concurrency else 0.02
            if going:
                granted = pace.allowance(len(going))
                queue.extendleft(reversed(going[granted:]))
                for ready in going[:granted]:
                    posts[self._running().create_task(self._post(ready))] = ready
                if granted < len(going):
                    pause = min(pace.wait_seconds(), max(stop_at - time.monotonic(), 0.0))
            for ended in self._run(_first(posts, pause)) if queue or posts else ():
                ready = posts.pop(ended)
                try:
                    results.append(ended.result())
                except _ThrottledError:
                    queue.append(ready)
        return results

    def receipts(self) -> list[Receipt]:
        """None: a push service tells nothing later. Lets connections that were closed be noticed."""
        if self._loop is not None:
            self._run(asyncio.sleep(0))
        return []

    def confirm(self, receipts: Sequence[Receipt]) -> None:
        """Nothing waits for it."""

    def close(self) -> None:
        """End the connections."""
        loop, session = self._loop, self._session
        self._loop = self._session = None
        if loop is None:
            return
        for task in asyncio.all_tasks(loop):  # only where a call was interrupted
            task.cancel()
        if session is not None:
            loop.run_until_complete(session.close())
        loop.close()

    def _made_ready(self, message: Outgoing) -> _Ready | SendResult:
        if not isinstance(message.content, PushContent):
            return SendResult(message.key, Outcome.REFUSED, "BAD_CONTENT")
        try:
            text = unseal(message.address_sealed, field=ADDRESS_FIELD)
        except UserError:
            return SendResult(message.key, Outcome.TRY_LATER, "ADDRESS_SEALED")
        try:
            address = PushAddress.parse(text, allow_local=self._allow_local)
        except UserError:
            return SendResult(message.key, Outcome.BAD_CONTACT, "BAD_ADDRESS")
        plain = payload(message.content)
        if len(plain) > MOST_BYTES:
            return SendResult(message.key, Outcome.REFUSED, "TOO_LARGE")
        return _Ready(message, address, plain)

    def _willing(self, queue: deque[_Ready], limit: int, results: list[SendResult]) -> list[_Ready]:
        """Up to `limit` messages, taken from `queue`, whose service may be asked now. Those of one that may not be
        asked for long get their result; those of one that may be asked soon stay where they are."""
        now = time.monotonic()
        going: list[_Ready] = []
        staying: list[_Ready] = []
        while queue and len(going) < limit:
            ready = queue.popleft()
            origin = ready.address.origin
            hold = self._held.get(origin, 0.0) - now
            if self._lost.get(origin, 0.0) > now:
                results.append(_not_tried(ready, "SERVER_UNREACHABLE"))
            elif hold > _LONGEST_OBEYED_SECONDS:
                results.append(_not_tried(ready, "THROTTLED"))
            elif hold > 0:
                staying.append(ready)
            else:
                going.append(ready)
        queue.extendleft(reversed(staying))
        return going

    async def _post(self, ready: _Ready) -> SendResult:
        """One attempt. Raises _ThrottledError when the service took nothing and wants to be left alone."""
        assert self._session is not None
        key, origin = ready.message.key, ready.address.origin
        body = encrypt(ready.plain, p256dh=ready.address.p256dh, auth=ready.address.auth)
        try:
            async with self._session.post(
                URL(ready.address.endpoint, encoded=True),
                data=body,
                headers=self._headers(ready),
                allow_redirects=False,
            ) as answer:
                status, headers = answer.status, answer.headers
                with contextlib.suppress(aiohttp.ClientError, OSError):  # the status is what counts
                    await answer.content.read(_MOST_ANSWER_BYTES)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            if isinstance(error.__cause__, NotPublicError):
                return SendResult(key, Outcome.REFUSED, "HOST_NOT_PUBLIC")
            _remember(self._lost, origin, _UNREACHABLE_SECONDS)
            return SendResult(key, Outcome.TRY_LATER, "SERVER_UNREACHABLE")
        except aiohttp.InvalidURL:
            return SendResult(key, Outcome.BAD_CONTACT, "BAD_ADDRESS")
        except (aiohttp.ClientError, OSError):  # OSError: also what timed out
            return SendResult(key, Outcome.IN_DOUBT, "CONNECTION_LOST")
        if status in THROTTLED:
            _remember(self._held, origin, retry_seconds(headers.get("Retry-After", "")))
            raise _ThrottledError
        outcome, reason = meaning(status)
        ref = message_name(headers.get("Location", "")) if outcome is Outcome.SENT else ""
        return SendResult(key, outcome, reason, ref)

    def _headers(self, ready: _Ready) -> dict[str, str]:
        content, urgent = ready.message.content, ready.message.is_urgent
        assert isinstance(content, PushContent)
        headers = {
            "Authorization": self._signatures.header(ready.address.origin),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(min(self._ttl_seconds, _URGENT_TTL_SECONDS) if urgent else self._ttl_seconds),
            "Urgency": "high" if urgent else "normal",
        }
        if content.tag:
            headers["Topic"] = topic(content.tag)
        return headers

    def _running(self) -> asyncio.AbstractEventLoop:
        """The loop, with a session to post through."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._session = self._loop.run_until_complete(self._open())
        return self._loop

    async def _open(self) -> aiohttp.ClientSession:
        return open_session(
            connections=self._concurrency, connect_seconds=CONNECT_SECONDS, answer_seconds=ANSWER_SECONDS
        )

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._running().run_until_complete(work)


def build(config: ProviderConfig) -> WebPushGateway:
    """The gateway of a provider whose gateway is `webpush`."""
    return WebPushGateway(code=config.code, options=config.options)


def payload(content: PushContent) -> bytes:
    """What the service worker gets: JSON {"title", "body", "url", "tag"} in UTF-8."""
    shown = {"title": content.title, "body": content.body, "url": content.url, "tag": content.tag}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def topic(tag: str) -> str:
    """The name under which a service replaces a message that still waits (RFC 8030, 5.4: up to 32 letters of
    base64url). A digest, so that the service learns nothing from the tag."""
    return encoded(hashlib.blake2b(tag.encode(), digest_size=18).digest())


def message_name(location: str) -> str:
    """What a service calls a message: the end of the address it gave it. "" for none."""
    return _UNSAFE.sub("", location.rstrip("/").rpartition("/")[2])[:_LONGEST_REF]


def retry_seconds(text: str) -> float:
    """How long a Retry-After asks to wait, in seconds or until a date, within bounds."""
    seconds = _USUAL_RETRY_SECONDS
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    elif text:
        with contextlib.suppress(ValueError):
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
    return min(max(seconds, _SHORTEST_RETRY_SECONDS), _LONGEST_RETRY_SECONDS)


async def _first(
    posts: Collection[asyncio.Task[SendResult]], seconds: float | None
) -> set[asyncio.Task[SendResult]]:
    """The posts that ended, as soon as one did or `seconds` have passed."""
    if not posts:
        await asyncio.sleep(seconds or 0.0)
        return set()
    return (await asyncio.wait(posts, timeout=seconds, return_when=asyncio.FIRST_COMPLETED))[0]


def _remember(moments: dict[str, float], origin: str, seconds: float) -> None:
    """Set the origin's moment, `seconds` from now."""
    now = time.monotonic()
    if len(moments) >= _MOST_ORIGINS:
        for old in [name for name, until in moments.items() if until <= now] or list(moments):
            del moments[old]
    moments[origin] = now + seconds


def _not_tried(ready: _Ready, reason: str) -> SendResult:
    return SendResult(ready.message.key, Outcome.NOT_TRIED, reason)


def _whole(code: str, options: dict[str, Any], name: str, *, default: int, most: int) -> int:
    value = options.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise UserError(f"{code}: {name} is a whole number, 1 to {most:,}.")
    return value
