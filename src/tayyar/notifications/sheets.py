"""Work for people: paper sheets for a service centre, call sheets for whoever telephones. What no gateway can do.

Owns Sheet and the deliveries named "sheet:<id>", which no worker touches: they stay SENDING until a person enters how
it ended. Never prints and never shows an address unasked. Next: walk.py goes on with what failed, proof.py keeps what
arrived; sheet_queries.py reads, billing/paper.py prints.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

from django.db import connection, transaction

from tayyar.core import audit, crypto
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.customers.models import Channel, ContactMark, ContactPoint
from tayyar.customers.services import ADDRESS_FIELD, mark_contacts
from tayyar.notifications import content, walk
from tayyar.notifications import sheet_statements as statements
from tayyar.notifications.kinds import BILL_KINDS, MessageKind, kinds_of
from tayyar.notifications.models import MessageBatch, MessageState, ReachHow, Sheet
from tayyar.notifications.sheet_outcomes import Entry, go_on, keys_of, prove, settle

MOST_ENTRIES = 2_000  # a day's work for a press and some carriers
MOST_CALLS = 3  # unanswered calls before the plan goes on
CALL_AGAIN = dt.timedelta(hours=3)  # at another time of day
S = MessageState


class PaperOutcome(StrEnum):
    """What became of one printed bill."""

    HANDED_OVER = "HANDED_OVER"  # a person took it: the carrier's list is ticked or signed
    LEFT = "LEFT"  # put into a letter box or posted: sent, but nothing proves that it arrived
    ADDRESS_NOT_FOUND = "ADDRESS_NOT_FOUND"
    MOVED_AWAY = "MOVED_AWAY"
    NOBODY_THERE = "NOBODY_THERE"
    REFUSED = "REFUSED"


class CallOutcome(StrEnum):
    """What became of one call."""

    TOLD = "TOLD"
    NO_ANSWER = "NO_ANSWER"
    WRONG_NUMBER = "WRONG_NUMBER"
    WANTS_PAPER = "WANTS_PAPER"  # this bill, printed: the plan goes on, with nothing but paper after a call
    REFUSED_TO_LISTEN = "REFUSED_TO_LISTEN"


_PAPER_STATES = {PaperOutcome.HANDED_OVER: S.DELIVERED, PaperOutcome.LEFT: S.SENT}


def sheet_name(sheet_id: int) -> str:
    """The worker of a sheet's deliveries, and the `provider_ref` by which they are found: "sheet:7"."""
    return f"sheet:{sheet_id}"


def make_paper_sheet(*, period: Period, service_centre_id: int, actor: str, now: dt.datetime) -> Sheet | None:
    """Take the waiting paper bills of a centre's accounts, at most MOST_ENTRIES; None when none waits.

    With them those of people who want paper as well, whatever became of their messages. An account belongs to the
    centre of its newest agreement. A delegate has no postal address with us: their
    messages go on in their plans, and so do those of bills that reached somebody meanwhile.
    """
    return _make(
        channel=Channel.PAPER,
        kinds=BILL_KINDS,
        period=period,
        limit=MOST_ENTRIES,
        service_centre_id=service_centre_id,
        actor=actor,
        now=now,
    )


def make_call_sheet(*, period: Period, limit: int, actor: str, now: dt.datetime) -> Sheet | None:
    """Take up to `limit` messages that wait for a call, the most urgent kinds first; None when none waits.

    The call goes to the person's SMS number, else to the WhatsApp number; without either the plan goes on.
    """
    if not 1 <= limit <= MOST_ENTRIES:
        raise UserError(f"A call sheet holds 1 to {MOST_ENTRIES} calls.")
    known = set(content.known_kinds())
    return _make(
        channel=Channel.CALL,
        kinds=[MessageKind(kind) for kind in kinds_of(None) if kind in known],
        period=period,
        limit=limit,
        service_centre_id=None,
        actor=actor,
        now=now,
    )


