"""The adapter to Nafath. Source: its MFA service as several public clients use it (docs/identity-authorities.md)."""

import datetime as dt
import json
import logging
import uuid
from dataclasses import dataclass, field
from typing import Any

from tayyar.gateways.authority.entry import AuthorityEntry, Options
from tayyar.gateways.authority.errors import refusal
from tayyar.gateways.authority.facts import as_date, as_text, is_same
from tayyar.gateways.authority.inquiry import Inquiry
from tayyar.gateways.authority.refs import opened_ref, sealed_ref
from tayyar.gateways.authority.tokens import SigningKeys, TokenRefused, verified
from tayyar.gateways.http import Answer
from tayyar.identity.answers import keep_answer, kept_answer
from tayyar.identity.models import IdType
from tayyar.identity.ports import Asked, Proven, Way

ALGORITHMS = ("RS256",)
_NAMES = ("firstName", "fatherName", "grandFatherName", "familyName")
_NUMBERS = {IdType.NATIONAL_ID: "nin", IdType.RESIDENCE: "iqamaNumber"}
_BUSY = "400-034-050"  # a request of this person is open in their app
_OVER = frozenset({"400-034-051", "400-034-053"})
_GRACE = dt.timedelta(seconds=30)  # the call with the token may come after the status
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NafathOptions:
    """`service`: the kind of request agreed with Nafath. `audience`: our name there, which its tokens are made out to;
    "": no call back was agreed, and the status alone is the proof. `decide_seconds`: how long the person has."""

    app_id: str
    app_key: str = field(repr=False)
    base_url: str
    service: str
    audience: str
    decide_seconds: int
    timeout_seconds: int


