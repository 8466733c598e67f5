"""Sheets of paper and calls: who is on them, in which order, what is printed, and what their outcomes change."""

import io
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pypdf
import pytest
import zxingcpp
from django.db import connection
from tests.scenarios import cast
from tests.scenarios.cast import HUDA, NASSER, SALMA, account_id, day, noon, read, settle, the_bill

from tayyar.billing import paper
from tayyar.billing.documents.paper import render_list, render_paper, sheet_code
from tayyar.config import cli
from tayyar.core.errors import UserError
from tayyar.core.models import AuditEntry
from tayyar.core.periods import Period
from tayyar.customers.models import (
    Channel,
    ContactMark,
    ContactPoint,
    Customer,
    CustomerAccount,
    Delegate,
    Language,
)
from tayyar.customers.services import add_contact_point
from tayyar.metering.models import ServiceCentre, UsagePoint
from tayyar.notifications import outbox, proof, services, sheet_queries, sheets
from tayyar.notifications.models import Delivery, Message, MessageKind, MessageState, Reach, ReachHow, Sheet
from tayyar.notifications.sheets import CallOutcome, PaperOutcome

pytestmark = pytest.mark.usefixtures("books", "empty_reach")
SEPTEMBER = Period(2026, 9)
RUN = MessageKind.BILL_ISSUED
CLERK = "user:7"
NOW = noon("2026-10-01")
ADDRESSES = {
    SALMA: "شارع التحلية 12",
    NASSER: "شارع التحلية 9",
    HUDA: "شارع الأربعين 100",
}
WALK = [HUDA, NASSER, SALMA]  # الأربعين before التحلية; 9 before 12


@pytest.fixture
def empty_reach() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE notifications_reach")


def billed(*, phones: bool = False) -> None:
    """Three customers of one centre, billed for September and released; with a telephone, or with nothing at all."""
    for person, address in ADDRESSES.items():
        settle(person, start=day("2026-08-15"))
        UsagePoint.objects.filter(id=person).update(address=address)
        read(person, day("2026-09-14"), 1900)
        if phones:
            give_phone(person)
    cast.bill(str(SEPTEMBER))
    services.release_messages(period=SEPTEMBER, kind=RUN, now=NOW)
    if phones:  # every digital step brought nothing: the plans stand at the call
        while advancing := [
            (m.period, m.kind, m.ref, m.recipient)
            for m in Message.objects.exclude(channel__in=[Channel.CALL, Channel.PAPER])
        ]:
            services.advance(keys=advancing, now=NOW)


def give_phone(person: int, *, number: str = "", recipient: int = 0) -> ContactPoint:
    return add_contact_point(
        account_id=account_id(person),
        channel=Channel.SMS,
        address=number or f"+96650000000{person}",
        verified_at=NOW,
        actor=CLERK,
        now=NOW,
        recipient=recipient,
    )


def centre_id() -> int:
    return ServiceCentre.objects.get(code="C01").pk


def make_paper() -> Sheet | None:
    return sheets.make_paper_sheet(period=SEPTEMBER, service_centre_id=centre_id(), actor=CLERK, now=NOW)


def make_calls(limit: int = 50, now=NOW) -> Sheet | None:
    return sheets.make_call_sheet(period=SEPTEMBER, limit=limit, actor=CLERK, now=now)


def number(person: int) -> int:
    return the_bill(person, str(SEPTEMBER)).number


def message(person: int, recipient: int = 0) -> Message:
    return Message.objects.get(ref=number(person), recipient=recipient)


def call(sheet: Sheet, person: int, outcome: CallOutcome, *, recipient: int = 0, now=NOW) -> bool:
    return sheets.enter_call_outcome(
        sheet_id=sheet.pk,
        period=SEPTEMBER,
        kind=RUN,
        ref=number(person),
        recipient=recipient,
        outcome=outcome,
        actor=CLERK,
        now=now,
    )


def actions(sheet: Sheet) -> list[str]:
    return list(AuditEntry.objects.filter(subject=str(sheet)).order_by("id").values_list("action", flat=True))


