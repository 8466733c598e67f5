"""What people decide about being told, from the link in a message to the plan that follows, over HTTP."""

import datetime as dt
import json
from collections.abc import Iterator

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from tests.scenarios import cast

from tayyar.core import clock, crypto
from tayyar.core.links import bill_token, delegate_token, preference_token
from tayyar.core.models import AuditEntry
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.customers.delegates import DelegateRefused
from tayyar.customers.models import (
    Channel,
    ContactMark,
    ContactPoint,
    ContactReview,
    Delegate,
    DelegateState,
    Language,
    OneTimeCode,
    OptOut,
    Preference,
)
from tayyar.customers.services import add_contact_point
from tayyar.notifications import consent, proof
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Delivery, Message, MessageState, Payload, Reach, ReachHow
from tayyar.notifications.payloads import PAYLOAD_FIELD
from tayyar.notifications.services import release_messages
from tayyar.portal.views import OPENINGS

NOW = dt.datetime(2026, 10, 2, 8, tzinfo=dt.UTC)
SEPTEMBER = Period(2026, 9)
PHONE = (
    "Mozilla/5.0 (Linux; Android 8.1.0; SM-J260F) AppleWebKit/537.36 Chrome/109.0.0.0 Mobile Safari/537.36"
)
ACCOUNT, OTHER_ACCOUNT = cast.account_id(cast.SALMA), cast.account_id(cast.NASSER)


@pytest.fixture
def client(books: None) -> Iterator[Client]:
    """Salma's and Nasser's bills of September; Salma is told by SMS and e-mail. The clock stands."""
    for person in (cast.SALMA, cast.NASSER):
        cast.settle(person, start=cast.day("2026-08-28"))
        cast.read(person, cast.day("2026-09-27"), 1600)
    cast.bill("2026-09")
    OPENINGS.clear()
    with clock.at(NOW):
        contact("+966500000021", Channel.SMS)
        contact("salma@mail.example", Channel.EMAIL)
        release_messages(period=SEPTEMBER, kind=MessageKind.BILL_ISSUED, now=NOW)
        yield Client(headers={"user-agent": PHONE})


def contact(address: str, channel: Channel, *, account: int = ACCOUNT, recipient: int = 0) -> ContactPoint:
    return add_contact_point(
        account_id=account,
        channel=channel,
        address=address,
        verified_at=NOW,
        actor="user:1",
        now=NOW,
        recipient=recipient,
    )


def number(person: int = cast.SALMA) -> int:
    return int(cast.the_bill(person, "2026-09").number)


def link(person: int = cast.SALMA, rest: str = "") -> str:
    return f"/b/{bill_token(number(person), expires=cast.day('2027-01-01'))}{rest}"


def wishes(recipient: int = 0, rest: str = "") -> str:
    return f"/p/{preference_token(ACCOUNT, recipient, expires=cast.day('2027-01-01'))}{rest}"


def sent(
    channel: Channel, *, state: MessageState = MessageState.DELIVERED, recipient: int = 0
) -> ContactPoint:
    """As if the bill's message had gone out through Salma's contact point of that channel."""
    point = ContactPoint.objects.get(account_id=ACCOUNT, channel=channel, recipient=recipient)
    with connection.cursor() as cursor:
        ensure_partition(cursor, table="notifications_delivery", period=SEPTEMBER)
    Delivery.objects.create(
        period=SEPTEMBER.number,
        kind=MessageKind.BILL_ISSUED,
        ref=number(),
        recipient=recipient,
        channel=channel,
        attempt=1,
        state=state,
        account_id=ACCOUNT,
        contact_point_id=point.pk,
        worker="w",
        claimed_at=NOW,
        settled_at=NOW,
    )
    message().update(state=state, channel=channel)
    return point


def message(recipient: int = 0):
    return Message.objects.filter(
        period=SEPTEMBER.number, kind=MessageKind.BILL_ISSUED, ref=number(), recipient=recipient
    )


def told(kind: MessageKind, recipient: int = 0) -> list[dict[str, str]]:
    """The facts of the messages of that kind to that person, the oldest first."""
    refs = Message.objects.filter(kind=kind, account_id=ACCOUNT, recipient=recipient).values("ref")
    sealed = (
        Payload.objects.filter(ref__in=refs, kind=kind).order_by("ref").values_list("facts_sealed", flat=True)
    )
    raw = [json.loads(crypto.unseal(bytes(facts), field=PAYLOAD_FIELD)) for facts in sealed]
    return [{**entry["values"], "url": entry["url"]} for entry in raw]


