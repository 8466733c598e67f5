"""The desk's view of one account: all messages with their attempts and evidence; send again, note what was told.

Every read of a person's data is recorded here, every change by the service that makes it. Next: notifications/
history_queries.py reads; contact points are corrected on the people page.
"""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tayyar.console.screen import Screen, staff
from tayyar.core import audit, clock
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.core.references import with_check, without_check
from tayyar.customers.models import Channel, CustomerAccount, Delegate
from tayyar.notifications import history_queries, proof, services
from tayyar.notifications.history_queries import HistoryDelivery, HistoryMessage
from tayyar.notifications.models import Message, MessageKind, MessageState, ReachHow

NUMBER_DIGITS = 11
TOLD = (ReachHow.CLERK, ReachHow.CALLER)


@require_safe
@staff()
def find(screen: Screen) -> HttpResponse:
    """From an account number, as people read it out, to the account's messages."""
    typed = screen.request.GET.get("number", "").strip()
    compact = "".join(
        str(int(c)) if c.isdecimal() else c for c in typed if not c.isspace() and c not in "-‑\u200e\u200f"
    )
    problem = ""
    if not compact.isdecimal() or len(compact) != NUMBER_DIGITS:
        problem = screen.say("find_digits", count=screen.num(sum(c.isdecimal() for c in compact)))
    else:
        try:
            account_id = without_check(int(compact), what="account number")
        except UserError:
            problem = screen.words["find_wrong"]
        else:
            if CustomerAccount.objects.filter(id=account_id).exists():
                return redirect("console:message_history", account_id=account_id)
            problem = screen.words["find_unknown"]
    context = {"title": screen.words["find_account"], "problem": problem if typed else "", "typed": typed}
    return screen.page("console/find.html", context, status=404 if typed else 200)


