"""Negative controls: each check is shown to fail when what it guards is damaged. Done in a transaction that is rolled
back, on the database of the undisturbed run, with the append-only triggers out of force."""

from collections.abc import Callable
from typing import Any

import psycopg
from tests.faults import invariants

# What is damaged -> (SQL, the rule that must notice).
DAMAGE = {
    "a second bill of an agreement": (
        "UPDATE billing_bill SET revision = 2 WHERE period = %(period)s AND number = {one}",
        "one bill per agreement and period",
    ),
    "a line's amount": (
        "UPDATE billing_bill SET lines[4] = lines[4] + 1 WHERE period = %(period)s AND number = {one}",
        "a bill's total is the sum of its lines",
    ),
    "a transfer's amount": (
        "UPDATE ledger_transfer SET amount_minor = amount_minor + 1 WHERE period = %(period)s AND ref = {one}",
        "a bill's total is its ledger transfer",
    ),
    "a revenue transfer that is missing": (
        "DELETE FROM ledger_transfer WHERE period = %(period)s AND kind = 2 AND ref = 1",
        "the clearing account comes to zero",
    ),
    "a transfer posted to the wrong side": (
        "UPDATE ledger_transfer SET debit_account_id = credit_account_id, credit_account_id = debit_account_id"
        " WHERE period = %(period)s AND kind = 1 AND ref = {one}",
        "what customers owe is what was earned and is due in tax",
    ),
    "tax posted as energy": (
        "UPDATE ledger_transfer SET credit_account_id = 20 WHERE period = %(period)s AND kind = 5 AND ref = 1",
        "energy, fees, subsidy and tax in the ledger are those on the bills",
    ),
    "a message that is missing": (
        "DELETE FROM notifications_message WHERE period = %(period)s"
        " AND ref = (SELECT min(ref) FROM notifications_message WHERE period = %(period)s)",
        "a message for each bill, and no other",
    ),
    "an exception that is missing": (
        "DELETE FROM billing_billexception WHERE period = %(period)s",
        "each agreement is billed or has one exception with a reason",
    ),
    "a bill that is missing": (
        "DELETE FROM billing_bill WHERE period = %(period)s AND number = {one}",
        "numbers run from 1 without a gap",
    ),
    "a digit of a number": (
        "UPDATE billing_bill SET number = number + 1 WHERE period = %(period)s AND number = {one}",
        "numbers belong to the period and their check digits fit",
    ),
    "an account's running total": (
        "UPDATE billing_bill SET billed_to_date_minor = billed_to_date_minor + 1"
        " WHERE period = %(period)s AND number = {one}",
        "an account's running total goes on from its last bill",
    ),
    "a chunk left leased": (
        "UPDATE billing_billrunchunk SET state = 'LEASED' WHERE index = 0"
        " AND run_id = (SELECT id FROM billing_billrun WHERE period = %(period)s)",
        "every chunk is done and nothing holds a lease",
    ),
    "messages never released": (
        "DELETE FROM notifications_messagebatch WHERE period = %(period)s",
        "there is one run, certified, and its messages are released",
    ),
}

# One field of one bill each; verification reads the bills back and must miss none.
ALTERED = (
    "energy_wh = energy_wh + 1000",
    "due_date = due_date + 1",
    "lines[2] = lines[2] + 1",
    "year_wh = year_wh - 1",
)


def failures(
    connection: psycopg.Connection[Any], *, period: int, before: int, verify: Callable[[], list[str]]
) -> list[str]:
    """Checks that did not notice the damage they guard against. `verify` is the product's own verification."""
    found = []
    if set(invariants.RULES) != {rule for _, rule in DAMAGE.values()}:
        found.append("a rule of invariants.py has no control")
    reference = invariants.content(connection, period=period)
    for what, (statement, rule) in DAMAGE.items():
        with connection.transaction(force_rollback=True):
            _damage(connection, statement, period)
            broken = invariants.broken(connection, period=period, before=before)
            if not any(text.startswith(rule) for text in broken):
                found.append(f"{what} was not noticed by: {rule}")
    for change in ALTERED:
        with connection.transaction(force_rollback=True):
            _damage(
                connection,
                f"UPDATE billing_bill SET {change} WHERE period = %(period)s AND number = {{one}}",
                period,
            )
            if not verify():
                found.append(f"verification did not notice {change}")
            if invariants.content(connection, period=period)["bills"] == reference["bills"]:
                found.append(f"the hash of contents did not notice {change}")
    with connection.transaction(force_rollback=True):
        _damage(connection, "DELETE FROM billing_bill WHERE period = %(period)s AND number = {one}", period)
        if not invariants.half_written(connection, period=period):
            found.append("a bill taken out of a chunk was not noticed as half written")
    try:
        with connection.transaction():
            connection.execute("UPDATE billing_bill SET total_minor = 0 WHERE period = %s", [period])
        found.append("bills can be changed while their append-only trigger is in force")
    except psycopg.errors.RestrictViolation:
        pass
    return found


def _damage(connection: psycopg.Connection[Any], statement: str, period: int) -> None:
    connection.execute("SET LOCAL session_replication_role = replica")
    one = "(SELECT min(number) FROM billing_bill WHERE period = %(period)s AND total_minor > 0)"
    changed = connection.execute(statement.format(one=one), {"period": period}).rowcount  # type: ignore[arg-type]
    assert changed > 0, f"the control damaged nothing: {statement}"