# Paper: on the sheet


def test_a_sheet_takes_every_waiting_bill_of_its_centre_once() -> None:
    billed()
    sheet = make_paper()
    assert sheet.entries == 3
    assert make_paper() is None
    assert Sheet.objects.count() == 1
    assert set(Delivery.objects.values_list("ref", "state", "worker", "provider", "attempt")) == {
        (number(person), MessageState.SENDING, f"sheet:{sheet.pk}", None, 1) for person in ADDRESSES
    }
    assert set(Message.objects.values_list("state", flat=True)) == {MessageState.SENDING}


def test_a_bill_of_another_centre_is_not_on_the_sheet() -> None:
    billed()
    other = ServiceCentre.objects.create(code="C02", name_ar="جدة", name_en="Jeddah", name_fr="Djeddah")
    UsagePoint.objects.filter(id=HUDA).update(service_centre=other)
    assert sheet_queries.paper_waiting(SEPTEMBER) == {centre_id(): 2, other.pk: 1}
    assert make_paper().entries == 2
    assert sheet_queries.paper_waiting(SEPTEMBER) == {other.pk: 1}


def test_nothing_is_taken_while_staff_paused_the_sending() -> None:
    billed()
    services.pause_batch(period=SEPTEMBER, kind=RUN, actor=CLERK, now=NOW)
    assert sheet_queries.paper_waiting(SEPTEMBER) == {}
    assert make_paper() is None
    services.resume_batch(period=SEPTEMBER, kind=RUN, actor=CLERK, now=NOW)
    assert make_paper().entries == 3


def test_two_clerks_at_once_never_get_the_same_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    billed()
    monkeypatch.setattr(sheets, "MOST_ENTRIES", 2)

    def clerk(_: int) -> Sheet | None:
        try:
            return make_paper()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = [sheet for sheet in pool.map(clerk, range(4)) if sheet]
    while left := make_paper():  # what another transaction held locked waits for the next sheet
        made.append(left)
    assert sum(sheet.entries for sheet in made) == 3
    refs = [entry.ref for sheet in made for entry in sheet_queries.entries_of(sheet)]
    assert sorted(refs) == sorted(number(person) for person in ADDRESSES)


def test_nothing_is_printed_for_a_bill_that_reached_somebody_meanwhile() -> None:
    billed()
    Delegate.objects.create(
        account_id=account_id(SALMA),
        recipient=1,
        name="ليلى",
        state="ACTIVE",
        invited_at=NOW,
        invited_by="holder",
    )
    services.release_messages(period=SEPTEMBER, kind=RUN, now=NOW)
    proof.record_reach(
        period=SEPTEMBER, ref=number(SALMA), how=ReachHow.LINK_VIEW, witness="link", now=NOW, recipient=1
    )
    assert make_paper().entries == 2
    assert message(SALMA).state == MessageState.FAILED  # nothing was sent to Salma herself


def test_a_delegate_has_no_postal_address_and_gets_no_paper() -> None:
    billed()
    Delegate.objects.create(
        account_id=account_id(SALMA),
        recipient=1,
        name="ليلى",
        state="ACTIVE",
        invited_at=NOW,
        invited_by="holder",
    )
    services.release_messages(period=SEPTEMBER, kind=RUN, now=NOW)
    assert message(SALMA, recipient=1).state == MessageState.FAILED  # nor has she any other way
    sheet = make_paper()
    assert {entry.recipient for entry in sheet_queries.entries_of(sheet)} == {0}
    assert message(SALMA, recipient=1).state == MessageState.FAILED


# Paper: outcomes


def test_with_the_carriers_a_bill_is_sent_and_proves_nothing_yet() -> None:
    billed()
    sheet = make_paper()
    assert sheets.send_paper_sheet(sheet_id=sheet.pk, actor=CLERK, now=NOW) == 3
    assert sheets.send_paper_sheet(sheet_id=sheet.pk, actor=CLERK, now=NOW) == 0
    assert set(Message.objects.values_list("state", "next_at")) == {(MessageState.SENT, None)}
    assert not Reach.objects.exists()