def send_paper_sheet(*, sheet_id: int, actor: str, now: dt.datetime) -> int:
    """The carriers, or the post, have it: what was SENDING is SENT. Returns how many; 0 when it was done before."""
    with transaction.atomic(), connection.cursor() as cursor:
        sheet = _locked(sheet_id, Channel.PAPER)
        moved = settle(
            cursor, sheet, dict.fromkeys(keys_of(cursor, sheet, [S.SENDING]), (S.SENT, "")), now=now
        )
        if moved:
            _note(sheet, "SHEET_SENT", actor, now, entries=len(moved))
    return len(moved)


def enter_paper_outcomes(
    *, sheet_id: int, outcomes: Mapping[int, PaperOutcome], actor: str, now: dt.datetime
) -> int:
    """What became of some bills (by number) of a sheet; also of one that is closed, when an envelope comes back late.

    Returns how many changed: what was proven handed over, or came back, before stays so. UserError for a bill that is
    not on the sheet; then nothing is entered.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        sheet = _locked(sheet_id, Channel.PAPER)
        _refuse_strangers(cursor, sheet, outcomes)
        entered = _enter(cursor, sheet, outcomes, None, actor=actor, now=now)
        if entered:
            _note(sheet, "SHEET_OUTCOMES_ENTERED", actor, now, entries=entered)
    return entered


def close_paper_sheet(
    *,
    sheet_id: int,
    returned: Mapping[int, PaperOutcome],
    actor: str,
    now: dt.datetime,
    others: PaperOutcome = PaperOutcome.HANDED_OVER,
) -> int:
    """Every bill of the sheet has its outcome: `returned` (by bill number) its own, all that are open `others`.

    What was handed over is DELIVERED and proves that the bill reached somebody, with `actor` as witness; what was LEFT
    is SENT; the rest FAILED, and its plan goes on. Returns how many changed; 0 for a sheet that is closed already.
    """
    if others not in _PAPER_STATES:
        raise UserError("All other bills of a sheet were handed over, or left at the address.")
    with transaction.atomic(), connection.cursor() as cursor:
        sheet = _locked(sheet_id, Channel.PAPER)
        if sheet.closed_at is not None:
            return 0
        _refuse_strangers(cursor, sheet, returned)
        entered = _enter(cursor, sheet, returned, others, actor=actor, now=now)
        _close(sheet, actor, now, entered=entered, returned=len(returned))
    return entered


def enter_call_outcome(
    *,
    sheet_id: int,
    period: Period,
    kind: MessageKind,
    ref: int,
    recipient: int,
    outcome: CallOutcome,
    actor: str,
    now: dt.datetime,
) -> bool:
    """How a call ended. The last one closes its sheet. False when that call's outcome was entered before.

    TOLD proves that the bill reached the person. NO_ANSWER comes back on another sheet after CALL_AGAIN; after
    MOST_CALLS of them the plan goes on, as it does at once for the others; WRONG_NUMBER also marks the contact point.
    """
    key = (int(kind), ref, recipient)
    with transaction.atomic(), connection.cursor() as cursor:
        sheet = _locked(sheet_id, Channel.CALL)
        if sheet.period != period.number or key not in keys_of(cursor, sheet, list(S)):
            raise UserError(f"This call is not on sheet {sheet_id}. Open the sheet again.")
        told = outcome is CallOutcome.TOLD
        result = (S.DELIVERED, "") if told else (S.FAILED, outcome.value)
        moved = settle(cursor, sheet, {key: result}, now=now)
        if not moved:
            return False
        (row,) = moved
        if told:
            prove(cursor, sheet, moved, ReachHow.CALLER, actor=actor, now=now)
        elif outcome is CallOutcome.NO_ANSWER and row.attempt % MOST_CALLS:
            cursor.execute(
                statements.DEFER, _message(sheet, key) | {"DEFERRED": S.DEFERRED, "next_at": now + CALL_AGAIN}
            )
        else:
            if outcome is CallOutcome.WRONG_NUMBER and row.contact_point_id is not None:
                mark_contacts(ids=[row.contact_point_id], mark=ContactMark.NOT_MINE, now=now, actor=actor)
            go_on(cursor, sheet, [key], now=now)
        audit.record(
            actor=actor,
            action="CALL_OUTCOME_ENTERED",
            subject=f"message:{sheet.period}.{int(kind)}.{ref}.{recipient}",
            now=now,
            sheet=sheet.pk,
            outcome=outcome.value,
        )
        if not keys_of(cursor, sheet, [S.SENDING]):
            _close(sheet, actor, now)
    return True


def give_back(*, sheet_id: int, actor: str, now: dt.datetime) -> int:
    """What is open of a sheet is not done: it waits again, as if the sheet had never taken it, and the sheet is closed.

    Returns how many wait again. What went out with the carriers is not given back.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        sheet = _locked(sheet_id, None)
        if sheet.closed_at is not None:
            return 0
        cursor.execute(
            statements.GIVE_BACK, {"period": sheet.period, "sheet": str(sheet), "channel": sheet.channel}
        )
        waiting = int(cursor.rowcount)
        if keys_of(cursor, sheet, [S.SENT]):
            return waiting
        _close(sheet, actor, now, given_back=waiting)
    return waiting


