"""Requests from opening to decision: what is asked, who is told, what follows, and what is refused."""

import datetime as dt
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pypdf
import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from PIL import Image
from tests.scenarios import cast

from tayyar.claims.models import Holding
from tayyar.console.roles import CLERK, ensure_roles
from tayyar.core import clock, crypto
from tayyar.core.models import AuditEntry
from tayyar.customers.models import Channel, ContactPoint, Language, Preference
from tayyar.customers.reviews import open_review
from tayyar.customers.services import ADDRESS_FIELD, add_contact_point
from tayyar.identity.models import Person
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Message, MessageState, Payload
from tayyar.notifications.payloads import PAYLOAD_FIELD
from tayyar.requests import queries, registry, services
from tayyar.requests.catalogue import request_types
from tayyar.requests.documents import Upload
from tayyar.requests.errors import FormRefused, RequestRefused
from tayyar.requests.models import RequestDocument, RequestEvent, RequestState, ServiceRequest, Via

NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)  # a Monday in Riyadh; Friday and Saturday are its weekend
ACCOUNT, OTHER = cast.account_id(cast.SALMA), cast.account_id(cast.NASSER)
READING = {"read_on": "2026-11-01", "value_kwh": "1234"}


def make_person(member: int, *, language: Language = Language.ar) -> Person:
    """A member of the cast with a login and a mobile of their own."""
    own = ContactPoint.objects.create(
        channel=Channel.SMS,
        address_sealed=crypto.seal(f"+96655000000{member}", field=ADDRESS_FIELD),
        address_hash=crypto.lookup_hash(f"+96655000000{member}", field=ADDRESS_FIELD),
        verified_at=NOW,
    )
    return Person.objects.create(
        user=User.objects.create_user(f"person{member}"),
        customer_id=member,
        id_type="NATIONAL_ID",
        id_sealed=b"-",
        id_hash=bytes([member]) * 16,
        nationality="SA",
        birth_date=cast.day("1980-01-01"),
        language=language,
        mobile=own,
        verified_by="LOCAL",
        verified_at=NOW,
        created_at=NOW,
    )


@pytest.fixture
def salma(books: None) -> Iterator[Person]:
    """Salma with her account, a telephone number of it, and a login; Nasser with his."""
    for member in (cast.SALMA, cast.NASSER):
        cast.settle(member, start=cast.day("2026-08-28"))
    add_contact_point(
        account_id=ACCOUNT,
        channel=Channel.SMS,
        address="+966500000021",
        verified_at=NOW,
        actor="user:1",
        now=NOW,
    )
    Holding.objects.create(
        account_id=ACCOUNT,
        customer_id=cast.SALMA,
        role="OWNER",
        start_date=cast.day("2026-08-28"),
        created_at=NOW,
    )
    yield make_person(cast.SALMA)


@pytest.fixture
def clerk(db: None) -> User:
    return User.objects.create_user("clerk", is_staff=True)


def ask(person: Person | None, type_code: str = "READING_DISPUTE", **more: Any) -> ServiceRequest:
    """Opens a reading dispute unless told otherwise."""
    wanted: dict[str, Any] = {
        "account_id": ACCOUNT,
        "form": READING,
        "via": Via.WEB,
        "language": Language.ar,
        "once_key": None,
        "now": NOW,
    }
    return services.open_request(type_code=type_code, person=person, **(wanted | more))


def told() -> list[tuple[int, int | None, str]]:
    """Account, contact point and sentence of each REQUEST_UPDATE, in order."""
    found = []
    for message in Message.objects.filter(kind=MessageKind.REQUEST_UPDATE).order_by("ref"):
        sealed = Payload.objects.get(ref=message.ref).facts_sealed
        raw = json.loads(crypto.unseal(bytes(sealed), field=PAYLOAD_FIELD))
        found.append((message.account_id, message.contact_point_id, raw["values"]["update_text"]))
    return found


def happened(request: ServiceRequest) -> list[str]:
    return [one.what for one in queries.history_of(request, with_internal=True)]


def picture(shade: int = 0) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (30, 20), (shade, 0, 0)).save(made, "PNG")
    return made.getvalue()


