"""Requests, settings and businesses of a signed-in person: what they send, sent twice, and what is another's."""

import datetime as dt
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.internal.userkit import user_id_to_str
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from tests.scenarios import claim_cast as people
from tests.scenarios.cast import HUDA, NASSER, SALMA, account_id, day, saudi, settle
from tests.scenarios.identity_ground import last_code

from tayyar.claims.models import ClaimFile, Holding
from tayyar.claims.tasks import claim_file
from tayyar.core import clock
from tayyar.core.references import with_check
from tayyar.customers.models import (
    Channel,
    ContactPoint,
    Customer,
    Delegate,
    DelegateState,
    Language,
    Preference,
)
from tayyar.customers.services import add_contact_point
from tayyar.identity import contacts, sessions, sign_in
from tayyar.identity.email_link import email_token
from tayyar.identity.models import ContactChange, MemberRole, Membership, Person
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Message
from tayyar.requests import services
from tayyar.requests.models import RequestDocument, RequestState, ServiceRequest

NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)
NUMBER = with_check(account_id(SALMA))
FOREIGN = with_check(account_id(NASSER))
READING = {"read_on": "2026-11-01", "value_kwh": "1234", "key": "one-form"}


@pytest.fixture
def salma(books: None) -> Iterator[Person]:
    """Salma holds her account, which has a telephone; Nasser's account is another's. The time is NOW."""
    for member in (SALMA, NASSER):
        settle(member, start=day("2026-08-28"))
    add_contact_point(
        account_id=account_id(SALMA),
        channel=Channel.SMS,
        address="+966500000021",
        verified_at=NOW,
        actor="user:1",
        now=NOW,
    )
    Holding.objects.create(
        account_id=account_id(SALMA),
        customer_id=SALMA,
        role="OWNER",
        start_date=day("2026-08-28"),
        created_at=NOW,
    )
    with clock.at(NOW):
        yield people.person(SALMA, NOW)


def signed_in(person: Person, *, is_fresh: bool = True) -> Client:
    """`is_fresh`: they proved who they are a moment ago."""
    client = Client()
    client.force_login(person.user, backend=sign_in.BACKEND)
    session = client.session
    sessions.begin(session, now=NOW)
    if is_fresh:
        session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
        session["account_authentication_methods_user"] = user_id_to_str(person.user)
    session.save()
    return client


def dispute(client: Client, **more: Any) -> Any:
    """Ask for a reading to be looked at."""
    return client.post(
        "/me/requests/new/reading_dispute?lang=en", {"account": str(NUMBER), **READING, **more}
    )


def photo() -> SimpleUploadedFile:
    return SimpleUploadedFile("meter.png", people.paper("METER_PHOTO").data, content_type="image/png")


# ------------------------------------------------------------------------------------------------------------ requests


def test_a_form_sent_twice_opens_one_request_whose_page_says_its_number_and_deadline(salma: Person) -> None:
    client = signed_in(salma)
    first, second = dispute(client, paper_METER_PHOTO=photo()), dispute(client, paper_METER_PHOTO=photo())
    made = ServiceRequest.objects.get()
    assert first["Location"] == second["Location"] == f"/me/requests/{made.reference}?done=opened"
    page = client.get(f"/me/requests/{made.reference}?lang=en").content.decode()
    assert made.reference in page and "We answer by" in page and "1234" in page


def test_each_wrong_field_of_a_request_is_said_at_the_field_and_nothing_is_opened(salma: Person) -> None:
    answer = dispute(signed_in(salma), read_on="31-31", value_kwh="")
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="e-read_on">Write a day' in page and 'id="e-value_kwh">Fill this in' in page
    assert not ServiceRequest.objects.exists()


def test_a_paper_that_cannot_be_read_is_said_at_the_papers(salma: Person) -> None:
    broken = SimpleUploadedFile("meter.png", b"\x89PNG\r\n\x1a\n nothing")
    answer = dispute(signed_in(salma), paper_METER_PHOTO=broken)
    assert answer.status_code == 422 and 'id="e-paper_METER_PHOTO"' in answer.content.decode()


def test_a_request_for_a_foreign_account_is_the_same_404_as_for_none(salma: Person) -> None:
    client = signed_in(salma)
    foreign = dispute(client, account=str(FOREIGN))
    unknown = dispute(client, account="99999999999")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert _plain(foreign) == _plain(unknown)


def test_a_request_is_found_by_its_number_however_it_is_typed(salma: Person) -> None:
    client = signed_in(salma)
    dispute(client)
    made = ServiceRequest.objects.get()
    typed = made.reference.replace("-", "").lower()
    assert client.get("/me/requests", {"number": typed})["Location"] == f"/me/requests/{made.reference}"
    assert client.get("/me/requests", {"number": "R-0007-AAAA"}).status_code == 404
    assert made.reference in client.get("/me/requests").content.decode()


