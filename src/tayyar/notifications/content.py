"""What a message is about: the facts its module supplies, and who supplies them.

Owns the facts' shape and the registries of their providers, documents and digests. Never looks a bill up and knows no
sentence. Next: templates.py puts facts into words; delivery.py asks here and sends.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.ports import Attachment

NO_ACCOUNT = 0  # the `account_id` of what is told to a person outside any account


class MessageKey(NamedTuple):
    """Which message, about what, for whom, in which language ("ar", "en", "fr")."""

    period: int
    kind: int
    ref: int
    recipient: int
    account_id: int
    language: str


@dataclass(frozen=True, slots=True)
class Row:
    """One of several things that a message tells of, such as one bill of many; `url` opens it."""

    label: str
    value: str
    url: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What one message says, every value written for its reader in the message's language.

    `template` names the words that fit; `values` are its variables (variables.py). `url` is where the message leads, ""
    for none; `document_url` a PDF that anyone with the link can fetch, named `document_name`; `preferences_url` where
    the reader chooses how to be told. `rows`, shown by e-mail, are what a digest puts together. From `expires_at` on
    it is not sent any more.
    """

    ref: int
    recipient: int
    template: str
    values: Mapping[str, str]
    utility_name: str
    url: str
    document_url: str = ""
    document_name: str = ""
    preferences_url: str = ""
    rows: tuple[Row, ...] = ()
    expires_at: dt.datetime | None = None


Provider = Callable[[Sequence[MessageKey]], Sequence[Facts]]
DocumentMaker = Callable[[MessageKey], Attachment]
Digest = Callable[[Sequence[MessageKey]], Facts | None]

_providers: dict[int, Provider] = {}
_documents: dict[int, DocumentMaker] = {}
_digests: dict[int, Digest] = {}


def register_content(kind: MessageKind, provider: Provider) -> None:
    """The module that owns `kind`'s documents supplies their facts: one for each key asked, in any order.

    A key it leaves out has nothing to say any more.
    """
    _providers[kind] = provider


def register_document(kind: MessageKind, maker: DocumentMaker) -> None:
    """How the document that a message of `kind` tells of is made, where a reader wants it with the e-mail."""
    _documents[kind] = maker


def register_digest(kind: MessageKind, digest: Digest) -> None:
    """How messages of `kind` to one person, about several accounts, become one. Its facts carry the first key's ref
    and recipient; None when none of the keys has anything to say any more."""
    _digests[kind] = digest


def known_kinds() -> list[int]:
    """The kinds whose content this process can supply; it claims no other messages."""
    return list(_providers)


def facts_of(keys: Sequence[MessageKey]) -> dict[tuple[int, int], Facts]:
    """The facts for messages of one kind, by (ref, recipient)."""
    return {(facts.ref, facts.recipient): facts for facts in _providers[keys[0].kind](keys)}


def document_of(key: MessageKey) -> Attachment | None:
    """The document that the message tells of; None where its kind has none."""
    maker = _documents.get(key.kind)
    return maker(key) if maker else None


def has_digest(kind: int) -> bool:
    """Whether several messages of this kind to one person can become one."""
    return kind in _digests


def digest_of(keys: Sequence[MessageKey]) -> Facts | None:
    """The facts of one message that tells all of `keys`, which are of one kind and go to one person."""
    return _digests[keys[0].kind](keys)