class Recorder:
    """A handler that remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.refuses = False

    def opened(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        self.calls.append(("opened", form["role"]))

    def decided(
        self, *, request: ServiceRequest, form: dict[str, Any], is_approved: bool, now: dt.datetime
    ) -> None:
        if self.refuses:
            raise RequestRefused("GONE", "not now")
        self.calls.append(("decided", is_approved))

    def withdrawn(self, *, request: ServiceRequest, form: dict[str, Any], now: dt.datetime) -> None:
        self.calls.append(("withdrawn",))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setitem(registry._handlers, "TRANSFER", made)
    return made


TRANSFER = {"role": "OWNER", "start_date": "2026-11-01", "is_beneficiary": "YES"}


# ------------------------------------------------------------------------------------------------------------ opening


def test_a_request_gets_a_reference_a_deadline_in_working_days_and_the_asker_is_told(salma: Person) -> None:
    request = ask(salma)
    # ten working days after Monday 2 November: 3 4 5, 8 9 10 11 12, 15 16; Fridays and Saturdays are free
    assert request.due_on == cast.day("2026-11-16")
    assert (request.state, request.step) == (RequestState.OPEN, "REVIEW")
    assert queries.form_of(request) == {"read_on": "2026-11-01", "value_kwh": 1234}
    [(account, contact, sentence)] = told()
    assert (account, contact) == (ACCOUNT, None) and "16 نوفمبر 2026" in sentence
    assert happened(request) == ["OPENED"]


def test_the_form_is_sealed(salma: Person) -> None:
    request = ask(salma, form=READING | {"text": "كلب شرس عند الباب"})
    assert "كلب".encode() not in bytes(ServiceRequest.objects.get().form_sealed)
    assert queries.form_of(request)["text"] == "كلب شرس عند الباب"


def test_a_form_that_is_sent_twice_opens_one_request(salma: Person) -> None:
    first, second = ask(salma, once_key="k" * 200), ask(salma, once_key="k" * 200)
    assert first.pk == second.pk and len(told()) == 1


def test_the_key_of_one_form_does_not_open_another(salma: Person) -> None:
    ask(salma, once_key="k")
    with pytest.raises(RequestRefused) as refused:
        ask(salma, once_key="k", form=READING | {"value_kwh": "9"})
    assert refused.value.reason == "OTHER_FORM"


def test_a_mistyped_form_says_each_field_and_why(salma: Person) -> None:
    with pytest.raises(FormRefused) as refused:
        ask(salma, form={"value_kwh": "many", "colour": "red", "text": "x" * 2001})
    assert refused.value.errors == {
        "read_on": "MISSING",
        "value_kwh": "NUMBER",
        "colour": "UNKNOWN",
        "text": "LENGTH",
    }
    assert not ServiceRequest.objects.exists()


def test_a_request_for_anothers_account_is_refused(salma: Person) -> None:
    for account in (OTHER, 1, None):
        with pytest.raises(RequestRefused) as refused:
            ask(salma, account_id=account)
        assert refused.value.reason == "NOT_YOURS"


def test_who_holds_an_account_is_what_the_module_above_says(
    salma: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_holders", [lambda person, account, today: account == OTHER])
    assert ask(salma, account_id=OTHER).account_id == OTHER
    with pytest.raises(RequestRefused):
        ask(salma, account_id=ACCOUNT)
    monkeypatch.setattr(registry, "_holders", [])
    assert ask(salma, account_id=ACCOUNT).account_id == ACCOUNT
    with pytest.raises(RequestRefused):
        ask(salma, account_id=OTHER)


def test_a_person_has_at_most_so_many_open_requests_of_a_kind(salma: Person) -> None:
    first = ask(salma)
    ask(salma)
    with pytest.raises(RequestRefused) as refused:
        ask(salma)  # most_open: 2
    assert refused.value.reason == "TOO_MANY"
    services.withdraw(request_id=first.pk, actor=f"person:{salma.pk}", now=NOW)
    ask(salma)


def test_a_person_opens_at_most_twenty_in_a_day_however_they_end(salma: Person) -> None:
    for _ in range(20):
        request = ask(salma)
        services.withdraw(request_id=request.pk, actor=f"person:{salma.pk}", now=NOW)
    with pytest.raises(RequestRefused) as refused:
        ask(salma)
    assert refused.value.reason == "TOO_MANY"
    ask(salma, now=NOW + dt.timedelta(days=1, seconds=1))


def test_a_business_file_opens_as_many_as_it_lists(salma: Person, recorder: Recorder) -> None:
    for _ in range(30):
        ask(salma, "TRANSFER", form=TRANSFER, via=Via.FILE)
    assert ServiceRequest.objects.count() == 30
    ask(salma)


def test_a_request_of_a_type_nobody_handles_is_not_taken(
    salma: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(registry._handlers, "TRANSFER", raising=False)
    with pytest.raises(registry.UserError, match="claims registers no handler"):
        ask(salma, "TRANSFER", form=TRANSFER)


# ------------------------------------------------------------------------------------------------- who is told of what


def test_news_of_a_claim_on_anothers_account_goes_to_the_claimant_alone(
    salma: Person, recorder: Recorder
) -> None:
    nasser = make_person(cast.NASSER, language=Language.en)
    request = ask(nasser, "TRANSFER", form=TRANSFER)
    services.decide(request_id=request.pk, is_approved=False, text="No deed.", actor="user:1", now=NOW)
    assert [(account, contact) for account, contact, _ in told()] == [(0, nasser.mobile_id)] * 2
    assert told()[1][2].endswith("The reason: No deed.")


def test_of_a_business_file_only_what_staff_decide_is_told(salma: Person, recorder: Recorder) -> None:
    first, second = (ask(salma, "TRANSFER", form=TRANSFER, via=Via.FILE) for _ in range(2))
    services.decide(request_id=first.pk, is_approved=True, text="", actor="system", now=NOW)
    assert told() == []
    services.decide(request_id=second.pk, is_approved=True, text="", actor="user:1", now=NOW)
    assert [sentence for _, _, sentence in told()] == ["تم ما طلبت."]


def test_a_request_without_a_login_is_told_to_the_accounts_holder(salma: Person) -> None:
    ask(None, via=Via.BRANCH, actor="user:1", language=Language.fr)
    [(account, contact, sentence)] = told()
    assert (account, contact) == (ACCOUNT, None) and sentence.startswith("Nous avons votre demande")


def test_each_step_is_told_and_internal_words_are_not(salma: Person, clerk: User) -> None:
    request, by = ask(salma), {"actor": f"user:{clerk.pk}", "now": NOW}
    services.assign(request_id=request.pk, user=clerk, **by)
    services.note(request_id=request.pk, text="يكذب؟", **by)
    services.move_on(request_id=request.pk, step="VISIT", **by)
    services.ask_person(request_id=request.pk, text="صورة أوضح", **by)
    services.decide(request_id=request.pk, is_approved=True, text="صححنا القراءة.", **by)
    sentences = [sentence for _, _, sentence in told()]
    assert [sentence.split(":")[0] for sentence in sentences[1:]] == [
        "طلبك الآن في خطوة",
        "نحتاج منك إلى شيء",
        "تم ما طلبت. صححنا القراءة.",
    ]
    assert not any("يكذب" in sentence for sentence in sentences)
    seen = [one.what for one in queries.history_of(request, with_internal=False)]
    assert seen == ["OPENED", "STEP", "ASKED", "DECIDED"]


def test_a_person_who_wants_no_news_gets_none(salma: Person) -> None:
    from tayyar.customers.models import OptOut

    OptOut.objects.create(account_id=ACCOUNT, kind=MessageKind.REQUEST_UPDATE, since=NOW)
    ask(salma)
    assert told() == []


# ------------------------------------------------------------------------------------------------------------- working


def test_the_time_a_person_is_waited_for_is_added_to_the_deadline(salma: Person) -> None:
    request = ask(salma)
    services.ask_person(request_id=request.pk, text="صورة", actor="user:1", now=cast.noon("2026-11-04"))
    late = cast.noon("2026-12-20")
    assert not queries.is_overdue(ServiceRequest.objects.get(), today=late.date())
    services.answer(request_id=request.pk, text="هذه", actor=f"person:{salma.pk}", now=late)
    # asked on the 4th with eight working days left (5, 8-12, 15, 16); from Sunday 20 December: 21-24, 27-30
    assert ServiceRequest.objects.get().due_on == cast.day("2026-12-30")


def test_a_person_answers_with_papers_and_the_request_is_open_again(salma: Person) -> None:
    request = ask(salma)
    services.ask_person(request_id=request.pk, text="صورة", actor="user:1", now=NOW)
    assert ServiceRequest.objects.get().state == RequestState.WAITING
    papers = [Upload("METER_PHOTO", picture())]
    answer = {
        "request_id": request.pk,
        "text": "",
        "documents": papers,
        "actor": f"person:{salma.pk}",
        "now": NOW,
    }
    services.answer(**answer)
    services.answer(**answer)  # sent twice
    assert ServiceRequest.objects.get().state == RequestState.OPEN
    assert happened(request) == ["OPENED", "ASKED", "DOCUMENT", "ANSWERED"]
    [paper] = queries.documents_of(request)
    content, media_type = queries.paper_of(request, paper.pk)
    assert media_type == "image/jpeg" and content.startswith(b"\xff\xd8")
    assert content not in bytes(RequestDocument.objects.get().content_sealed)


def test_papers_are_counted_by_kind_and_in_all(salma: Person) -> None:
    request = ask(salma, documents=[Upload("METER_PHOTO", picture(n)) for n in (0, 90, 180)])
    for kind, reason in (("METER_PHOTO", "DOCUMENTS"), ("DEED", "DOCUMENT_KIND")):
        with pytest.raises(RequestRefused) as refused:
            services.add_document(
                request_id=request.pk, kind=kind, data=picture(250), actor=f"person:{salma.pk}", now=NOW
            )
        assert refused.value.reason == reason
    services.add_document(
        request_id=request.pk, kind="METER_PHOTO", data=picture(90), actor=f"person:{salma.pk}", now=NOW
    )  # the same one again
    assert RequestDocument.objects.count() == 3


@pytest.mark.parametrize("act", ["add_document", "answer", "withdraw"])
def test_another_persons_request_is_as_if_it_did_not_exist(salma: Person, act: str) -> None:
    request, nasser = ask(salma), make_person(cast.NASSER)
    more: dict[str, Any] = {
        "add_document": {"kind": "METER_PHOTO", "data": picture()},
        "answer": {"text": "mine"},
        "withdraw": {},
    }[act]
    messages = set()
    for number in (request.pk, request.pk + 999):
        with pytest.raises(RequestRefused) as refused:
            getattr(services, act)(request_id=number, actor=f"person:{nasser.pk}", now=NOW, **more)
        messages.add((refused.value.reason, str(refused.value)))
    assert len(messages) == 1 and messages.pop()[0] == "GONE"
    assert happened(request) == ["OPENED"]
    assert queries.find_for(nasser, request.reference) is None


@pytest.mark.parametrize(
    "spoil", [str.lower, lambda r: r.replace("-", ""), lambda r: r.replace("0", "O"), lambda r: f" {r} "]
)
def test_a_reference_is_found_however_it_is_typed(salma: Person, spoil: Any) -> None:
    request = ask(salma)
    assert queries.find_for(salma, spoil(request.reference)) == request
    assert queries.find_any(spoil(request.reference)) == request


def test_a_reference_with_a_wrong_letter_is_not_taken_for_anothers(salma: Person) -> None:
    reference = ask(salma).reference
    wrong = reference[:-1] + ("A" if reference[-1] != "A" else "B")
    assert queries.canonical(wrong) is None and queries.find_any(wrong) is None
    assert queries.canonical("") is None and queries.canonical("R-") is None


def test_a_refusal_needs_its_reason(salma: Person) -> None:
    request = ask(salma)
    with pytest.raises(RequestRefused) as refused:
        services.decide(request_id=request.pk, is_approved=False, text=" ", actor="user:1", now=NOW)
    assert refused.value.reason == "TEXT"


def test_a_decision_sent_twice_is_one_and_another_is_refused(salma: Person, recorder: Recorder) -> None:
    request = ask(salma, "TRANSFER", form=TRANSFER)
    for _ in range(2):
        services.decide(request_id=request.pk, is_approved=True, text="", actor="user:1", now=NOW)
    assert recorder.calls == [("opened", "OWNER"), ("decided", True)]
    with pytest.raises(RequestRefused) as refused:
        services.decide(request_id=request.pk, is_approved=False, text="No.", actor="user:2", now=NOW)
    assert refused.value.reason == "ENDED"
    with pytest.raises(RequestRefused):
        services.withdraw(request_id=request.pk, actor=f"person:{salma.pk}", now=NOW)


def test_a_decision_that_cannot_be_carried_out_leaves_the_request_open(
    salma: Person, recorder: Recorder
) -> None:
    request = ask(salma, "TRANSFER", form=TRANSFER)
    recorder.refuses = True
    with pytest.raises(RequestRefused):
        services.decide(request_id=request.pk, is_approved=True, text="", actor="user:1", now=NOW)
    request.refresh_from_db()
    assert request.state == RequestState.OPEN and happened(request) == ["OPENED"] and len(told()) == 1


def test_a_withdrawn_request_tells_its_handler_and_ends(salma: Person, recorder: Recorder) -> None:
    request = ask(salma, "TRANSFER", form=TRANSFER)
    for _ in range(2):
        services.withdraw(request_id=request.pk, actor=f"person:{salma.pk}", now=NOW)
    assert recorder.calls[1:] == [("withdrawn",)]
    with pytest.raises(RequestRefused):
        services.answer(request_id=request.pk, text="back", actor=f"person:{salma.pk}", now=NOW)


def test_a_clerk_is_told_once_of_a_deadline_that_passed(salma: Person, clerk: User) -> None:
    request, late = ask(salma), cast.noon("2026-11-17")
    services.assign(request_id=request.pk, user=clerk, actor=f"user:{clerk.pk}", now=NOW)
    assert services.tell_overdue(user=clerk, now=cast.noon("2026-11-16")) == []
    assert services.tell_overdue(user=clerk, now=late) == [request]
    assert services.tell_overdue(user=clerk, now=late) == []
    assert queries.queue(today=late.date(), overdue=True).rows == [request]
    assert len(told()) == 1  # no word to the asker


def test_the_queue_is_filtered_and_counted(salma: Person, clerk: User, recorder: Recorder) -> None:
    first, second = ask(salma), ask(salma, "TRANSFER", form=TRANSFER)
    services.assign(request_id=second.pk, user=clerk, actor="user:1", now=NOW)
    services.ask_person(request_id=first.pk, text="?", actor="user:1", now=NOW)
    today = NOW.date()
    assert queries.queue(today=today).rows == [second, first]  # due on the 9th and on the 16th
    assert queries.queue(today=today, type_code="TRANSFER").rows == [second]
    assert queries.queue(today=today, state="WAITING").rows == [first]
    assert queries.queue(today=today, assigned_to=clerk).rows == [second]
    assert queries.queue(today=today, state="APPROVED").total == 0
    assert queries.queue_counts(user=clerk, today=today) == {
        "open": 2,
        "waiting": 1,
        "mine": 1,
        "overdue": 0,
        "READING_DISPUTE": 1,
        "TRANSFER": 1,
    }


def test_every_step_is_in_the_audit_log_without_what_was_said(salma: Person) -> None:
    request = ask(salma)
    services.ask_person(request_id=request.pk, text="سر كبير", actor="user:1", now=NOW)
    entries = AuditEntry.objects.filter(subject=f"request:{request.reference}")
    assert [entry.action for entry in entries.order_by("id")] == ["REQUEST_OPENED", "REQUEST_ASKED"]
    assert "سر" not in json.dumps([entry.detail for entry in entries], ensure_ascii=False)
    assert not any("سر".encode() in bytes(e.text_sealed or b"") for e in RequestEvent.objects.all())


# ------------------------------------------------------------------------------------------------------------ handlers


@pytest.mark.parametrize("wants", [True, False])
def test_a_paper_bill_is_decided_by_itself(salma: Person, wants: bool) -> None:
    Preference.objects.create(account_id=ACCOUNT, wants_paper=not wants)
    request = ask(salma, "PAPER_BILL", form={"wants_paper": "YES" if wants else "NO"})
    assert (request.state, request.ended_by) == (RequestState.APPROVED, "system")
    assert Preference.objects.get(account_id=ACCOUNT).wants_paper is wants
    assert [sentence for _, _, sentence in told()] == ["تم ما طلبت."]
    assert happened(request) == ["OPENED", "DECIDED"]


def test_paper_that_is_the_only_way_left_cannot_be_stopped(salma: Person) -> None:
    Preference.objects.create(account_id=ACCOUNT, wants_paper=True, excluded=["SMS"])
    with pytest.raises(FormRefused) as refused:
        ask(salma, "PAPER_BILL", form={"wants_paper": "NO"})
    assert refused.value.errors == {"wants_paper": "NOTHING_LEFT"}
    assert not ServiceRequest.objects.exists() and told() == []


def test_new_contact_details_are_used_once_staff_verified_them_and_the_old_are_warned(salma: Person) -> None:
    old = ContactPoint.objects.get(account_id=ACCOUNT)
    form = {"channel": "SMS", "address": "٠٥٠ ٠٠٠ ٠٠٩٩", "drops_old": "YES"}
    request = ask(salma, "CONTACT_UPDATE", form=form)
    assert [(contact, sentence[:13]) for _, contact, sentence in told()] == [
        (old.pk, "طلب أحدهم تغي"),
        (None, "وصلنا طلبك. ن"),
    ]
    assert ContactPoint.objects.filter(account_id=ACCOUNT).count() == 1
    services.decide(request_id=request.pk, is_approved=True, text="", actor="user:7", now=NOW)
    old.refresh_from_db()
    new = ContactPoint.objects.get(account_id=ACCOUNT, is_active=True)
    assert not old.is_active and new.verified_at == NOW
    assert crypto.unseal(bytes(new.address_sealed), field=ADDRESS_FIELD) == "+966500000099"


def test_a_refused_contact_update_changes_nothing(salma: Person) -> None:
    form = {"channel": "EMAIL", "address": "new@mail.example", "drops_old": "NO"}
    request = ask(salma, "CONTACT_UPDATE", form=form)
    services.decide(request_id=request.pk, is_approved=False, text="لم نتحقق.", actor="user:7", now=NOW)
    assert ContactPoint.objects.filter(account_id=ACCOUNT).count() == 1


def test_an_address_that_is_none_is_refused_at_its_field(salma: Person) -> None:
    with pytest.raises(FormRefused) as refused:
        ask(salma, "CONTACT_UPDATE", form={"channel": "EMAIL", "address": "050", "drops_old": "NO"})
    assert refused.value.errors == {"address": "ADDRESS"}


@pytest.fixture
def bills(salma: Person) -> dict[int, int]:
    """The numbers of September's bills, told already, by account."""
    for member in (cast.SALMA, cast.NASSER):
        cast.read(member, cast.day("2026-09-28"), 1500)
    cast.bill("2026-09")
    Message.objects.filter(kind=MessageKind.BILL_ISSUED).update(state=MessageState.DELIVERED)
    return dict(Message.objects.values_list("account_id", "ref"))


