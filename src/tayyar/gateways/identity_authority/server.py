"""The local authority: an HTTP server on its own thread that answers about made-up people.

POST `/person`, `/addresses` and `/address` ask it, as JSON and with its key; GET `/stats` counts, PUT `/faults` sets
what goes wrong. It keeps nothing on disk and writes no number anywhere.
"""

import asyncio
import datetime as dt
import hmac
import json
import random
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from aiohttp import web

from tayyar.core.errors import UserError
from tayyar.gateways.identity_authority import HOST, KEY_HEADER, addresses
from tayyar.gateways.identity_authority.faults import Faults
from tayyar.gateways.identity_authority.people import person_of
from tayyar.identity.models import IdType

COUNTED_AS = {"slow": "slowed", "down": "failed", "mismatch": "mismatched"}


class IdentityPeer:
    """The server. A context manager: listening inside the block; `port` is known then.

    `counts`: requests by what became of them (taken, slowed, failed, mismatched, refused). `known`: what the demo's
    books say of a person by identity number, {"name", "phone"}; it goes before what is made up.
    """

    def __init__(
        self,
        *,
        key: str,
        country: str = "sa",
        port: int = 0,
        faults: Faults | None = None,
        known: Mapping[str, Mapping[str, str]] | None = None,
        seed: int = 1,
    ) -> None:
        self.port, self.country, self.faults = port, country, faults or Faults()
        self.counts: Counter[str] = Counter()
        self._key, self._known = key, known or {}
        self._random = random.Random(seed)  # noqa: S311 - which request fails is no secret
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="identity-peer", daemon=True)

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> "IdentityPeer":
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError as error:
            self._end()
            raise UserError(
                f"The local authority cannot listen on {HOST}:{self.port} ({error.strerror}). "
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
        await web.TCPSite(self._runner, HOST, self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "GET" and request.path == "/stats":
            return web.json_response(dict(self.counts))
        if request.method == "PUT" and request.path == "/faults":
            self.faults = Faults(**await request.json())
            return web.Response(status=204)
        ask = {"/person": self._person, "/addresses": self._addresses, "/address": self._address}
        if request.method != "POST" or request.path not in ask:
            return web.Response(status=404)
        if not hmac.compare_digest(request.headers.get(KEY_HEADER, "").encode(), self._key.encode()):
            self.counts["refused"] += 1
            return web.Response(status=401)
        try:
            asked = {str(name): str(value) for name, value in (await request.json()).items()}
            kind = self.faults.kind(asked.get("number", ""), self._random.random())
            self.counts[COUNTED_AS.get(kind, "taken")] += 1
            if kind == "slow":
                await asyncio.sleep(self.faults.slow_seconds)
            if kind == "down":
                return web.Response(status=503)
            if kind == "mismatch" and request.path == "/person":
                return web.Response(status=404)
            return ask[request.path](asked)
        except (ValueError, KeyError, AttributeError):
            return web.Response(status=400)

    def _person(self, asked: Mapping[str, str]) -> web.Response:
        id_type, number = IdType(asked["id_type"]), asked["number"]
        found = person_of(self.country, id_type, number)
        is_business = id_type == IdType.COMMERCIAL_REGISTER
        if not is_business and found.birth_date != dt.date.fromisoformat(asked["birth_date"]):
            return web.Response(status=404)
        person = {
            "name": found.name,
            "birth_date": "" if is_business else found.birth_date.isoformat(),
            "nationality": found.nationality,
            "phone": found.phone,
        }
        known = self._known.get(number, {}) if id_type == IdType.NATIONAL_ID else {}
        return web.json_response({**person, **known})

    def _addresses(self, asked: Mapping[str, str]) -> web.Response:
        found = addresses.addresses_of(self.country, IdType(asked["id_type"]), asked["number"])
        return web.json_response({"addresses": found})

    def _address(self, asked: Mapping[str, str]) -> web.Response:
        found = addresses.find(
            self.country, asked["building_number"], asked["postal_code"], asked["additional_number"]
        )
        return web.json_response({"address": found})


def read_known(path: Path) -> dict[str, dict[str, str]]:
    """The people of the demo's books, {number: {"name", "phone"}}; none where there is no such file."""
    if not path.exists():
        return {}
    found: dict[str, dict[str, str]] = json.loads(path.read_text("utf-8"))
    return found