def test_a_ticked_list_proves_the_reach_and_what_came_back_ends_its_plan() -> None:
    billed()
    sheet = make_paper()
    sheets.send_paper_sheet(sheet_id=sheet.pk, actor=CLERK, now=NOW)
    closed = sheets.close_paper_sheet(
        sheet_id=sheet.pk, returned={number(HUDA): PaperOutcome.MOVED_AWAY}, actor=CLERK, now=NOW
    )
    assert closed == 3
    assert set(Reach.objects.values_list("ref", "how", "channel", "witness")) == {
        (number(person), ReachHow.PAPER, Channel.PAPER, CLERK) for person in (SALMA, NASSER)
    }
    assert message(SALMA).state == MessageState.DELIVERED
    assert message(HUDA).state == MessageState.FAILED
    returned = Delivery.objects.get(ref=number(HUDA))
    assert (returned.state, returned.reason) == (MessageState.FAILED, "MOVED_AWAY")
    sheet.refresh_from_db()
    assert (sheet.closed_at, sheet.closed_by) == (NOW, CLERK)
    assert actions(sheet) == ["SHEET_MADE", "SHEET_SENT", "SHEET_CLOSED"]


def test_closing_twice_changes_nothing_the_second_time() -> None:
    billed()
    sheet = make_paper()
    assert sheets.close_paper_sheet(sheet_id=sheet.pk, returned={}, actor=CLERK, now=NOW) == 3
    before = set(Delivery.objects.values_list("ref", "state", "settled_at"))
    again = sheets.close_paper_sheet(
        sheet_id=sheet.pk,
        returned={number(SALMA): PaperOutcome.REFUSED},
        actor="user:8",
        now=noon("2026-10-09"),
    )
    assert again == 0
    assert set(Delivery.objects.values_list("ref", "state", "settled_at")) == before
    assert Reach.objects.count() == 3


def test_two_clerks_who_close_at_once_close_once() -> None:
    billed()
    sheet = make_paper()

    def clerk(name: str) -> int:
        try:
            return sheets.close_paper_sheet(sheet_id=sheet.pk, returned={}, actor=name, now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(clerk, ["user:1", "user:2"])) == [0, 3]
    assert len(set(Reach.objects.values_list("witness", flat=True))) == 1


def test_a_posted_bill_is_sent_until_its_envelope_comes_back() -> None:
    billed()
    sheet = make_paper()
    sheets.close_paper_sheet(sheet_id=sheet.pk, returned={}, others=PaperOutcome.LEFT, actor=CLERK, now=NOW)
    assert message(SALMA).state == MessageState.SENT
    assert not Reach.objects.exists()
    late = noon("2026-10-20")
    back = {number(SALMA): PaperOutcome.ADDRESS_NOT_FOUND}
    assert sheets.enter_paper_outcomes(sheet_id=sheet.pk, outcomes=back, actor=CLERK, now=late) == 1
    assert sheets.enter_paper_outcomes(sheet_id=sheet.pk, outcomes=back, actor=CLERK, now=late) == 0
    assert message(SALMA).state == MessageState.FAILED
    assert message(NASSER).state == MessageState.SENT


def test_a_bill_that_was_seen_on_line_while_on_paper_stays_reached_when_its_envelope_comes_back() -> None:
    billed()
    sheet = make_paper()
    proof.record_reach(period=SEPTEMBER, ref=number(SALMA), how=ReachHow.LINK_VIEW, witness="link", now=NOW)
    sheets.close_paper_sheet(
        sheet_id=sheet.pk, returned={number(SALMA): PaperOutcome.REFUSED}, actor=CLERK, now=NOW
    )
    assert message(SALMA).state == MessageState.DELIVERED
    assert Reach.objects.get(ref=number(SALMA)).how == ReachHow.LINK_VIEW