def test_a_bill_is_sent_again_at_once(salma: Person, bills: dict[int, int]) -> None:
    number = bills[ACCOUNT]
    request = ask(salma, "BILL_COPY", form={"bill_number": str(number), "way": "AGAIN"})
    assert request.state == RequestState.APPROVED
    assert Message.objects.get(ref=number).state == MessageState.QUEUED


def test_a_stamped_copy_waits_for_staff(salma: Person, bills: dict[int, int]) -> None:
    number = bills[ACCOUNT]
    request = ask(salma, "BILL_COPY", form={"bill_number": str(number), "way": "STAMPED"})
    assert request.state == RequestState.OPEN
    services.decide(request_id=request.pk, is_approved=True, text="جاهزة.", actor="user:7", now=NOW)
    assert Message.objects.get(ref=number).state == MessageState.DELIVERED


def test_a_foreign_and_an_unknown_bill_are_refused_alike(salma: Person, bills: dict[int, int]) -> None:
    for number in (bills[OTHER], bills[ACCOUNT] + 97, 5):
        with pytest.raises(FormRefused) as refused:
            ask(salma, "BILL_COPY", form={"bill_number": number, "way": "AGAIN"})
        assert refused.value.errors == {"bill_number": "BILL"}


def test_every_type_that_names_a_handler_has_one() -> None:
    for code, kind in request_types().items():
        assert (registry.handler_of(code) is not None) == bool(kind.handler), code