def test_what_is_asked_is_answered_with_a_paper_once_and_the_paper_is_served_to_its_owner(
    salma: Person,
) -> None:
    client = signed_in(salma)
    dispute(client)
    made = ServiceRequest.objects.get()
    services.ask_person(request_id=made.pk, text="Which meter?", actor="user:1", now=NOW)
    assert "Which meter?" in client.get(f"/me/requests/{made.reference}").content.decode()
    for _ in range(2):
        sent = client.post(
            f"/me/requests/{made.reference}/answer", {"text": "The left one", "paper_METER_PHOTO": photo()}
        )
        assert sent["Location"].endswith("?done=answered")
    made.refresh_from_db()
    paper = RequestDocument.objects.get()
    served = client.get(f"/me/requests/{made.reference}/papers/{paper.pk}")
    assert made.state == RequestState.OPEN
    assert (served["Content-Type"], served["X-Content-Type-Options"]) == ("image/jpeg", "nosniff")


def test_an_answer_without_a_word_or_a_paper_says_so(salma: Person) -> None:
    client = signed_in(salma)
    dispute(client)
    made = ServiceRequest.objects.get()
    answer = client.post(f"/me/requests/{made.reference}/answer?lang=en", {"text": " "})
    assert answer.status_code == 422 and "Write at least a word" in answer.content.decode()


def test_a_request_is_withdrawn_once_and_a_decided_one_says_that_it_is_over(salma: Person) -> None:
    client = signed_in(salma)
    dispute(client)
    made = ServiceRequest.objects.get()
    for _ in range(2):
        assert client.post(f"/me/requests/{made.reference}/withdraw")["Location"].endswith("?done=withdrawn")
    dispute(client, key="another")
    other = ServiceRequest.objects.latest("id")
    services.decide(request_id=other.pk, is_approved=True, text="", actor="user:1", now=NOW)
    answer = client.post(f"/me/requests/{other.reference}/withdraw?lang=en")
    assert answer.status_code == 422 and "is over" in answer.content.decode()


def test_another_persons_request_and_its_papers_are_the_same_404_as_unknown_ones(salma: Person) -> None:
    dispute(signed_in(salma), paper_METER_PHOTO=photo())
    made, paper = ServiceRequest.objects.get(), RequestDocument.objects.get()
    nasser = signed_in(people.person(NASSER, NOW))
    unknown = _plain(nasser.get("/me/requests/R-9999-AAAA"))
    for address in (made.reference, f"{made.reference}/papers/{paper.pk}"):
        answer = nasser.get(f"/me/requests/{address}")
        assert answer.status_code == 404 and _plain(answer) == unknown
    for action in ("answer", "withdraw"):
        assert nasser.post(f"/me/requests/{made.reference}/{action}", {"text": "x"}).status_code == 404
    made.refresh_from_db()
    assert made.state == RequestState.OPEN


# ------------------------------------------------------------------------------------------------------------ settings


def test_a_new_mobile_counts_after_its_code_and_the_old_one_is_told(salma: Person) -> None:
    client, old = signed_in(salma), salma.mobile_id
    assert (
        client.post("/me/settings/mobile", {"mobile": "0500000099"})["Location"] == "/me/settings/mobile/code"
    )
    assert client.post("/me/settings/mobile/code", {"code": "0"}).status_code == 422
    assert Person.objects.get().mobile_id == old
    done = client.post("/me/settings/mobile/code", {"code": last_code()})
    salma.refresh_from_db()
    assert done["Location"] == "/me/settings?done=mobile"
    assert contacts.plain_address(salma.mobile) == "+966500000099"
    assert Message.objects.filter(kind=MessageKind.CONTACT_CHANGED, contact_point_id=old).count() == 1


def test_contacts_that_get_codes_change_only_with_a_fresh_proof(salma: Person) -> None:
    client = signed_in(salma, is_fresh=False)
    for page in ("mobile", "email", f"{NUMBER}/whatsapp", f"{NUMBER}/delegates"):
        answer = client.post(f"/me/settings/{page}", {"mobile": "0500000099", "number": "0500000099"})
        assert answer["Location"].startswith("/login/again"), page
    assert not ContactChange.objects.exists() and not Delegate.objects.exists()


def test_a_mobile_that_is_none_is_said_at_the_field(salma: Person) -> None:
    answer = signed_in(salma).post("/me/settings/mobile?lang=en", {"mobile": "12"})
    assert answer.status_code == 422 and 'id="e-mobile"' in answer.content.decode()


