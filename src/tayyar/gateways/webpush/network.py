"""The connection to push services, which reaches public hosts only.

The address of a subscription comes from a stranger's browser: whatever it names, nothing inside our own network may
be asked. The name is resolved once, every address is looked at, and that very address is connected to.
"""

import asyncio
import ipaddress
import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotPublicError(OSError):
    """The host's name leads to an address that is not of the public internet."""


class PublicResolver(AbstractResolver):
    """Resolves names; refuses the whole name when one of its addresses is not public."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of `host`. NotPublicError, or OSError where there are none."""
        found = await self._system.resolve(host, port, family)
        if not all(is_public(address["host"]) for address in found):
            raise NotPublicError(f"{host} is not a public host")
        return found

    async def close(self) -> None:
        """Nothing is held."""


def is_public(text: str) -> bool:
    """Whether an IP address may be connected to; also one that is wrapped into IPv6 by some translation."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if address.teredo:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def open_session(*, connections: int, connect_seconds: float, answer_seconds: float) -> aiohttp.ClientSession:
    """A client session with a pool of connections; must be called inside the running loop that will use it.

    It follows no proxy of the environment and keeps no cookie.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=connections, resolver=PublicResolver(), ttl_dns_cache=60, keepalive_timeout=30
        ),
        timeout=aiohttp.ClientTimeout(
            total=connect_seconds + answer_seconds, sock_connect=connect_seconds, sock_read=answer_seconds
        ),
        cookie_jar=aiohttp.DummyCookieJar(loop=asyncio.get_running_loop()),
        auto_decompress=False,
        trust_env=False,
    )
