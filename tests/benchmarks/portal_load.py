"""Load on a web server: wrk for the most it answers, and a client of our own that keeps a rate.

The rate is an open loop: each request is due at its own moment whatever became of the others, and its time counts from
that moment, so that a server that stalls is not asked less (no coordinated omission). Next: bench_portal.py.
"""

import asyncio
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

_AGENT = "Mozilla/5.0 (Linux; Android 14; Mobile) Chrome/120.0 Mobile Safari/537.36"
# Each request asks for a path drawn at random, as one of 50,000 addresses behind the proxy.
_LUA = """
local paths = {}
for line in io.lines("%(paths)s") do paths[#paths + 1] = line end
local threads = 0
function setup(thread) thread:set("seed", threads); threads = threads + 1 end
function init() math.randomseed(os.time() * 100 + seed) end
local headers = {["User-Agent"] = "%(agent)s", ["Accept-Language"] = "ar"}
function request()
  headers["X-Forwarded-For"] = "10.7." .. math.random(0, 195) .. "." .. math.random(0, 255)
  return wrk.format("GET", paths[math.random(#paths)], headers)
end
"""


class Page(NamedTuple):
    """A page behind a login: its path and the session's cookie."""

    path: str
    cookie: str


def wrk(folder: Path, port: int, paths: Sequence[str], connections: int, seconds: int) -> float:
    """Requests a second that the server on `port` answers with 200. RuntimeError when any answer is another."""
    listed, script = folder / "paths.txt", folder / "paths.lua"
    listed.write_text("\n".join(paths) + "\n")
    script.write_text(_LUA % {"paths": listed, "agent": _AGENT})
    command = [
        "wrk",
        "-t2",
        f"-c{connections}",
        f"-d{seconds}s",
        "-s",
        str(script),
        f"http://127.0.0.1:{port}",
    ]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s*([\d.]+)", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return float(found[1])


def fixed_rate(
    port: int,
    pages: Sequence[Page],
    *,
    per_second: int,
    seconds: int,
    logins: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Ask for the pages in turn at that rate; with `logins`, all of them (who, password) at once a second later."""
    return asyncio.run(_fixed_rate(port, pages, per_second, seconds, logins))


async def _fixed_rate(
    port: int, pages: Sequence[Page], per_second: int, seconds: int, logins: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    taken: list[float] = []
    wrong: list[int] = []
    idle: list[_Line] = []
    began = time.perf_counter() + 0.1

    async def ask(place: int) -> None:
        due = began + place / per_second
        await asyncio.sleep(due - time.perf_counter())
        page = pages[place % len(pages)]
        line = idle.pop() if idle else await _Line.open(port)
        status, _, _ = await line.ask("GET", page.path, place, cookie=page.cookie)
        taken.append(time.perf_counter() - due)
        if status != 200:
            wrong.append(status)
        idle.append(line)

    async def sign_in(place: int, who: str, password: str) -> tuple[int, float]:
        await asyncio.sleep(began + 1 - time.perf_counter())
        at = time.perf_counter()
        line = await _Line.open(port)
        try:
            return await _sign_in(line, place, who, password), time.perf_counter() - at
        finally:
            line.close()

    asked = [ask(place) for place in range(per_second * seconds)]
    storm = [sign_in(place, who, password) for place, (who, password) in enumerate(logins)]
    answers: list[Any] = await asyncio.gather(*asked, *storm)
    for line in idle:
        line.close()
    ranked = sorted(taken)
    result = {
        "per_second": per_second,
        "requests": len(ranked),
        "p50_ms": round(ranked[len(ranked) // 2] * 1000, 1),
        "p99_ms": round(ranked[len(ranked) * 99 // 100] * 1000, 1),
        "most_ms": round(ranked[-1] * 1000, 1),
        "not_200": len(wrong),
    }
    if storm:
        done = answers[len(asked) :]
        result["logins"] = len(done)
        result["signed_in"] = sum(status == 302 for status, _ in done)
        result["asked_to_wait"] = sum(status == 503 for status, _ in done)
        result["last_login_s"] = round(max(took for _, took in done), 1)
    return result


async def _sign_in(line: "_Line", place: int, who: str, password: str) -> int:
    """The login's page, its form posted; the status of the answer to that. A 503 is not asked again."""
    status, headers, body = await line.ask("GET", "/login", place)
    cookie = re.search(r"csrftoken=([^;]+)", headers)
    hidden = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', body)
    if status != 200 or cookie is None or hidden is None:
        return status
    form = urlencode({"typed": who, "password": password, "csrfmiddlewaretoken": hidden[1]})
    status, _, _ = await line.ask("POST", "/login", place, cookie=f"csrftoken={cookie[1]}", form=form)
    return status


class _Line:
    """One kept connection."""

    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._port, self._reader, self._writer = port, reader, writer

    @classmethod
    async def open(cls, port: int) -> "_Line":
        return cls(port, *await asyncio.open_connection("127.0.0.1", port))

    def close(self) -> None:
        self._writer.close()

    async def ask(
        self, method: str, path: str, place: int, *, cookie: str = "", form: str = ""
    ) -> tuple[int, str, str]:
        """(status, headers, body) of one request, as the address that `place` stands for."""
        site = f"127.0.0.1:{self._port}"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {site}", f"User-Agent: {_AGENT}", "Accept-Language: ar",
                 f"X-Forwarded-For: 10.9.{place // 250 % 250}.{place % 250}"]  # fmt: skip
        if cookie:
            lines.append(f"Cookie: {cookie}")
        if form:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}",
                      f"Origin: http://{site}"]  # fmt: skip
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n" + form).encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        if length:
            body = await self._reader.readexactly(int(length[1]))
        else:
            body = b""
            while size := int(await self._reader.readline(), 16):
                body += (await self._reader.readexactly(size + 2))[:-2]
            await self._reader.readline()
        return int(head.split(" ", 2)[1]), head, body.decode(errors="replace")