def test_a_bill_that_is_not_on_the_sheet_stops_the_form_and_nothing_is_entered() -> None:
    billed()
    sheet = make_paper()
    with pytest.raises(UserError, match="is not on sheet"):
        sheets.close_paper_sheet(
            sheet_id=sheet.pk,
            returned={number(SALMA): PaperOutcome.REFUSED, 260900000009999: PaperOutcome.REFUSED},
            actor=CLERK,
            now=NOW,
        )
    assert set(Delivery.objects.values_list("state", flat=True)) == {MessageState.SENDING}


def test_a_sheet_given_back_leaves_no_trace_but_in_the_log() -> None:
    billed()
    sheet = make_paper()
    assert sheets.give_back(sheet_id=sheet.pk, actor=CLERK, now=NOW) == 3
    assert sheets.give_back(sheet_id=sheet.pk, actor=CLERK, now=NOW) == 0
    assert not Delivery.objects.exists()
    assert set(Message.objects.values_list("state", flat=True)) == {MessageState.QUEUED}
    assert make_paper().entries == 3


def test_time_does_not_put_a_sheet_in_doubt() -> None:
    billed()
    make_paper()
    outbox.recover(now=noon("2026-11-15"))
    assert set(Delivery.objects.values_list("state", flat=True)) == {MessageState.SENDING}


# Paper: printed


def test_bills_come_in_walking_order_with_numbers_compared_as_numbers() -> None:
    billed()
    walk = paper.walking_order(make_paper())
    assert [address for _, address in walk] == [ADDRESSES[person] for person in WALK]
    assert [entry.ref for entry, _ in walk] == [number(person) for person in WALK]


def test_the_pdf_has_a_cover_and_each_address_and_bill_on_an_odd_page_in_walking_order() -> None:
    billed()
    CustomerAccount.objects.filter(id=account_id(HUDA)).update(language=Language.fr)
    Message.objects.filter(account_id=account_id(HUDA)).update(language=Language.fr)
    sheet = make_paper()
    document = pypdf.PdfReader(io.BytesIO(render_paper(paper.paper_sheet(sheet), "ar")))
    texts = [page.extract_text() for page in document.pages]
    assert len(texts) == 2 + 3 * 4  # a cover's leaf, and two leaves a bill
    assert [text.strip() for text in texts[1::2]] == [""] * 7
    for place, person in enumerate(WALK):
        address_sheet, bill = texts[2 + 4 * place], texts[4 + 4 * place]
        shown = f"{number(person):015d}"
        grouped = " ".join(shown[i : i + 3] for i in range(0, 15, 3))
        assert cast.NAMES[person] in " ".join(address_sheet.split())
        assert f"{shown} {sheet.pk:07d}" in address_sheet
        assert f"{place + 1} / 3" in address_sheet
        assert grouped in bill
    assert "Facture d’électricité" in texts[4]
    assert "فاتورة كهرباء" in " ".join(texts[8].split())
    assert "3" in texts[0]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils is not installed")
def test_pdftotext_reads_the_arabic_names_as_they_were_written(tmp_path: Path) -> None:
    billed()
    Customer.objects.filter(id=SALMA).update(name="لانا عبدالإله الآغا")
    path = tmp_path / "list.pdf"
    for lang in ("ar", "en"):
        path.write_bytes(render_list(paper.paper_sheet(make_paper() or Sheet.objects.get()), lang))
        text = subprocess.run(["pdftotext", path, "-"], check=True, capture_output=True, text=True).stdout
        words = set("".join(c if c.isalnum() else " " for c in text).split())
        assert {"لانا", "عبدالإله", "الآغا", "القحطاني", "التحلية", "الأربعين"} <= words


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="poppler-utils is not installed")
def test_a_scanner_reads_bill_and_sheet_off_the_printed_address_page(tmp_path: Path) -> None:
    billed()
    sheet = make_paper()
    path = tmp_path / "paper.pdf"
    path.write_bytes(render_paper(paper.paper_sheet(sheet), "fr"))
    for place, person in enumerate(WALK):
        page = str(3 + 4 * place)
        image = subprocess.run(
            ["pdftoppm", "-r", "150", "-gray", "-f", page, "-l", page, path], check=True, capture_output=True
        ).stdout
        _, size, _, pixels = image.split(b"\n", 3)
        width, height = map(int, size.split())
        found = zxingcpp.read_barcodes(np.frombuffer(pixels, np.uint8).reshape(height, width))
        assert [(code.format, code.text) for code in found] == [
            (zxingcpp.BarcodeFormat.Code128, sheet_code(number(person), sheet.pk))
        ]