def audited(action: str) -> int:
    return AuditEntry.objects.filter(action=action).count()


def reached() -> Reach | None:
    return Reach.objects.filter(period=SEPTEMBER.number, ref=number()).first()


# ------------------------------------------------------------------------------------------------------ evidence


def test_the_page_alone_proves_nothing_its_picture_proves_a_view(client: Client) -> None:
    assert client.get(link()).status_code == 200
    assert reached() is None
    picture = client.get(link(rest="/seen.gif"))
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/gif")
    found = reached()
    assert found is not None and (found.how, found.witness) == (ReachHow.LINK_VIEW, "link")


@pytest.mark.parametrize("rest", ["/bill", "/pay", "/bill.pdf"])
def test_a_further_step_on_the_link_proves_a_view(client: Client, rest: str) -> None:
    assert client.get(link(rest=rest)).status_code == 200
    assert reached() is not None


@pytest.mark.parametrize(
    "agent",
    [
        "WhatsApp/2.23.20.0 A",
        "TelegramBot (like TwitterBot)",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
        "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "python-requests/2.32",
        "curl/8.5.0",
        "",
    ],
)
def test_previews_scanners_and_programs_are_no_evidence(client: Client, agent: str) -> None:
    for rest in ("", "/seen.gif", "/bill", "/pay"):
        assert client.get(link(rest=rest), headers={"user-agent": agent}).status_code == 200
    assert reached() is None


def test_a_head_request_and_a_prefetch_are_no_evidence(client: Client) -> None:
    client.head(link(rest="/seen.gif"))
    client.get(link(rest="/seen.gif"), headers={"sec-purpose": "prefetch"})
    client.get(link(rest="/bill"), headers={"purpose": "prefetch"})
    assert reached() is None


# ------------------------------------------------------------------------------------------------------ not mine


def test_not_mine_stops_that_contact_opens_a_review_and_tells_the_holder_another_way(client: Client) -> None:
    point = sent(Channel.SMS)
    proof.record_reach(period=SEPTEMBER, ref=number(), how=ReachHow.LINK_VIEW, witness="link", now=NOW)
    page = client.get(link(rest="/not-mine?lang=ar")).content.decode()
    assert "••• 21" in page and "salma" not in page and "966500000021" not in page
    assert ContactReview.objects.count() == 0
    done = client.post(link(rest="/not-mine?lang=ar"), {"contact": point.pk}, follow=True)
    review = ContactReview.objects.get()
    assert review.reference in done.content.decode()
    assert (review.contact_point_id, review.subject) == (point.pk, f"bill:{number()}")
    point.refresh_from_db()
    assert (point.is_active, point.mark) == (False, ContactMark.NOT_MINE)
    assert ContactPoint.objects.get(channel=Channel.EMAIL, account_id=ACCOUNT).is_active
    assert reached() is None
    state = message().get()
    assert (state.state, state.channel) == (MessageState.QUEUED, Channel.EMAIL)


