"""The simulated push service: an HTTP server on its own thread that takes messages as RFC 8030 says.

`/push/<number>` takes them; GET `/stats` and `/messages` show what became of them, PUT `/faults` sets its faults, all
as JSON. It keeps the last messages in memory and nothing on disk.
"""

import asyncio
import base64
import json
import random
import threading
import time
from collections import Counter, deque
from types import TracebackType
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tayyar.core.errors import UserError
from tayyar.gateways.push_peer.browsers import opened
from tayyar.gateways.push_peer.faults import Faults

HOST = "127.0.0.1"
_MOST_BODY_BYTES = 4096
_MOST_KEPT = 10_000
_DAY_SECONDS = 86_400
COUNTED_AS = {"throttle": "throttled", "error": "failed", "hang": "hung", "cut": "cut"}


class PushPeer:
    """The server. A context manager: listening inside the block; `port` is known then.

    `counts`: of posts by what became of them (taken, throttled, failed, hung, cut, gone, refused, unreadable), and of
    those taken that were the same message again (repeated). `messages`: the last taken, oldest first.
    """

    def __init__(self, *, port: int = 0, faults: Faults | None = None, seed: int = 1) -> None:
        self.port, self.faults = port, faults or Faults()
        self.counts: Counter[str] = Counter()
        self.messages: deque[dict[str, Any]] = deque(maxlen=_MOST_KEPT)
        self._seen: set[int] = set()
        self._known: dict[str, float] = {}  # Authorization header -> until when it is good
        self._random = random.Random(seed)  # noqa: S311 - which post fails is no secret
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="push-peer", daemon=True)

    def __enter__(self) -> "PushPeer":
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError as error:
            self._end()
            raise UserError(
                f"The push service cannot listen on {HOST}:{self.port} ({error.strerror}). "
                "Stop what uses that port, or choose another."
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "GET" and request.path == "/stats":
            return web.json_response(dict(self.counts))
        if request.method == "GET" and request.path == "/messages":
            return web.json_response(list(self.messages))
        if request.method == "PUT" and request.path == "/faults":
            self.faults = Faults(**await request.json())
            return web.Response(status=204)
        head, _, number = request.path.rpartition("/")
        if request.method != "POST" or head != "/push" or not (number.isascii() and number.isdigit()):
            return web.Response(status=404)
        return await self._take(request, int(number))

    async def _take(self, request: web.BaseRequest, number: int) -> web.StreamResponse:
        body = await request.read()
        if self.faults.delay_seconds:
            await asyncio.sleep(self.faults.delay_seconds)
        if refusal := self._refusal(request, body):
            self.counts["refused"] += 1
            return web.Response(status=refusal)
        if self.faults.is_gone(number):
            self.counts["gone"] += 1
            return web.Response(status=410)
        kind = self.faults.kind(self._random.random())
        if kind:
            self.counts[COUNTED_AS[kind]] += 1
        if kind == "throttle":
            return web.Response(status=429, headers={"Retry-After": str(self.faults.retry_after_seconds)})
        if kind == "error":
            return web.Response(status=503)
        if kind == "hang":
            await asyncio.sleep(_DAY_SECONDS)
        try:
            name = self._keep(request, body, number)
        except ValueError:  # a browser drops what it cannot open; nobody is told
            self.counts["unreadable"] += 1
            name = f"unreadable-{self.counts['unreadable']}"
        if kind == "cut":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(
            status=201, headers={"Location": f"http://{HOST}:{self.port}/message/{name}", "TTL": "0"}
        )

    def _keep(self, request: web.BaseRequest, body: bytes, number: int) -> str:
        shown = json.loads(opened(body, number))
        mark = hash((number, shown["tag"], shown["title"], shown["body"]))
        self.counts["taken"] += 1
        self.counts["repeated"] += mark in self._seen
        self._seen.add(mark)
        name = f"{number}-{self.counts['taken']}"
        told = {header: request.headers.get(header, "") for header in ("TTL", "Urgency", "Topic")}
        self.messages.append({"name": name, "browser": number, **told, **shown})
        return name

    def _refusal(self, request: web.BaseRequest, body: bytes) -> int:
        """The status that a real service refuses such a post with; 0: it takes it."""
        headers = request.headers
        ttl, topic = headers.get("TTL", ""), headers.get("Topic", "")
        if not ttl.isdigit() or headers.get("Content-Encoding") != "aes128gcm" or len(topic) > 32:
            return 400
        if len(body) > _MOST_BODY_BYTES:
            return 413
        return 0 if self._is_known(headers.get("Authorization", "")) else 401

    def _is_known(self, header: str) -> bool:
        now = time.time()
        if self._known.get(header, 0.0) > now:
            return True
        try:
            claims = verified_claims(header)
            good = claims["aud"] == f"http://{HOST}:{self.port}" and now < claims["exp"] <= now + _DAY_SECONDS
            if good and str(claims["sub"]).startswith(("mailto:", "https://")):
                self._known[header] = float(claims["exp"])
                return True
        except (ValueError, KeyError, TypeError, InvalidSignature):
            pass
        return False


def verified_claims(header: str) -> dict[str, Any]:
    """What a VAPID header says (RFC 8292). InvalidSignature, or ValueError where it is none."""
    scheme, _, rest = header.partition(" ")
    fields = dict(part.strip().split("=", 1) for part in rest.split(","))
    if scheme.lower() != "vapid" or not {"t", "k"} <= fields.keys():
        raise ValueError("not a VAPID header")
    signed, _, signature = fields["t"].rpartition(".")
    raw = _decoded(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(fields["k"]))
    pair = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key.verify(encode_dss_signature(*pair), signed.encode(), ec.ECDSA(hashes.SHA256()))
    claims = json.loads(_decoded(signed.partition(".")[2]))
    if not isinstance(claims, dict):
        raise ValueError("its claims are none")
    return claims


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
