"""What passes through a simulated provider: messages in, refusals and calls out."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Message:
    """One message as handed over. `key` is the echo it carries; `told` the rest, for the log."""

    to: str
    key: str
    units: int = 1
    told: dict[str, Any] = field(default_factory=dict)


class Event(NamedTuple):
    """One receipt: the message, its number at the provider, the provider's word for the state, a failure's code."""

    message: Message
    number: int
    state: str
    code: int


class Call(NamedTuple):
    """One request to the receiver."""

    headers: dict[str, str]
    body: bytes


class Refused(Exception):
    """The provider will not have this request: HTTP status, its own code, and the answer's content."""

    def __init__(self, status: int, code: int, content: dict[str, Any]) -> None:
        super().__init__(code)
        self.status, self.code, self.content = status, code, content