@require_safe
@staff()
def message_history(screen: Screen, account_id: int) -> HttpResponse:
    """All that was said to the people of the account."""
    account = _account(account_id)
    found = history_queries.message_history(account_id, today=clock.today())
    audit.record(
        actor=screen.actor,
        action="MESSAGES_READ",
        subject=f"account:{account_id}",
        now=clock.now(),
        messages=len(found),
    )
    names = dict(Delegate.objects.filter(account_id=account_id).values_list("recipient", "name"))
    context = {
        "title": screen.say("history_title", number=screen.code(account.number)),
        "account_id": account_id,
        "holder": account.customer.name,
        "truth": screen.say("history_truth", count=screen.num(len(found))),
        "rows": [_message(screen, message, names) for message in found],
    }
    return screen.page("console/message_history.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@staff(serving=True)
def resend(screen: Screen, account_id: int, period: str, kind: int, ref: int, recipient: int) -> HttpResponse:
    """Ask once more, then tell it again."""
    message = _find(account_id, period, kind, ref, recipient)
    if screen.request.method == "POST":
        services.resend(
            period=Period.parse(period),
            kind=MessageKind(message.kind),
            ref=ref,
            recipient=recipient,
            actor=screen.actor,
            now=clock.now(),
        )
        messages.success(screen.request, screen.words["done_resend"])
        return redirect("console:message_history", account_id=account_id)
    audit.record(actor=screen.actor, action="MESSAGES_READ", subject=f"account:{account_id}", now=clock.now())
    what = screen.words[f"message_kind_{MessageKind(message.kind).name}"]
    context = {
        "title": screen.words["resend_title"],
        "facts": [
            {"label": screen.words["account"], "value": screen.code(with_check(account_id))},
            {
                "label": screen.words["deliveries"],
                "value": screen.say("message_about", kind=what, month=screen.month(Period.parse(period))),
            },
        ],
        "text": screen.words["resend_text"],
        "button": screen.words["resend"],
        "back": "console:message_history",
        "back_to": account_id,
    }
    return screen.page("console/confirm.html", context)


@require_POST
@staff(serving=True)
def told(screen: Screen, account_id: int, period: str, ref: int, recipient: int) -> HttpResponse:
    """Record that the bill was told at the branch or by telephone; that ends its plan."""
    how = screen.request.POST.get("how", "")
    if how not in {known.name for known in TOLD}:
        raise UserError("Say how the person was told: at the branch, or by telephone.")
    wanted, now = Period.parse(period), clock.now()
    about = Message.objects.filter(
        period=wanted.number, kind__in=history_queries.BILL_KINDS, ref=ref, recipient=recipient
    )
    if not about.filter(account_id=account_id).exists():
        raise UserError(screen.words["message_gone"])
    with transaction.atomic():
        is_first = proof.record_reach(
            period=wanted, ref=ref, how=ReachHow[how], witness=screen.actor, now=now, recipient=recipient
        )
        audit.record(
            actor=screen.actor, action="BILL_TOLD", subject=f"bill:{ref}", now=now, how=how, is_first=is_first
        )
    messages.success(screen.request, screen.words["done_told" if is_first else "done_told_already"])
    return redirect("console:message_history", account_id=account_id)


# ------------------------------------------------------------------------------------------------------------ contexts


def _account(account_id: int) -> CustomerAccount:
    found = CustomerAccount.objects.select_related("customer").filter(id=account_id).first()
    if found is None:
        raise UserError(f"There is no account {with_check(account_id)}.")
    return found


def _find(account_id: int, period: str, kind: int, ref: int, recipient: int) -> Message:
    found = Message.objects.filter(
        period=Period.parse(period).number, kind=kind, ref=ref, recipient=recipient, account_id=account_id
    ).first()
    if found is None:
        raise UserError(f"Account {with_check(account_id)} has no such message in {period}.")
    return found


def _message(screen: Screen, message: HistoryMessage, names: dict[int, str]) -> dict[str, Any]:
    words = screen.words
    to = (
        screen.say("message_to_delegate", name=names.get(message.recipient, str(message.recipient)))
        if message.recipient
        else words["message_to_holder"]
    )
    waits = message.next_at is not None and message.reach is None
    return {
        "period": str(message.period),
        "kind": message.kind.value,
        "ref": message.ref,
        "recipient": message.recipient,
        "what": screen.say(
            "message_about",
            kind=words[f"message_kind_{message.kind.name}"],
            month=screen.month(message.period),
        ),
        "bill": screen.code(message.ref) if message.is_bill else "",
        "to": to,
        "state": words[f"delivery_{message.state.name}"],
        "state_code": message.state.name,
        "created": screen.moment(message.created_at),
        "next": screen.say("message_next", moment=screen.moment(message.next_at))
        if waits and message.next_at
        else "",
        "evidence": _evidence(screen, message),
        "is_bill": message.is_bill,
        "can_tell": message.is_bill and message.reach is None,
        "can_resend": message.state not in (MessageState.SENDING, MessageState.IN_DOUBT),
        "attempts": [_attempt(screen, delivery) for delivery in message.deliveries],
    }


def _evidence(screen: Screen, message: HistoryMessage) -> Any:
    if message.reach is None:
        return screen.words["evidence_none"] if message.is_bill else ""
    how = screen.words[f"how_{ReachHow(message.reach.how).name}"]
    moment = screen.moment(message.reach.reached_at)
    if message.reach.channel is None:
        return screen.say("evidence_line", how=how, moment=moment)
    channel = screen.words[f"channel_{Channel(message.reach.channel).name}"]
    return screen.say("evidence_through", how=how, channel=channel, moment=moment)


def _attempt(screen: Screen, delivery: HistoryDelivery) -> dict[str, Any]:
    details = [screen.say("attempt_claimed", moment=screen.moment(delivery.claimed_at))]
    if delivery.settled_at:
        details.append(screen.say("attempt_settled", moment=screen.moment(delivery.settled_at)))
    if delivery.received_at:
        details.append(screen.say("attempt_received", moment=screen.moment(delivery.received_at)))
    if delivery.provider:
        details.append(screen.say("attempt_via", provider=screen.code(delivery.provider)))
    if delivery.address:
        details.append(screen.say("attempt_to", address=screen.code(delivery.address)))
    return {
        "line": screen.say(
            "attempt_line",
            channel=screen.words[f"channel_{delivery.channel.name}"],
            number=screen.num(delivery.attempt),
            state=screen.words[f"delivery_{delivery.state.name}"],
        ),
        "state": delivery.state.name,
        "reason": screen.code(delivery.reason) if delivery.reason else "",
        "details": details,
    }