def test_an_unknown_type_and_a_second_handler_are_refused_at_start() -> None:
    with pytest.raises(registry.UserError, match="no request type 'ACOUNT_CLAIM'"):
        registry.register("ACOUNT_CLAIM", Recorder())
    with pytest.raises(registry.UserError, match="has a handler already"):
        registry.register("PAPER_BILL", Recorder())
    with pytest.raises(registry.UserError, match="says that it has no handler"):
        registry.register("READING_DISPUTE", Recorder())


# ------------------------------------------------------------------------------------------------------------- the desk


@pytest.fixture
def desk(salma: Person) -> Iterator[Client]:
    """A clerk, signed in, on the second day."""
    ensure_roles()
    user = User.objects.create_user("desk", is_staff=True)
    user.groups.add(Group.objects.get(name=CLERK))
    client = Client()
    client.force_login(user)
    with clock.at(NOW):
        yield client


def page_of(request: ServiceRequest) -> str:
    return f"/console/requests/{request.reference}"


def read(client: Client, address: str, lang: str = "en") -> str:
    answer = client.get(address, {"lang": lang})
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_clerk_sees_the_queue_and_one_request_and_each_read_is_on_record(
    salma: Person, desk: Client
) -> None:
    request = ask(salma, form=READING | {"text": "<script>alert(1)</script>"})
    assert request.reference in read(desk, "/console/requests")
    page = read(desk, page_of(request))
    assert "1234" in page and cast.NAMES[cast.SALMA] in page
    assert "&lt;script&gt;alert(1)" in page and "<script>alert(1)" not in page
    actions = list(AuditEntry.objects.filter(actor__startswith="user:").values_list("action", flat=True))
    assert "REQUESTS_READ" in actions
    entry = AuditEntry.objects.get(action="REQUEST_READ")
    assert (entry.subject, entry.detail["person"]) == (f"request:{request.reference}", salma.pk)