def test_an_email_counts_once_its_link_was_opened_and_the_link_can_be_sent_again(salma: Person) -> None:
    client = signed_in(salma)
    client.post("/me/settings/email", {"email": "layla@mail.example"})
    assert client.post("/me/settings/email", {"again": "1"})["Location"] == "/me/settings?done=email"
    change = ContactChange.objects.get(ended_at=None)
    assert "Send the link again" in client.get("/me/settings?lang=en").content.decode()
    token = email_token(change.pk, expires=change.expires_at)
    client.post(f"/join/email/{token}")
    salma.refresh_from_db()
    assert salma.email is not None and contacts.plain_address(salma.email) == "layla@mail.example"


def test_the_language_is_kept_and_used(salma: Person) -> None:
    client = signed_in(salma)
    client.post("/me/settings/language", {"language": "fr"})
    assert Person.objects.get().language == Language.fr
    assert 'lang="fr"' in client.get("/me/settings").content.decode()


def test_wishes_of_an_account_are_kept_and_none_left_is_refused(salma: Person) -> None:
    client = signed_in(salma)
    form = {"use": ["SMS", "EMAIL"], "first": "EMAIL", "language": "en", "paper": "on", "pdf": "on"}
    answer = client.post(f"/me/settings/{NUMBER}", {**form, "quiet_from": "22:00", "quiet_to": "06:00"})
    kept = Preference.objects.get(account_id=account_id(SALMA))
    assert answer["Location"].endswith("?done=saved")
    assert (kept.channels, kept.wants_paper, kept.quiet_from) == (["EMAIL"], True, dt.time(22))
    assert client.post(f"/me/settings/{NUMBER}", {"use": [], "language": "en"}).status_code == 422


def test_settings_of_a_foreign_account_are_the_same_404_as_of_none(salma: Person) -> None:
    client = signed_in(salma)
    for page in ("", "/messages", "/delegates", "/whatsapp", "/whatsapp/code"):
        foreign, unknown = client.get(f"/me/settings/{FOREIGN}{page}"), client.get(f"/me/settings/x{page}")
        assert (foreign.status_code, unknown.status_code) == (404, 404), page
        assert _plain(foreign) == _plain(unknown), page
    assert client.post(f"/me/settings/{FOREIGN}", {"use": "SMS"}).status_code == 404
    assert client.post(f"/me/settings/{FOREIGN}/delegates/1/end").status_code == 404


def test_who_may_only_see_an_account_has_no_settings_of_it(salma: Person) -> None:
    huda = people.person(HUDA, NOW)
    people.member(huda, SALMA, MemberRole.VIEWER, NOW)
    assert signed_in(huda).get(f"/me/settings/{NUMBER}").status_code == 404


def test_a_delegate_is_invited_once_and_ended(salma: Person) -> None:
    client = signed_in(salma)
    form = {
        "name": "Noor",
        "relation": "RELATIVE",
        "channel": "SMS",
        "address": "0500000044",
        "language": "ar",
        "rights": "see",
        "until": "",
    }
    for _ in range(2):
        assert client.post(f"/me/settings/{NUMBER}/delegates", form)["Location"].endswith("?done=invited")
    invited = Delegate.objects.get()
    assert "Noor" in client.get(f"/me/settings/{NUMBER}").content.decode()
    for _ in range(2):
        client.post(f"/me/settings/{NUMBER}/delegates/{invited.recipient}/end")
    invited.refresh_from_db()
    assert invited.state == DelegateState.REVOKED


def test_the_own_mobile_needs_no_code_for_whatsapp(salma: Person) -> None:
    client = signed_in(salma)
    assert client.post(f"/me/settings/{NUMBER}/whatsapp", {"own": "1"})["Location"].endswith("?done=whatsapp")
    contact = ContactPoint.objects.get(account_id=account_id(SALMA), channel=Channel.WHATSAPP)
    assert contact.verified_at == NOW
    assert Preference.objects.get(account_id=account_id(SALMA)).channels == ["WHATSAPP"]


def test_another_whatsapp_number_is_used_after_its_code_alone(salma: Person) -> None:
    client = signed_in(salma)
    client.post(f"/me/settings/{NUMBER}/whatsapp", {"number": "0500000077"})
    used = ContactPoint.objects.filter(account_id=account_id(SALMA), channel=Channel.WHATSAPP)
    assert client.post(f"/me/settings/{NUMBER}/whatsapp/code", {"code": "1"}).status_code == 422
    assert not used.exists()
    client.post(f"/me/settings/{NUMBER}/whatsapp/code", {"code": last_code()})
    assert contacts.plain_address(used.get()) == "+966500000077"