def open_numbers(
    *, sheet_id: int, contact_point_ids: Collection[int], purpose: str, actor: str, now: dt.datetime
) -> dict[int, str]:
    """The telephone numbers of a call sheet's contact points, by their ids; `purpose` goes into the audit log."""
    with transaction.atomic():
        sheet = find_sheet(sheet_id=sheet_id)
        found = ContactPoint.objects.filter(id__in=set(contact_point_ids))
        numbers = {
            pk: crypto.unseal(bytes(sealed), field=ADDRESS_FIELD)
            for pk, sealed in found.values_list("id", "address_sealed")
        }
        _note(sheet, "SHEET_NUMBERS_READ", actor, now, purpose=purpose, numbers=len(numbers))
    return numbers


def find_sheet(*, sheet_id: int) -> Sheet:
    """The sheet; UserError when there is none."""
    sheet = Sheet.objects.filter(pk=sheet_id).first()
    if sheet is None:
        raise UserError(f"There is no sheet {sheet_id}.")
    return sheet


def _make(
    *,
    channel: Channel,
    kinds: Sequence[MessageKind],
    period: Period,
    limit: int,
    service_centre_id: int | None,
    actor: str,
    now: dt.datetime,
) -> Sheet | None:
    with transaction.atomic(), connection.cursor() as cursor:
        sheet = Sheet.objects.create(
            channel=channel,
            period=period.number,
            service_centre_id=service_centre_id,
            entries=0,
            made_at=now,
            made_by=actor,
        )
        for kind in _open_kinds(period, kinds):
            while sheet.entries < limit:
                picked, taken = _claim(cursor, sheet, kind, limit - sheet.entries, now=now)
                sheet.entries += taken
                if not picked:
                    break
            if channel is Channel.PAPER and sheet.entries < limit:
                sheet.entries += _claim_beside(cursor, sheet, kind, limit - sheet.entries, now=now)
        if not sheet.entries:
            sheet.delete()
            return None
        sheet.save(update_fields=["entries"])
        _note(sheet, "SHEET_MADE", actor, now, entries=sheet.entries)
    return sheet


def _open_kinds(period: Period, kinds: Sequence[MessageKind]) -> list[MessageKind]:
    gates = MessageBatch.objects.filter(period=period.number, is_open=True, paused_at=None, stopped_at=None)
    open_now = set(gates.values_list("kind", flat=True))
    return [kind for kind in kinds if kind in open_now]