@pytest.mark.parametrize(
    ("action", "form", "state"),
    [
        ("take", {}, "OPEN"),
        ("give_back", {}, "OPEN"),
        ("ask", {"text": "صورة"}, "WAITING"),
        ("note", {"text": "سمعته"}, "OPEN"),
        ("move", {"step": "VISIT"}, "OPEN"),
        ("approve", {"text": ""}, "APPROVED"),
        ("refuse", {"text": "لا"}, "REFUSED"),
    ],
)
def test_a_clerk_acts_and_sending_it_twice_changes_nothing_more(
    salma: Person, desk: Client, action: str, form: dict[str, str], state: str
) -> None:
    request = ask(salma)
    for _ in range(2):
        answer = desk.post(f"{page_of(request)}/{action}", form)
        assert answer.status_code == 302 and answer["Location"] == page_of(request)
    request.refresh_from_db()
    assert request.state == state
    assert len(happened(request)) == (1 if action == "give_back" else 2)


def test_who_only_reads_the_console_acts_on_nothing(salma: Person, desk: Client) -> None:
    request, reader = ask(salma), Client()
    reader.force_login(User.objects.create_user("reader", is_staff=True))
    assert reader.get(page_of(request)).status_code == 200
    for action in ("take", "give_back", "ask", "note", "move", "approve", "refuse"):
        form = {"text": "x", "step": "VISIT"}
        assert reader.post(f"{page_of(request)}/{action}", form).status_code == 403, action
    assert happened(request) == ["OPENED"]