def test_not_mine_twice_is_one_review_and_the_same_answer(client: Client) -> None:
    point = sent(Channel.SMS)
    answers = [client.post(link(rest="/not-mine"), {"contact": point.pk}) for _ in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert ContactReview.objects.count() == 1
    assert audited("CONTACT_REVIEW_OPENED") == 1


def test_after_not_mine_a_view_of_that_link_proves_nothing(client: Client) -> None:
    point = sent(Channel.SMS)
    client.post(link(rest="/not-mine"), {"contact": point.pk})
    client.get(link(rest="/seen.gif"))
    assert reached() is None


def test_proof_that_does_not_rest_on_that_contact_stays(client: Client) -> None:
    point = sent(Channel.SMS)
    proof.record_reach(period=SEPTEMBER, ref=number(), how=ReachHow.CLERK, witness="user:7", now=NOW)
    client.post(link(rest="/not-mine"), {"contact": point.pk})
    found = reached()
    assert found is not None and found.how == ReachHow.CLERK
    assert message().get().state != MessageState.QUEUED


def test_who_was_passed_the_link_stops_nobody(client: Client) -> None:
    point = sent(Channel.SMS)
    client.post(link(rest="/not-mine"), {"contact": "other"})
    point.refresh_from_db()
    assert point.is_active
    assert ContactReview.objects.get().contact_point is None


def test_not_mine_cannot_stop_a_contact_that_the_bill_was_not_sent_to(client: Client) -> None:
    sent(Channel.SMS)
    foreign = contact("+966500000099", Channel.SMS, account=OTHER_ACCOUNT)
    unused = ContactPoint.objects.get(account_id=ACCOUNT, channel=Channel.EMAIL)
    for chosen in (foreign.pk, unused.pk, "", "x", "-1"):
        assert client.post(link(rest="/not-mine"), {"contact": chosen}).status_code == 422
    assert ContactReview.objects.count() == 0
    assert not ContactPoint.objects.filter(is_active=False).exists()


# ---------------------------------------------------------------------------------------------------- closed doors


def test_every_wrong_token_gets_the_same_404(client: Client) -> None:
    expired = cast.day("2026-10-02")
    tokens = {
        "b": [link()[3:-1] + ("A" if link()[-1] != "A" else "B"), bill_token(number(), expires=expired)],
        "p": [
            preference_token(5, 0, expires=cast.day("2027-01-01")),
            preference_token(ACCOUNT, 0, expires=expired),
        ],
        "d": [delegate_token(99, expires=cast.day("2027-01-01")), wishes()[3:]],
    }
    rests = {
        "b": ["", "/bill", "/pay", "/not-mine", "/wishes", "/seen.gif"],
        "p": ["", "/messages", "/bills/1"],
        "d": [""],
    }
    bodies = set()
    for kind, wrong in tokens.items():
        for token in (*wrong, "x", "A" * 36):
            for rest in rests[kind]:
                OPENINGS.clear()
                answer = client.get(f"/{kind}/{token}{rest}?lang=ar")
                assert answer.status_code == 404, (kind, token, rest)
                bodies.add(answer.content)
    assert len(bodies) == 1


def test_a_bill_of_another_account_does_not_open_from_ones_messages(client: Client) -> None:
    assert client.get(wishes(rest=f"/bills/{number(cast.NASSER)}")).status_code == 404
    assert client.get(wishes(rest="/bills/99999999999999999999999999")).status_code == 404
    own = client.get(wishes(rest=f"/bills/{number()}"))
    assert own.status_code == 302
    found = reached()
    assert found is not None and found.how == ReachHow.PORTAL_VIEW
    assert client.get(own["Location"]).status_code == 200


def test_pages_behind_links_set_no_cookie_and_are_not_kept(client: Client) -> None:
    for address in (link(), link(rest="/pay"), link(rest="/not-mine"), link(rest="/wishes"), wishes()):
        answer = client.get(address)
        assert not answer.cookies
        assert answer["Cache-Control"] == "private, no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["X-Robots-Tag"] == "noindex, nofollow"


def test_forms_are_limited_per_address(client: Client) -> None:
    # 600 points a minute, 10 for each form: the 61st is refused
    answers = [client.post(link(rest="/not-mine"), {"contact": "x"}).status_code for _ in range(61)]
    assert answers == [422] * 60 + [429]


# -------------------------------------------------------------------------------------------------------- wishes


def save(client: Client, **fields: object) -> HttpResponse:
    form = {"use": ["WHATSAPP", "SMS", "EMAIL", "PUSH"], "language": "ar"} | fields
    return client.post(wishes(), form)


def test_wishes_are_stored_and_what_waits_is_planned_again(client: Client) -> None:
    first = message().get()
    assert (first.state, first.channel) == (
        MessageState.QUEUED,
        Channel.PAPER,
    )  # billed before it had a contact
    answer = save(
        client,
        first="EMAIL",
        use=["SMS", "EMAIL"],
        quiet_from="22:00",
        quiet_to="07:30",
        tell=["DUE_SOON"],
        pdf="on",
    )
    assert answer.status_code == 302
    stored = Preference.objects.get(account_id=ACCOUNT)
    assert (stored.channels, stored.excluded) == (["EMAIL"], ["WHATSAPP", "PUSH"])
    assert (stored.quiet_from, stored.quiet_to, stored.attaches_pdf) == (dt.time(22), dt.time(7, 30), True)
    off = set(OptOut.objects.filter(account_id=ACCOUNT).values_list("kind", flat=True))
    assert off == {kind.value for kind in consent.OPTIONAL} - {MessageKind.DUE_SOON.value}
    assert audited("WISHES_CHANGED") == 1
    assert message().get().channel == Channel.EMAIL
    save(
        client,
        first="EMAIL",
        use=["SMS", "EMAIL"],
        quiet_from="22:00",
        quiet_to="07:30",
        tell=["DUE_SOON"],
        pdf="on",
    )
    assert audited("WISHES_CHANGED") == 1


def test_a_statutory_kind_cannot_be_switched_off_by_any_form(client: Client) -> None:
    save(client, tell=[])
    off = set(OptOut.objects.filter(account_id=ACCOUNT).values_list("kind", flat=True))
    assert not off & {kind.value for kind in consent.STATUTORY}
    assert (
        MessageKind.BILL_ISSUED not in consent.OPTIONAL and MessageKind.FINAL_NOTICE not in consent.OPTIONAL
    )


def test_a_bill_must_keep_a_way(client: Client) -> None:
    assert save(client, use=["WHATSAPP", "PUSH"]).status_code == 422  # no address of either is known
    assert not Preference.objects.exists()
    assert save(client, use=["WHATSAPP", "PUSH"], paper="on").status_code == 302


@pytest.mark.parametrize(("start", "end"), [("22:00", ""), ("x", "07:00"), ("09:00", "09:00")])
def test_half_or_empty_quiet_hours_are_explained(client: Client, start: str, end: str) -> None:
    assert save(client, quiet_from=start, quiet_to=end).status_code == 422
    assert not Preference.objects.exists()


def test_one_click_leaves_e_mail_where_there_is_another_way(client: Client) -> None:
    for _ in range(2):
        answer = client.post(wishes(), {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    assert Preference.objects.get(account_id=ACCOUNT).excluded == ["EMAIL"]
    assert not OptOut.objects.exists()
    assert audited("WISHES_CHANGED") == 1


def test_one_click_with_e_mail_alone_keeps_the_bill_and_ends_the_rest(client: Client) -> None:
    ContactPoint.objects.filter(channel=Channel.SMS).delete()
    assert client.post(wishes(), {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Preference.objects.get(account_id=ACCOUNT).excluded == []
    assert set(OptOut.objects.values_list("kind", flat=True)) == {kind.value for kind in consent.OPTIONAL}


# --------------------------------------------------------------------------------------------------------- codes


def test_a_bill_link_opens_wishes_only_with_a_code_to_the_holders_contact(client: Client) -> None:
    point = ContactPoint.objects.get(account_id=ACCOUNT, channel=Channel.SMS)
    door = link(rest="/wishes?lang=ar")
    assert "••• 21" in client.get(door).content.decode()
    assert client.post(door, {"step": "send", "contact": point.pk}).status_code == 200
    (facts,) = told(MessageKind.ONE_TIME_CODE)
    assert bytes(OneTimeCode.objects.get().code_hash) != facts["code"].encode()
    wrong = f"{(int(facts['code']) + 1) % 1_000_000:06d}"
    assert client.post(door, {"step": "check", "contact": point.pk, "code": wrong}).status_code == 422
    arabic = facts["code"].translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    opened = client.post(door, {"step": "check", "contact": point.pk, "code": arabic})
    assert opened.status_code == 302 and opened["Location"].startswith("/p/")
    again = client.post(door, {"step": "check", "contact": point.pk, "code": facts["code"]})
    assert again.status_code == 422  # used up


def test_a_code_ends_after_60_seconds_and_after_5_tries(client: Client) -> None:
    point, door = (
        ContactPoint.objects.get(account_id=ACCOUNT, channel=Channel.SMS),
        link(rest="/wishes?lang=en"),
    )

    def check(code: str) -> str:
        return client.post(door, {"step": "check", "contact": point.pk, "code": code}).content.decode()

    client.post(door, {"step": "send", "contact": point.pk})
    code = told(MessageKind.ONE_TIME_CODE)[-1]["code"]
    with clock.at(NOW + dt.timedelta(seconds=60)):
        assert "time is over" in check(code)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for _ in range(5):
        assert "This is not the code" in check(wrong)
    assert "tried 5 times" in check(code)


def test_codes_are_sent_again_with_growing_delay_and_at_most_ten_a_day(client: Client) -> None:
    point, door = (
        ContactPoint.objects.get(account_id=ACCOUNT, channel=Channel.SMS),
        link(rest="/wishes?lang=en"),
    )

    def ask(seconds: int) -> int:
        OPENINGS.clear()
        with clock.at(NOW + dt.timedelta(seconds=seconds)):
            return client.post(door, {"step": "send", "contact": point.pk}).status_code

    # the first at once; then 30 s after it, 60 s after the second
    assert [ask(0), ask(29), ask(30), ask(89), ask(90)] == [200, 429, 200, 429, 200]
    assert [ask(7200 * n) for n in range(1, 9)] == [200] * 7 + [429]
    assert OneTimeCode.objects.count() == 10


def test_a_code_goes_to_no_foreign_and_to_no_unverified_contact(client: Client) -> None:
    foreign = contact("+966500000099", Channel.SMS, account=OTHER_ACCOUNT)
    ContactPoint.objects.filter(channel=Channel.EMAIL).update(verified_at=None)
    unverified = ContactPoint.objects.get(account_id=ACCOUNT, channel=Channel.EMAIL)
    for point in (foreign, unverified):
        assert client.post(link(rest="/wishes"), {"step": "send", "contact": point.pk}).status_code == 422
    assert not OneTimeCode.objects.exists()


# ----------------------------------------------------------------------------------------------------- delegates

INVITATION = {
    "name": "سارة العتيبي",
    "relation": "RELATIVE",
    "channel": "SMS",
    "address": "050 000 0034",
    "rights": "see",
    "language": "ar",
    "until": "",
}


def invite(client: Client, **fields: str) -> Delegate:
    """Through the form and the code, as the holder does."""
    form = INVITATION | fields
    point = ContactPoint.objects.get(account_id=ACCOUNT, channel=Channel.SMS, recipient=0)
    address = wishes(rest="/delegates")
    client.post(address, form | {"step": "send", "contact": point.pk})
    code = told(MessageKind.ONE_TIME_CODE)[-1]["code"]
    answer = client.post(address, form | {"step": "check", "contact": point.pk, "code": code})
    assert answer.status_code == 302, answer.content.decode()
    return Delegate.objects.latest("id")


def path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def test_a_delegate_is_invited_by_code_accepts_and_receives_the_next_bill(client: Client) -> None:
    delegate = invite(client)
    assert delegate.state == DelegateState.INVITED
    point = ContactPoint.objects.get(recipient=1)
    assert point.verified_at is None
    (facts,) = told(MessageKind.DELEGATE_INVITED, recipient=1)
    assert facts["holder_name"] == cast.NAMES[cast.SALMA]
    page = client.get(path(facts["url"]))
    assert cast.NAMES[cast.SALMA] in page.content.decode()
    assert Delegate.objects.get().state == DelegateState.INVITED  # looking accepts nothing
    client.post(path(facts["url"]), {"action": "accept"})
    assert Delegate.objects.get().state == DelegateState.ACTIVE
    assert ContactPoint.objects.get(recipient=1).verified_at == NOW
    assert "سارة" in told(MessageKind.DELEGATE_CHANGED)[-1]["change_text"]
    release_messages(period=SEPTEMBER, kind=MessageKind.BILL_ISSUED, now=NOW)
    assert message(recipient=1).get().channel == Channel.SMS


def test_an_invitation_with_other_content_than_was_confirmed_is_not_sent(client: Client) -> None:
    point = ContactPoint.objects.get(account_id=ACCOUNT, channel=Channel.SMS)
    client.post(wishes(rest="/delegates"), INVITATION | {"step": "send", "contact": point.pk})
    code = told(MessageKind.ONE_TIME_CODE)[-1]["code"]
    other = INVITATION | {"address": "0500000035", "step": "check", "contact": point.pk, "code": code}
    assert client.post(wishes(rest="/delegates"), other).status_code == 422
    assert not Delegate.objects.exists()


def test_a_delegate_declines_and_the_holder_is_told(client: Client) -> None:
    invite(client)
    url = path(told(MessageKind.DELEGATE_INVITED, recipient=1)[0]["url"])
    client.post(url, {"action": "decline"})
    assert Delegate.objects.get().state == DelegateState.DECLINED
    assert len(told(MessageKind.DELEGATE_CHANGED)) == 1
    assert cast.NAMES[cast.SALMA] not in client.get(url).content.decode()
    assert client.post(url, {"action": "accept"}).status_code == 422
    assert Delegate.objects.get().state == DelegateState.DECLINED


@pytest.mark.parametrize("side", ["holder", "delegate"])
def test_either_side_ends_it_and_the_other_is_told(client: Client, side: str) -> None:
    delegate = invite(client)
    url = path(told(MessageKind.DELEGATE_INVITED, recipient=1)[0]["url"])
    client.post(url, {"action": "accept"})
    holder, other = (
        len(told(MessageKind.DELEGATE_CHANGED)),
        len(told(MessageKind.DELEGATE_CHANGED, recipient=1)),
    )
    if side == "holder":
        client.post(wishes(rest=f"/delegates/{delegate.recipient}/end"))
    else:
        client.post(wishes(recipient=1), {"action": "end"})
    found = Delegate.objects.get()
    assert (found.state, found.ended_by) == (DelegateState.REVOKED, side)
    counts = len(told(MessageKind.DELEGATE_CHANGED)), len(told(MessageKind.DELEGATE_CHANGED, recipient=1))
    assert counts == ((holder, other + 1) if side == "holder" else (holder + 1, other))
    assert ContactPoint.objects.get(recipient=1).verified_at is None  # no bill goes there any more
    assert client.get(wishes(recipient=1, rest="/messages")).status_code == 404


def test_a_delegate_sees_nothing_of_the_holders_wishes_and_invites_nobody(client: Client) -> None:
    invite(client)
    client.post(path(told(MessageKind.DELEGATE_INVITED, recipient=1)[0]["url"]), {"action": "accept"})
    page = client.get(wishes(recipient=1)).content.decode()
    assert "••• 34" in page
    assert "••• 21" not in page and "s•••@" not in page and "quiet_from" not in page
    assert client.post(wishes(recipient=1, rest="/delegates"), INVITATION).status_code == 404
    assert client.post(wishes(recipient=1, rest="/delegates/1/end")).status_code == 404
    save_as_delegate = client.post(wishes(recipient=1), {"use": [], "language": "fr"})
    assert save_as_delegate.status_code == 302
    assert not Preference.objects.exists()
    assert Delegate.objects.get().get_language_display() == "Français"


def test_a_delegation_ends_by_itself_on_its_day(client: Client) -> None:
    invite(client, until="2026-10-10")
    client.post(path(told(MessageKind.DELEGATE_INVITED, recipient=1)[0]["url"]), {"action": "accept"})
    assert consent.expire_delegates(now=cast.noon("2026-10-10")) == 0
    assert consent.expire_delegates(now=cast.noon("2026-10-11")) == 1
    assert consent.expire_delegates(now=cast.noon("2026-10-11")) == 0
    assert Delegate.objects.get().state == DelegateState.EXPIRED
    assert consent.expire_delegates(now=cast.noon("2026-10-14")) == 0
    assert not ContactPoint.objects.get(recipient=1).is_active


def test_an_invitation_that_nobody_answers_lapses_after_14_days(client: Client) -> None:
    invite(client)
    url = path(told(MessageKind.DELEGATE_INVITED, recipient=1)[0]["url"])
    with clock.at(NOW + dt.timedelta(days=14)):
        assert client.post(url, {"action": "accept"}).status_code == 404
    assert consent.expire_delegates(now=NOW + dt.timedelta(days=14)) == 1


def test_an_account_has_at_most_five_delegates_and_no_number_is_used_twice(client: Client) -> None:
    for place in range(5):
        consent.invite_delegate(
            account_id=ACCOUNT,
            name=f"D{place}",
            relation="OTHER",
            channel=Channel.EMAIL,
            address=f"d{place}@mail.example",
            may_pay=False,
            language=Language.ar,
            expires_on=None,
            actor="user:7",
            now=NOW,
        )
    first = Delegate.objects.get(recipient=1)
    with pytest.raises(DelegateRefused, match="at most 5"):
        again("d9")
    consent.end_delegate(delegate_id=first.pk, state=DelegateState.REVOKED, actor="holder", now=NOW)
    assert again("d9").recipient == 6


def again(name: str) -> Delegate:
    return consent.invite_delegate(
        account_id=ACCOUNT,
        name=name,
        relation="OTHER",
        channel=Channel.EMAIL,
        address=f"{name}@mail.example",
        may_pay=True,
        language=Language.ar,
        expires_on=None,
        actor="user:7",
        now=NOW,
    )
