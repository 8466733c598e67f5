"""What must hold of the books after a run, each as one SQL query that finds what breaks it. Written from the issue's
words and sharing no code with the product: the checks must not inherit its mistakes.

The number format (YYMM, series, eight digits of serial, two of check modulo 97) is the published one.
"""

import json
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

# Each query returns no row when all is well; its rows go into the message.
RULES = {
    "one bill per agreement and period": """
        SELECT agreement_id, count(*) FROM billing_bill WHERE period = %(period)s
        GROUP BY agreement_id HAVING count(*) <> 1 OR max(revision) <> 0""",
    "a bill's total is the sum of its lines": """
        SELECT number, total_minor FROM billing_bill b WHERE period = %(period)s AND total_minor <> (
            SELECT COALESCE(sum(b.lines[i]), 0) FROM generate_series(4, cardinality(b.lines), 4) AS i)""",
    "a bill's total is its ledger transfer": """
        SELECT COALESCE(b.number, t.ref), b.total_minor, t.amount_minor
        FROM (SELECT * FROM billing_bill WHERE period = %(period)s AND total_minor <> 0) b
        FULL JOIN (SELECT * FROM ledger_transfer WHERE period = %(period)s AND kind = 1) t ON t.ref = b.number
        WHERE b.total_minor IS DISTINCT FROM
              CASE WHEN t.debit_account_id = b.account_id AND t.credit_account_id = 10 THEN t.amount_minor
                   WHEN t.credit_account_id = b.account_id AND t.debit_account_id = 10 THEN -t.amount_minor END""",
    "the clearing account comes to zero": """
        SELECT sum(CASE WHEN debit_account_id = 10 THEN amount_minor ELSE -amount_minor END) FROM ledger_transfer
        WHERE period = %(period)s AND 10 IN (debit_account_id, credit_account_id)
        HAVING sum(CASE WHEN debit_account_id = 10 THEN amount_minor ELSE -amount_minor END) <> 0""",
    "what customers owe is what was earned and is due in tax": """
        WITH sides AS (
            SELECT debit_account_id AS account, amount_minor AS net FROM ledger_transfer WHERE period = %(period)s
            UNION ALL
            SELECT credit_account_id, -amount_minor FROM ledger_transfer WHERE period = %(period)s),
        found AS (SELECT COALESCE(sum(net) FILTER (WHERE account > 99), 0) AS customers,
                         COALESCE(-sum(net) FILTER (WHERE account IN (20, 21, 30, 40)), 0) AS earned,
                         (SELECT COALESCE(sum(total_minor), 0) FROM billing_bill WHERE period = %(period)s) AS billed
                  FROM sides)
        SELECT * FROM found WHERE customers <> billed OR earned <> billed""",
    "energy, fees, subsidy and tax in the ledger are those on the bills": """
        SELECT account, ledger.net, bills.net
        FROM (SELECT account, sum(net) AS net FROM (
                  SELECT debit_account_id AS account, -amount_minor AS net FROM ledger_transfer
                  WHERE period = %(period)s
                  UNION ALL SELECT credit_account_id, amount_minor FROM ledger_transfer
                  WHERE period = %(period)s) AS sides
              WHERE account IN (20, 21, 30, 40) GROUP BY account) AS ledger
        FULL JOIN (SELECT account, sum(net) AS net FROM billing_bill b, LATERAL (VALUES
                       (20, b.energy_minor), (21, b.fixed_minor), (30, b.subsidy_minor), (40, b.tax_minor)
                   ) AS parts (account, net) WHERE b.period = %(period)s GROUP BY account HAVING sum(net) <> 0
                  ) AS bills USING (account)
        WHERE ledger.net IS DISTINCT FROM bills.net""",
    "a message for each bill, and no other": """
        SELECT COALESCE(b.number, m.ref), b.account_id, m.account_id
        FROM (SELECT * FROM billing_bill WHERE period = %(period)s) b
        FULL JOIN (SELECT * FROM notifications_message WHERE period = %(period)s AND kind = 1) m
             ON m.ref = b.number AND m.account_id = b.account_id
        WHERE b.number IS NULL OR m.ref IS NULL""",
    "each agreement is billed or has one exception with a reason": """
        SELECT a.id, b.number, e.reason FROM customers_agreement a
        LEFT JOIN billing_bill b ON b.agreement_id = a.id AND b.period = %(period)s
        LEFT JOIN billing_billexception e ON e.agreement_id = a.id AND e.period = %(period)s
        WHERE (b.number IS NULL) = (e.id IS NULL) OR e.id IS NOT NULL AND (e.reason = '' OR e.outcome = '')""",
    "numbers run from 1 without a gap": """
        SELECT min(serial), max(serial), count(DISTINCT serial), count(*)
        FROM (SELECT number / 100 %% 100000000 AS serial FROM billing_bill WHERE period = %(period)s) AS numbers
        HAVING count(*) > 0 AND (min(serial), max(serial), count(DISTINCT serial)) <> (1, count(*), count(*))""",
    "numbers belong to the period and their check digits fit": """
        SELECT number FROM billing_bill WHERE period = %(period)s
        AND (number %% 97 <> 1 OR number / 10000000000 <> (%(period)s %% 10000) * 10)""",
    "an account's running total goes on from its last bill": """
        SELECT n.number FROM billing_bill n
        LEFT JOIN billing_bill p ON p.agreement_id = n.agreement_id AND p.period = %(before)s
        WHERE n.period = %(period)s
          AND n.billed_to_date_minor <> COALESCE(p.billed_to_date_minor, 0) + n.total_minor""",
    "every chunk is done and nothing holds a lease": """
        SELECT c.index, c.state, c.leased_until FROM billing_billrunchunk c JOIN billing_billrun r ON r.id = c.run_id
        WHERE r.period = %(period)s AND (c.state <> 'DONE' OR c.leased_until IS NOT NULL OR c.error <> '')""",
    "there is one run, certified, and its messages are released": """
        SELECT count(*) FROM billing_billrun r
        JOIN notifications_messagebatch m ON m.period = r.period AND m.kind = 1 AND m.is_open
        WHERE r.period = %(period)s AND r.state = 'CERTIFIED' HAVING count(*) <> 1""",
}