def test_only_staff_see_requests(salma: Person, desk: Client) -> None:
    request, person = ask(salma, documents=[Upload("METER_PHOTO", picture())]), Client()
    person.force_login(salma.user)
    paper = f"{page_of(request)}/papers/{queries.documents_of(request)[0].pk}"
    for client in (Client(), person):
        for address in ("/console/requests", "/console/requests/find", page_of(request), paper):
            answer = client.get(address)
            assert answer.status_code == 302 and "/console/login" in answer["Location"], address


def test_a_refusal_without_its_reason_is_asked_for_again(salma: Person, desk: Client) -> None:
    request = ask(salma)
    answer = desk.post(f"{page_of(request)}/refuse?lang=en", {"text": "  "})
    assert answer.status_code == 422 and "Write at least a word" in answer.content.decode()


def test_a_request_that_is_not_there_is_one_page_whatever_is_asked(salma: Person, desk: Client) -> None:
    mine, other = ask(salma), ask(salma, documents=[Upload("METER_PHOTO", picture())])
    foreign = queries.documents_of(other)[0].pk
    missing = "R-0000-0000"
    pages = {
        re.sub(r'value="\w{64}"', "", desk.get(address).content.decode())  # the form protection's own
        for address in (
            "/console/requests/nonsense",
            f"/console/requests/{missing}",
            f"/console/requests/{missing}/papers/1",
            f"{page_of(mine)}/papers/{foreign}",
            f"{page_of(mine)}/papers/99999",
        )
    }
    assert len(pages) == 1
    assert desk.get(f"{page_of(mine)}/papers/{foreign}").status_code == 404
    assert desk.post(f"{page_of(mine)}/explode").status_code == 404


