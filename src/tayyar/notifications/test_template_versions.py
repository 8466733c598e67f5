"""Edited words are sent in place of the shipped ones, are checked before they are stored, and can be gone back on."""

import datetime as dt
from collections.abc import Iterator

import pytest

from tayyar.core import crypto
from tayyar.core.errors import UserError
from tayyar.core.models import AuditEntry, Setting
from tayyar.customers.models import Channel, Language
from tayyar.notifications import templates, variables, words
from tayyar.notifications.content import MessageKey
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Payload, TemplateVersion
from tayyar.notifications.payloads import payload_facts, seal_facts
from tayyar.notifications.ports import SmsContent
from tayyar.notifications.template_versions import edited_versions, save_version, versions

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)
TEXT = "كهرباء {month_text}: {amount_text} حتى {due_day_text} {url}"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """What one test saved is rolled back in the database; the process forgets it too."""
    templates.forget()
    yield
    templates.forget()


def save(text: str = TEXT, actor: str = "user:7") -> int:
    return save_version(
        template="bill_issued",
        channel=Channel.SMS,
        language="ar",
        words={"text": text},
        actor=actor,
        now=NOW,
    )


def sent(language: str = "ar") -> str:
    facts = variables.sample_facts("bill_issued", language)
    content = templates.render(facts, channel=Channel.SMS, language=language)
    assert isinstance(content, SmsContent)
    return content.text


def test_saved_words_are_sent_and_only_in_their_language() -> None:
    before, english = sent(), sent("en")
    assert save() == 1
    templates.forget()
    assert sent().startswith("كهرباء نوفمبر: 276.00 ريال حتى 11 ديسمبر https://")
    assert sent() != before and sent("en") == english
    assert templates.in_use("bill_issued", Channel.SMS, "ar")[0] == 1


def test_a_version_of_another_process_is_noticed_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sent()
    TemplateVersion.objects.create(
        template="bill_issued",
        channel=Channel.SMS,
        language=Language.ar,
        version=1,
        words={"text": TEXT},
        written_at=NOW,
        written_by="user:8",
    )
    assert sent() == before
    late = templates.time.monotonic() + templates.FRESH_SECONDS + 0.1
    monkeypatch.setattr(templates.time, "monotonic", lambda: late)
    assert sent() != before


def test_saving_is_in_the_audit_log_and_in_the_history() -> None:
    save()
    save(TEXT + " .")
    entry = AuditEntry.objects.get(action="TEMPLATE_SAVED", detail__version=2)
    assert (entry.actor, entry.subject) == ("user:7", "template:bill_issued.SMS.ar")
    history = versions("bill_issued", Channel.SMS, "ar")
    assert [version.version for version in history] == [2, 1, 0]
    assert history[0].written_at == NOW and history[0].written_by == "user:7"
    assert history[2].words == words.shipped("bill_issued", "ar")[Channel.SMS]
    assert edited_versions() == {("bill_issued", Channel.SMS, "ar"): 2}


def test_saving_what_is_in_use_stores_nothing() -> None:
    assert save() == 1
    assert save() == 1
    assert (
        save_version(
            template="bill_issued",
            channel=Channel.SMS,
            language="en",
            words=words.shipped("bill_issued", "en")[Channel.SMS],
            actor="user:7",
            now=NOW,
        )
        == 0
    )
    assert TemplateVersion.objects.count() == 1


def test_going_back_is_saving_the_old_words_as_the_newest() -> None:
    shipped = words.shipped("bill_issued", "ar")[Channel.SMS]["text"]
    before = sent()
    save()
    assert save(shipped) == 2
    templates.forget()
    assert sent() == before


def test_words_that_leave_the_amount_out_are_not_saved() -> None:
    with pytest.raises(UserError, match=r"bill_issued for SMS in ar was not saved: .*{amount_text}"):
        save("فاتورة {due_day_text} {url}")
    assert not TemplateVersion.objects.exists() and not AuditEntry.objects.exists()


def test_a_stored_version_that_no_longer_fits_its_variables_is_not_sent() -> None:
    before = sent()
    TemplateVersion.objects.create(
        template="bill_issued",
        channel=Channel.SMS,
        language=Language.ar,
        version=1,
        words={"text": "{amount_text} {due_day_text} {gone} {url}"},
        written_at=NOW,
        written_by="user:8",
    )
    templates.forget()
    assert sent() == before and templates.in_use("bill_issued", Channel.SMS, "ar")[0] == 0


def test_a_caller_reads_out_the_amount_and_a_letter_says_what_the_mail_says() -> None:
    facts = variables.sample_facts("overdue", "ar")
    assert facts.values["amount_text"] in templates.call_script(facts, "ar")
    assert facts.values["account_number"] in templates.paper_text(facts, "ar")


def test_sealed_facts_are_opened_for_their_message_and_lead_to_the_readers_wishes() -> None:
    Setting.objects.create(key="PROFILE", value="sa")
    values = {"change_text": "تغيّر", "account_number": "10000000165", "complaint_text": "933"}
    sealed = seal_facts(values, url="https://b.example/p/1")
    assert "تغيّر".encode() not in sealed
    payload = Payload.objects.create(
        period=202611, kind=MessageKind.DELEGATE_CHANGED, facts_sealed=sealed, created_at=NOW
    )
    key = MessageKey(202611, MessageKind.DELEGATE_CHANGED, payload.ref, 1, 100_000_001, "ar")
    (facts,) = payload_facts([key, key._replace(ref=payload.ref + 1)])
    assert (facts.ref, facts.recipient, facts.template) == (payload.ref, 1, "delegate_changed")
    assert facts.values == values and facts.url == "https://b.example/p/1"
    assert "/p/" in facts.preferences_url
    with pytest.raises(UserError):
        crypto.unseal(sealed, field="another.column")


def test_a_one_time_code_carries_no_link_to_wishes() -> None:
    Setting.objects.create(key="PROFILE", value="sa")
    sealed = seal_facts({"code": "482913", "minutes_text": "10 دقائق"})
    payload = Payload.objects.create(
        period=202611, kind=MessageKind.ONE_TIME_CODE, facts_sealed=sealed, created_at=NOW
    )
    key = MessageKey(202611, MessageKind.ONE_TIME_CODE, payload.ref, 0, 100_000_001, "ar")
    (facts,) = payload_facts([key])
    assert facts.preferences_url == "" and facts.url == ""
    assert "482913" in str(templates.render(facts, channel=Channel.SMS, language="ar"))
