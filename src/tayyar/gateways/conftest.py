"""What the tests of the authorities' adapters share: an HTTP server that answers as told, and keys that sign tokens."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa


@dataclass
class Heard:
    """A request as the server heard it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


Reply = Callable[[Heard], tuple[int, Any] | None]  # None: the connection ends without an answer


@dataclass
class Scripted:
    """`on[path]` answers; `heard` keeps what came."""

    url: str = ""
    on: dict[str, Reply] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [heard.path for heard in self.heard]


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A real server at 127.0.0.1 whose answers the test writes."""
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            parts = urlsplit(self.path)
            heard = Heard(
                self.command,
                parts.path,
                {name: values[0] for name, values in parse_qs(parts.query).items()},
                dict(self.headers),
                self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            )
            script.heard.append(heard)
            answered = script.on[parts.path](heard) if parts.path in script.on else (404, {})
            if answered is None:
                self.close_connection = True
                return
            status, content = answered
            body = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
            with contextlib.suppress(OSError):  # who asked may have given up
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield script
    server.shutdown()
    server.server_close()


class Signer:
    """A key of an authority: its public half as a JWK, and tokens signed with it."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {**public, "kid": self.kid, "use": "sig", "alg": "RS256"}

    def token(self, claims: dict[str, Any], *, algorithm: str = "RS256") -> str:
        return jwt.encode(claims, self.key, algorithm=algorithm, headers={"kid": self.kid})


@pytest.fixture(scope="session")
def signer() -> Signer:
    """The authority's key."""
    return Signer("first")


@pytest.fixture(scope="session")
def stranger() -> Signer:
    """A key of somebody else that bears the same name."""
    return Signer("first")