def test_a_reference_is_found_from_the_desk_however_it_is_typed(salma: Person, desk: Client) -> None:
    request = ask(salma)
    answer = desk.get("/console/requests/find", {"reference": request.reference.lower().replace("-", " ")})
    assert answer["Location"] == page_of(request)
    wrong = desk.get("/console/requests/find", {"reference": "R-1", "lang": "en"})
    assert wrong.status_code == 404 and "looks like R-0007-F3K2" in wrong.content.decode()


def test_the_reference_of_a_contact_review_leads_to_the_reviews(salma: Person, desk: Client) -> None:
    review, _ = open_review(
        account_id=ACCOUNT, contact_point_id=None, subject="bill:1", actor="link", now=NOW
    )
    answer = desk.get("/console/requests/find", {"reference": review.reference})
    assert answer["Location"] == "/console/reviews"


def pdf() -> bytes:
    writer, made = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(300, 300)
    writer.write(made)
    return made.getvalue()


@pytest.mark.parametrize(
    ("data", "media_type", "how"),
    [(picture(), "image/jpeg", "inline"), (pdf(), "application/pdf", "attachment")],
)
def test_a_paper_is_served_without_any_power_over_the_page(
    salma: Person, desk: Client, data: bytes, media_type: str, how: str
) -> None:
    request = ask(salma, documents=[Upload("METER_PHOTO", data)])
    [held] = queries.documents_of(request)
    answer = desk.get(f"{page_of(request)}/papers/{held.pk}")
    assert answer["Content-Type"] == media_type
    assert answer["Content-Disposition"].startswith(f"{how}; ")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox; frame-ancestors 'none'"
    assert "no-store" in answer["Cache-Control"]
    assert AuditEntry.objects.filter(action="REQUEST_PAPER_READ", detail={"document": held.pk}).count() == 1