def _claim(cursor: Any, sheet: Sheet, kind: MessageKind, limit: int, *, now: dt.datetime) -> tuple[int, int]:
    """Take messages of one kind: (how many were looked at, how many are on the sheet)."""
    is_paper = sheet.channel == Channel.PAPER
    batch = {"period": sheet.period, "kind": int(kind), "channel": sheet.channel, "limit": limit}
    cursor.execute(
        statements.PICK_PAPER if is_paper else statements.PICK_CALL,
        batch | {"centre": sheet.service_centre_id},
    )
    rows = cursor.fetchall()
    wanted = [row for row in rows if not row[2] and (row[1] == 0 if is_paper else row[3] is not None)]
    others = [(row[0], row[1]) for row in rows if row not in wanted]
    walk.advance(cursor, period=sheet.period, kind=int(kind), keys=others, now=now)
    if wanted:
        cursor.execute(
            statements.TAKE,
            batch
            | {"SENDING": S.SENDING, "sheet": str(sheet), "now": now}
            | {"refs": [row[0] for row in wanted], "recipients": [row[1] for row in wanted]}
            | {"contacts": [row[3] for row in wanted]},
        )
    return len(rows), len(wanted)


def _claim_beside(cursor: Any, sheet: Sheet, kind: MessageKind, limit: int, *, now: dt.datetime) -> int:
    """Put bills on the sheet for people who want paper whatever else arrives; returns how many."""
    batch = {"period": sheet.period, "kind": int(kind), "channel": sheet.channel, "limit": limit}
    cursor.execute(statements.PICK_BESIDE, batch | {"centre": sheet.service_centre_id})
    refs = [ref for (ref,) in cursor.fetchall()]
    cursor.execute(
        statements.TAKE_BESIDE,
        batch | {"SENDING": S.SENDING, "sheet": str(sheet), "now": now, "refs": refs},
    )
    return len(refs)


def _locked(sheet_id: int, channel: Channel | None) -> Sheet:
    """The sheet, for this transaction alone; UserError when there is none, or not of that channel."""
    sheet = Sheet.objects.select_for_update().filter(pk=sheet_id).first()
    if sheet is None or channel not in (None, sheet.channel):
        raise UserError(f"There is no such sheet: {sheet_id}.")
    return sheet


def _refuse_strangers(cursor: Any, sheet: Sheet, outcomes: Mapping[int, PaperOutcome]) -> None:
    known = {ref for _, ref, _ in keys_of(cursor, sheet, list(S))}
    if strangers := sorted(set(outcomes) - known):
        raise UserError(
            f"Bill {strangers[0]} is not on sheet {sheet.pk}. Nothing was entered: take it out and send the form again."
        )


def _enter(
    cursor: Any,
    sheet: Sheet,
    outcomes: Mapping[int, PaperOutcome],
    others: PaperOutcome | None,
    *,
    actor: str,
    now: dt.datetime,
) -> int:
    """Settle the open entries that have an outcome, their own or `others`."""
    results = {}
    for key in keys_of(cursor, sheet, [S.SENDING, S.SENT]):
        outcome = outcomes.get(key[1], others)
        if outcome is not None:
            state = _PAPER_STATES.get(outcome, S.FAILED)
            results[key] = (state, outcome.value if state == S.FAILED else "")
    moved = settle(cursor, sheet, results, now=now)
    prove(
        cursor,
        sheet,
        [row for row in moved if row.state == S.DELIVERED],
        ReachHow.PAPER,
        actor=actor,
        now=now,
    )
    go_on(cursor, sheet, [row.key for row in moved if row.state == S.FAILED], now=now)
    return len(moved)


def _message(sheet: Sheet, key: Entry) -> dict[str, Any]:
    return {"period": sheet.period, "kind": key[0], "ref": key[1], "recipient": key[2]}


def _close(sheet: Sheet, actor: str, now: dt.datetime, **detail: int) -> None:
    sheet.closed_at, sheet.closed_by = now, actor
    sheet.save(update_fields=["closed_at", "closed_by"])
    _note(sheet, "SHEET_CLOSED", actor, now, **detail)


def _note(sheet: Sheet, action: str, actor: str, now: dt.datetime, **detail: Any) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=str(sheet),
        now=now,
        period=sheet.period,
        channel=Channel(sheet.channel).name,
        **detail,
    )