def test_the_list_names_every_bill_once_in_walking_order() -> None:
    billed()
    sheet = make_paper()
    document = pypdf.PdfReader(io.BytesIO(render_list(paper.paper_sheet(sheet), "en")))
    text = " ".join("".join(page.extract_text() for page in document.pages).split())
    shown = [f"{number(person):015d}" for person in WALK]
    places = [text.find(" ".join(n[i : i + 3] for i in range(0, 15, 3))) for n in shown]
    assert -1 not in places
    assert places == sorted(places)
    assert f"Hand-over list {sheet.pk}" in text


def test_the_paper_command_makes_and_prints_and_does_not_print_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    billed()
    monkeypatch.setattr(cli, "prepare_database", lambda: None)
    monkeypatch.setenv("TAYYAR_NOW", NOW.isoformat())
    assert cli.main(["paper", "2026-09", "--centre", "C01", "-o", str(tmp_path), "--lang", "en"]) == 0
    sheet = Sheet.objects.get()
    names = {f"2026-09-sheet-{sheet.pk}-bills.en.pdf", f"2026-09-sheet-{sheet.pk}-list.en.pdf"}
    assert {file.name for file in tmp_path.iterdir()} == names
    assert "3 bills" in capsys.readouterr().out
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert cli.main(["paper", "2026-09", "-o", str(tmp_path), "--lang", "en"]) == 0
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
    assert "No bill of 2026-09 waits" in capsys.readouterr().out


def test_an_unknown_centre_is_named_in_the_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    billed()
    monkeypatch.setattr(cli, "prepare_database", lambda: None)
    assert cli.main(["paper", "2026-09", "--centre", "C99", "-o", str(tmp_path)]) == 2
    assert "C99" in capsys.readouterr().err


# Calls


def test_a_told_bill_is_reached_with_the_caller_as_witness_and_the_last_call_closes_the_sheet() -> None:
    billed(phones=True)
    sheet = make_calls()
    assert sheet.entries == 3
    for person in ADDRESSES:
        assert call(sheet, person, CallOutcome.TOLD)
    assert set(Reach.objects.values_list("how", "channel", "witness")) == {
        (ReachHow.CALLER, Channel.CALL, CLERK)
    }
    assert set(Message.objects.values_list("state", flat=True)) == {MessageState.DELIVERED}
    sheet.refresh_from_db()
    assert sheet.closed_at == NOW


def test_an_outcome_is_entered_once() -> None:
    billed(phones=True)
    sheet = make_calls()
    assert call(sheet, SALMA, CallOutcome.TOLD)
    assert not call(sheet, SALMA, CallOutcome.REFUSED_TO_LISTEN)
    assert message(SALMA).state == MessageState.DELIVERED


def test_who_does_not_answer_is_called_three_times_and_then_gets_paper() -> None:
    billed(phones=True)
    now = NOW
    for attempt in (1, 2, 3):
        sheet = make_calls(now=now)
        assert call(sheet, SALMA, CallOutcome.NO_ANSWER, now=now)
        sheets.give_back(sheet_id=sheet.pk, actor=CLERK, now=now)
        if attempt < 3:
            assert message(SALMA).state == MessageState.DEFERRED
            assert number(SALMA) not in [e.ref for e in sheet_queries.entries_of(make_or_none(now))]
            now += sheets.CALL_AGAIN
            outbox.recover(now=now)
    assert (message(SALMA).state, message(SALMA).channel) == (MessageState.QUEUED, Channel.PAPER)
    assert Delivery.objects.filter(ref=number(SALMA), channel=Channel.CALL, reason="NO_ANSWER").count() == 3