def test_a_clerk_is_shown_their_late_requests_once_and_the_queue_marks_them(
    salma: Person, desk: Client
) -> None:
    request = ask(salma)
    desk.post(f"{page_of(request)}/take")
    with clock.at(cast.noon("2026-12-01")):
        first, second = read(desk, "/console/requests"), read(desk, "/console/requests")
        assert "The deadline of these has passed" in first
        assert "The deadline of these has passed" not in second
        assert "Overdue</strong>" in second
        assert request.reference in read(desk, "/console/requests?overdue=1&mine=1&type=READING_DISPUTE")
    assert "Overdue</strong>" not in read(desk, "/console/requests")


@pytest.mark.parametrize(
    "query", ["?page=0", "?page=-1", "?page=9999999999999999999", "?state=DROP&type=x", "?mine=2", "?page=٣"]
)
def test_a_queue_asked_for_nonsense_answers_as_if_it_was_not(salma: Person, desk: Client, query: str) -> None:
    request = ask(salma)
    assert request.reference in desk.get(f"/console/requests{query}").content.decode()


def test_a_decision_that_fails_shows_why_and_keeps_what_was_typed(
    salma: Person, desk: Client, recorder: Recorder
) -> None:
    request = ask(salma, "TRANSFER", form=TRANSFER)
    recorder.refuses = True
    answer = desk.post(f"{page_of(request)}/approve", {"text": "مبارك"})
    page = answer.content.decode()
    assert answer.status_code == 422 and "not now" in page and "مبارك" in page