class NafathAuthority:
    """See identity.ports.IdentityAuthority."""

    def __init__(self, entry: AuthorityEntry, options: NafathOptions) -> None:
        self.code, self.id_types, self.options = entry.code, entry.id_types, options
        self._inquiry = Inquiry(entry.code, timeout_seconds=options.timeout_seconds)
        self._headers = {"APP-ID": options.app_id, "APP-KEY": options.app_key}
        self._keys = SigningKeys(self._fetch_keys)

    def ask(
        self, *, id_type: IdType, number: str, birth_date: dt.date, back_url: str, now: dt.datetime
    ) -> Asked:
        """Put a request into the person's app; `shown` is the number that they pick there."""
        if id_type not in self.id_types:
            raise refusal("NOT_COVERED")
        answer = self._inquiry.post_json(
            f"{self.options.base_url}/api/v1/mfa/request?local=ar&requestId={uuid.uuid4()}",
            {"nationalId": number, "service": self.options.service},
            headers=self._headers,
            until=self._inquiry.deadline(),
            may_repeat=False,  # the second would be refused while the first is open
        )
        self._refuse(answer, of_request=True)
        content = self._inquiry.content(answer)
        trans_id, shown = as_text(content.get("transId")), as_text(content.get("random"))
        if not trans_id or not shown:
            raise self._inquiry.down("an answer without transId or random")
        until = now + dt.timedelta(seconds=self.options.decide_seconds)
        facts = {
            "trans_id": trans_id,
            "random": shown,
            "id_type": id_type.value,
            "number": number,
            "birth_date": birth_date.isoformat(),
            "until": until.isoformat(),
        }
        return Asked(way=Way.APPROVAL, ref=sealed_ref(self.code, facts), shown=shown, expires_at=until)

    def answer(self, *, ref: str, sent: dict[str, str], now: dt.datetime) -> Proven | None:
        """What the person decided. With `audience` the signed token is the proof, and the status only its herald."""
        facts = opened_ref(self.code, ref)
        if token := kept_answer(authority=self.code, ref=facts["trans_id"]):
            return self._decided(json.loads(token), facts)
        is_over = now > dt.datetime.fromisoformat(facts["until"]) + _GRACE
        content = self._status(facts)
        if content.get("status") == "COMPLETED" and self.options.audience:
            content = {**content, "status": "WAITING"}  # its token is on its way
        if content.get("status") == "WAITING" and is_over:
            raise refusal("EXPIRED")
        person = content.get("person")
        return self._decided({**(person if isinstance(person, dict) else {}), **content}, facts)

    def heard(self, content: Any, *, now: dt.datetime) -> bool:
        """Keep what Nafath called with, {"token", "transId", ...}; False when it is not believed.

        AuthorityError DOWN when its keys cannot be had: it will call again.
        """
        token = as_text(content.get("token")) if isinstance(content, dict) else ""
        if not token or not self.options.audience:
            return False
        try:
            claims = verified(
                token,
                keys=self._keys,
                algorithms=ALGORITHMS,
                audience=self.options.audience,
                issuer=None,  # no public source commits to its spelling
                now=now,
                until=self._inquiry.deadline(),
            )
        except TokenRefused as error:
            _log.warning("Identity authority %s called, and %s", self.code, error)
            return False
        trans_id = as_text(claims.get("transId"))
        if not trans_id or not is_same(trans_id, as_text(content.get("transId"))):
            _log.warning("Identity authority %s called with a token of another request", self.code)
            return False
        if claims.get("status") not in ("COMPLETED", "REJECTED", "EXPIRED"):
            return False
        keep_answer(authority=self.code, ref=trans_id, answer=json.dumps(claims), now=now)
        return True

    def _status(self, facts: dict[str, str]) -> dict[str, Any]:
        answer = self._inquiry.post_json(
            f"{self.options.base_url}/api/v1/mfa/request/status",
            {"nationalId": facts["number"], "transId": facts["trans_id"], "random": facts["random"]},
            headers=self._headers,
            until=self._inquiry.deadline(),
            may_repeat=True,
        )
        self._refuse(answer, of_request=False)
        return self._inquiry.content(answer)

    def _refuse(self, answer: Answer, *, of_request: bool) -> None:
        """Raise what a refusing status means."""
        if answer.status < 400:
            return
        content = answer.json()
        code = as_text(content.get("code")) if isinstance(content, dict) else ""
        if code in _OVER:
            raise refusal("EXPIRED")
        if of_request and answer.status in (400, 422) and code != _BUSY:
            raise refusal("MISMATCH")  # no such person, or not in Nafath: never told apart
        raise self._inquiry.down(f"status {answer.status}, code {code or 'none'}")

    def _decided(self, told: dict[str, Any], facts: dict[str, str]) -> Proven | None:
        status = told.get("status")
        if status == "WAITING":
            return None
        if status in ("REJECTED", "EXPIRED"):
            raise refusal(status)
        if status != "COMPLETED":
            raise self._inquiry.down("a status that is not known")
        id_type = IdType(facts["id_type"])
        number = as_text(told.get(_NUMBERS.get(id_type, "")))
        birth_date = as_date(told.get("dateOfBirthG"))
        if number and not is_same(number, facts["number"]):
            raise refusal("MISMATCH")
        if birth_date and birth_date.isoformat() != facts["birth_date"]:
            raise refusal("MISMATCH")
        name = " ".join(part for part in (as_text(told.get(key)) for key in _NAMES) if part)
        return Proven(id_type=id_type, number=facts["number"], name=name, birth_date=birth_date)

    def _fetch_keys(self, until: float) -> Any:
        answer = self._inquiry.get(
            f"{self.options.base_url}/api/v1/mfa/jwk", headers=self._headers, until=until
        )
        return self._inquiry.content(answer)


def build(entry: AuthorityEntry) -> NafathAuthority:
    """The adapter of an entry; UserError says what the entry lacks."""
    options = Options(entry)
    found = NafathOptions(
        app_id=options.secret("app_id"),
        app_key=options.secret("app_key"),
        base_url=options.url("base_url", "https://nafath.api.elm.sa"),
        service=options.text("service"),
        audience=options.text("audience", ""),
        decide_seconds=options.seconds("decide_seconds", 180, most=600),
        timeout_seconds=options.seconds("timeout_seconds", 10, most=30),
    )
    options.done()
    return NafathAuthority(entry, found)