# True at every moment, also in the middle of a run: one statement, so one snapshot.
HALF_WRITTEN = """
    SELECT c.index, c.state, c.token,
           (SELECT count(*) FROM billing_bill b WHERE b.period = %(period)s
                AND b.account_id >= c.first_account_id AND b.account_id < c.end_account_id) AS bills,
           (SELECT count(*) FROM notifications_message m WHERE m.period = %(period)s
                AND m.account_id >= c.first_account_id AND m.account_id < c.end_account_id) AS messages,
           (SELECT count(*) FROM billing_billexception e WHERE e.period = %(period)s
                AND e.account_id >= c.first_account_id AND e.account_id < c.end_account_id) AS exceptions,
           (SELECT count(*) FROM ledger_transfer t WHERE t.period = %(period)s AND t.kind = 1
                AND greatest(t.debit_account_id, t.credit_account_id) >= c.first_account_id
                AND greatest(t.debit_account_id, t.credit_account_id) < c.end_account_id) AS transfers,
           c.billed, c.messages, c.held, c.rejected
    FROM billing_billrunchunk c JOIN billing_billrun r ON r.id = c.run_id WHERE r.period = %(period)s"""

# Every stored byte of the run that does not carry the identity of a row or an attempt.
_CONTENT = {
    "bills": "SELECT b::text AS line FROM billing_bill b WHERE period = %(period)s",
    "transfers": "SELECT t::text AS line FROM ledger_transfer t WHERE period = %(period)s",
    "messages": "SELECT m::text AS line FROM notifications_message m WHERE period = %(period)s",
    "exceptions": """SELECT concat_ws('|', period, agreement_id, account_id, outcome, reason, detail) AS line
                     FROM billing_billexception WHERE period = %(period)s""",
    "chunks": """SELECT concat_ws('|', c.index, first_account_id, end_account_id, counted, eligible, billed, held,
                        rejected, messages, energy_wh, totals, sha256) AS line
                 FROM billing_billrunchunk c JOIN billing_billrun r ON r.id = c.run_id
                 WHERE r.period = %(period)s""",
}


def broken(connection: Connection, *, period: int, before: int) -> list[str]:
    """The rules that do not hold, each with up to three rows that break it. `before` is the period billed last."""
    found = []
    for rule, query in RULES.items():
        rows = connection.execute(query, {"period": period, "before": before}).fetchall()  # type: ignore[arg-type]
        if rows:
            found.append(f"{rule}: broken in {len(rows)} rows, such as {rows[:3]}")
    return found


def half_written(connection: Connection, *, period: int) -> list[str]:
    """Chunks that are neither wholly there nor wholly absent."""
    found = []
    for row in connection.execute(HALF_WRITTEN, {"period": period}).fetchall():
        index, state, token, bills, messages, exceptions, transfers, billed, told, held, rejected = row
        stored = (bills, messages, exceptions)
        if stored != ((billed, told, held + rejected) if state == "DONE" else (0, 0, 0)) or transfers > bills:
            found.append(f"chunk {index} ({state}, token {token}) is half written: {row}")
    return found


def content(connection: Connection, *, period: int) -> dict[str, str]:
    """A hash of each table's rows of the period: equal when every row is."""
    return {
        name: connection.execute(
            f"SELECT count(*) || ' ' || md5(COALESCE(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\"), ''))"
            f" FROM ({query}) AS rows",
            {"period": period},
        ).fetchone()[0]  # type: ignore[index]
        for name, query in _CONTENT.items()
    }


def certificate(connection: Connection, *, period: int) -> dict[str, Any]:
    """The stored certificate without the moment of certifying."""
    row = connection.execute(
        "SELECT certificate FROM billing_billrun WHERE period = %s AND state = 'CERTIFIED'", [period]
    ).fetchone()
    return {name: value for name, value in row[0].items() if name != "certified_at"} if row else {}


def differences(name: str, left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    """Where two answers differ, key by key."""
    return [
        f"{name}, {key}: {json.dumps(left.get(key))[:300]} undisturbed, {json.dumps(right.get(key))[:300]} now"
        for key in sorted({*left, *right})
        if left.get(key) != right.get(key)
    ]