# ---------------------------------------------------------------------------------------------------------- businesses


@pytest.fixture
def firm(salma: Person) -> Customer:
    """A business whose admin Salma is."""
    made = Customer.objects.create(id=9_000, kind="BUSINESS", name="مخابز الرياض")
    people.member(salma, made.pk, MemberRole.ADMIN, NOW)
    return made


def test_an_invited_identity_answers_and_an_admin_changes_and_ends_it(salma: Person, firm: Customer) -> None:
    client, nasser = signed_in(salma), people.person(NASSER, NOW)
    form = {"id_type": "NATIONAL_ID", "number": "1012345672", "nationality": "SA", "role": "VIEWER"}
    for _ in range(2):
        assert client.post(f"/me/members/{firm.pk}/invite", form)["Location"].endswith("?done=invited")
    waiting = Membership.objects.get(person=None)
    Person.objects.filter(pk=nasser.pk).update(id_hash=bytes(waiting.invited_hash or b""))
    invited = signed_in(Person.objects.get(pk=nasser.pk))
    assert "مخابز الرياض" in invited.get("/me/members").content.decode()
    for _ in range(2):
        invited.post(f"/me/members/invitations/{waiting.pk}", {"accepts": "1"})
    client.post(f"/me/members/{firm.pk}/{waiting.pk}/role", {"role": "PAYER"})
    waiting.refresh_from_db()
    assert (waiting.person_id, waiting.role) == (nasser.pk, "PAYER")
    for _ in range(2):
        client.post(f"/me/members/{firm.pk}/{waiting.pk}/end")
    waiting.refresh_from_db()
    assert waiting.ended_at == NOW


def test_the_only_admin_cannot_leave(salma: Person, firm: Customer) -> None:
    own = Membership.objects.get()
    answer = signed_in(salma).post(f"/me/members/{firm.pk}/{own.pk}/end", follow=True)
    own.refresh_from_db()
    assert own.ended_at is None and answer.redirect_chain[0][0] == "/me/members?problem=LAST_ADMIN"


def test_another_business_its_members_and_files_are_the_same_404_as_none(
    salma: Person, firm: Customer
) -> None:
    own = Membership.objects.get()
    sent = _send(signed_in(salma), firm, f"account_number\n{NUMBER}\n")
    file_page = sent["Location"]
    nasser = signed_in(people.person(NASSER, NOW))
    unknown = _plain(nasser.get("/me/members/77"))
    pages = (
        f"/me/members/{firm.pk}",
        f"/me/members/{firm.pk}/invite",
        f"/me/members/{firm.pk}/file",
        file_page,
    )
    for page in pages:
        answer = nasser.get(page)
        assert answer.status_code == 404 and _plain(answer) == unknown, page
    for action in (f"{firm.pk}/{own.pk}/role", f"{firm.pk}/{own.pk}/end", f"invitations/{own.pk}"):
        assert nasser.post(f"/me/members/{action}", {"role": "VIEWER", "accepts": "1"}).status_code == 404
    own.refresh_from_db()
    assert (own.role, own.ended_at) == (MemberRole.ADMIN, None)


def test_a_file_sent_twice_is_under_way_once_and_each_row_has_its_result(
    salma: Person, firm: Customer
) -> None:
    client, text = signed_in(salma), f"account_number,role\n{FOREIGN},OWNER\n12,OWNER\n"
    first, second = _send(client, firm, text), _send(client, firm, text)
    assert first["Location"] == second["Location"] and ClaimFile.objects.count() == 1
    assert "working on it" in client.get(f"{first['Location']}?lang=en").content.decode()
    claim_file.func(file_id=ClaimFile.objects.get().pk)
    page = client.get(f"{first['Location']}?lang=en").content.decode()
    assert "Not under the business" in page and "The account number is wrong" in page


def test_a_file_without_accepted_terms_or_of_another_shape_is_refused(salma: Person, firm: Customer) -> None:
    client = signed_in(salma)
    assert _send(client, firm, f"account_number\n{NUMBER}\n", terms="").status_code == 422
    assert _send(client, firm, "nothing here").status_code == 422
    assert not ClaimFile.objects.exists()


def _send(client: Client, firm: Customer, text: str, **more: str) -> Any:
    sent = {"file": SimpleUploadedFile("accounts.csv", text.encode()), "terms": saudi().terms_version, **more}
    return client.post(f"/me/members/{firm.pk}/file", sent)


def _plain(answer: Any) -> str:
    """A page without what differs by its address alone: the language links and the form's secret."""
    text = re.sub(r'value="[A-Za-z0-9]{64}"', "", answer.content.decode())
    return re.sub(r'(name="next" value|href)="[^"]*"', "", text)