def make_or_none(now) -> Sheet:
    """A sheet of the others, given back at once."""
    sheet = make_calls(now=now)
    found = sheet_queries.entries_of(sheet)
    sheets.give_back(sheet_id=sheet.pk, actor=CLERK, now=now)
    assert found
    return sheet


def test_a_wrong_number_is_marked_and_never_called_again() -> None:
    billed(phones=True)
    assert call(make_calls(), SALMA, CallOutcome.WRONG_NUMBER)
    contact = ContactPoint.objects.get(account_id=account_id(SALMA))
    assert (contact.mark, contact.is_active) == (ContactMark.NOT_MINE, False)
    assert (message(SALMA).state, message(SALMA).channel) == (MessageState.QUEUED, Channel.PAPER)


@pytest.mark.parametrize("outcome", [CallOutcome.WANTS_PAPER, CallOutcome.REFUSED_TO_LISTEN])
def test_who_wants_paper_or_nothing_gets_the_next_step(outcome: CallOutcome) -> None:
    billed(phones=True)
    assert call(make_calls(), SALMA, outcome)
    assert (message(SALMA).state, message(SALMA).channel) == (MessageState.QUEUED, Channel.PAPER)
    assert not Reach.objects.exists()
    assert Delivery.objects.get(ref=number(SALMA), state=MessageState.FAILED).reason == outcome.value


def test_a_delegate_is_called_at_their_own_number() -> None:
    billed(phones=True)
    Delegate.objects.create(
        account_id=account_id(SALMA),
        recipient=1,
        name="ليلى",
        state="ACTIVE",
        invited_at=NOW,
        invited_by="holder",
    )
    theirs = give_phone(SALMA, number="+966511111111", recipient=1)
    mine = message(SALMA)
    Message.objects.create(
        period=mine.period, kind=mine.kind, ref=mine.ref, recipient=1, account_id=mine.account_id,
        language=1, step=mine.step, channel=Channel.CALL, state=MessageState.QUEUED, created_at=NOW,
    )  # fmt: skip
    sheet = make_calls()
    entry = next(e for e in sheet_queries.entries_of(sheet) if e.recipient == 1)
    assert entry.contact_point_id == theirs.pk
    assert call(sheet, SALMA, CallOutcome.TOLD, recipient=1)
    assert Reach.objects.get().recipient == 1


def test_numbers_are_opened_for_a_purpose_that_the_log_keeps() -> None:
    billed(phones=True)
    sheet = make_calls()
    ids = [entry.contact_point_id for entry in sheet_queries.entries_of(sheet)]
    numbers = sheets.open_numbers(
        sheet_id=sheet.pk, contact_point_ids=ids, purpose="EXPORTED", actor=CLERK, now=NOW
    )
    assert set(numbers.values()) == {f"+96650000000{person}" for person in ADDRESSES}
    entry = AuditEntry.objects.get(action="SHEET_NUMBERS_READ")
    assert (entry.detail["purpose"], entry.detail["numbers"]) == ("EXPORTED", 3)
    assert not any(n in str(entry.detail) for n in numbers.values())


def test_a_call_without_any_number_goes_on_in_its_plan() -> None:
    billed(phones=True)
    ContactPoint.objects.filter(account_id=account_id(SALMA)).update(is_active=False)
    assert make_calls().entries == 2
    assert (message(SALMA).state, message(SALMA).channel) == (MessageState.QUEUED, Channel.PAPER)


def test_calls_to_one_number_stand_beside_each_other() -> None:
    billed(phones=True)
    # Salma's number is made Huda's, too; by bill number Nasser stands between them
    ContactPoint.objects.filter(account_id=account_id(HUDA)).delete()
    give_phone(HUDA, number=f"+96650000000{SALMA}")
    order = [entry.account_id for entry in sheet_queries.entries_of(make_calls())]
    assert order == [account_id(SALMA), account_id(HUDA), account_id(NASSER)]
