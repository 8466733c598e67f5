"""What must always be true of the books, each as a query that finds the exceptions.

`tayyar check` runs them all over every month; each reads its tables once.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Invariant:
    """A sentence, and a query whose rows are what breaks it."""

    says: str
    query: str


INVARIANTS = (
    Invariant(
        "every bill is the sum of its lines",
        """SELECT 'bill ' || number || ': total ' || total_minor || ', lines ' || lined FROM (
               SELECT number, total_minor,
                      (SELECT COALESCE(sum(lines[i]), 0) FROM generate_series(4, cardinality(lines), 4) AS i) AS lined
               FROM billing_bill) AS summed
           WHERE total_minor <> lined""",
    ),
    Invariant(
        "every bill and credit note is posted, with its total",
        """SELECT 'bill ' || b.number || ': total ' || b.total_minor || ', posted ' || COALESCE(
                  CASE WHEN t.debit_account_id = b.account_id THEN t.amount_minor ELSE -t.amount_minor END, 0)
           FROM billing_bill b LEFT JOIN ledger_transfer t
             ON t.period = b.period AND t.ref = b.number AND t.kind = CASE WHEN b.kind = 4 THEN 6 ELSE 1 END
           WHERE b.total_minor <> COALESCE(
                  CASE WHEN t.debit_account_id = b.account_id THEN t.amount_minor
                       WHEN t.credit_account_id = b.account_id THEN -t.amount_minor END, 0)""",
    ),
    Invariant(
        "every posted bill exists",
        """SELECT 'transfer ' || t.kind || '/' || t.ref FROM ledger_transfer t LEFT JOIN billing_bill b
             ON b.period = t.period AND b.number = t.ref
           WHERE t.kind IN (1, 6) AND b.number IS NULL""",
    ),
    Invariant(
        "the clearing account is empty in each month that is certified",
        """SELECT 'period ' || t.period || ': ' || sum(CASE WHEN debit_account_id = 10 THEN amount_minor
                                                         WHEN credit_account_id = 10 THEN -amount_minor ELSE 0 END)
           FROM ledger_transfer t LEFT JOIN billing_billrun r ON r.period = t.period
           WHERE COALESCE(r.state, 'CERTIFIED') = 'CERTIFIED'
           GROUP BY t.period
           HAVING sum(CASE WHEN debit_account_id = 10 THEN amount_minor
                           WHEN credit_account_id = 10 THEN -amount_minor ELSE 0 END) <> 0""",
    ),
    Invariant(
        "the balance of every account is the sum of its transfers",
        """WITH carried AS (
               SELECT DISTINCT ON (account_id) account_id, billed_to_date_minor FROM billing_bill
               ORDER BY account_id, (number / 10000000000 % 10 = 0) DESC, period DESC, number DESC),
           posted AS (
               SELECT account_id, sum(amount) AS amount FROM (
                   SELECT debit_account_id AS account_id, amount_minor AS amount FROM ledger_transfer
                   UNION ALL SELECT credit_account_id, -amount_minor FROM ledger_transfer) AS sides
               WHERE account_id >= 100000001 GROUP BY account_id)
           SELECT 'account ' || COALESCE(l.id, p.account_id) || ': balance '
                  || COALESCE(l.balance_minor, 0) + COALESCE(c.billed_to_date_minor, 0)
                  || ', transfers ' || COALESCE(p.amount, 0)
           FROM ledger_ledgeraccount l LEFT JOIN carried c ON c.account_id = l.id
                FULL JOIN posted p ON p.account_id = l.id
           WHERE COALESCE(l.id, p.account_id) >= 100000001
             AND COALESCE(l.balance_minor, 0) + COALESCE(c.billed_to_date_minor, 0) <> COALESCE(p.amount, 0)""",
    ),
    Invariant(
        "bill numbers have no gap in any series of any month",
        """SELECT 'series ' || series || ': ' || count || ' numbers, highest ' || highest FROM (
               SELECT number / 10000000000 AS series, count(*) AS count, max(number / 100 % 100000000) AS highest,
                      count(DISTINCT number) AS different
               FROM billing_bill GROUP BY 1) AS numbered
           LEFT JOIN billing_billrun r ON r.period = 200000 + series / 10 AND series % 10 = 0
           WHERE (count <> highest OR different <> count)
             AND COALESCE(r.state, 'CERTIFIED') = 'CERTIFIED'
             AND count + COALESCE((SELECT sum((pair->>1)::bigint - (pair->>0)::bigint)
                                   FROM jsonb_array_elements(r.certificate->'void_serials') AS pair), 0) <> highest""",
    ),
    Invariant(
        "the check digits of every bill number agree",
        "SELECT 'bill ' || number FROM billing_bill WHERE number % 97 <> 1",
    ),
    Invariant(
        "a credit note follows a bill, and a rebill follows a credit note",
        """SELECT 'bill ' || b.number FROM billing_bill b WHERE b.revision > 0 AND NOT EXISTS (
               SELECT 1 FROM billing_bill e WHERE e.period = b.period AND e.agreement_id = b.agreement_id
                                              AND e.revision = b.revision - 1)""",
    ),
    Invariant(
        "no day of an agreement is billed twice",
        """SELECT 'agreement ' || agreement_id || ': ' || number FROM (
               SELECT agreement_id, number, start_date, kind,
                      lag(end_date) OVER (PARTITION BY agreement_id ORDER BY period) AS previous_end
               FROM (SELECT DISTINCT ON (agreement_id, period) * FROM billing_bill
                     ORDER BY agreement_id, period, revision DESC) AS newest
               WHERE kind <> 4) AS ordered
           WHERE start_date < previous_end""",
    ),
    Invariant(
        "every message tells of a bill, in the right month",
        """SELECT 'message ' || m.ref FROM notifications_message m LEFT JOIN billing_bill b
             ON b.period = m.period AND b.number = m.ref WHERE m.kind IN (1, 2) AND b.number IS NULL""",
    ),
    Invariant(
        "in every certified run, eligible = billed + held + rejected, and messages are as counted",
        """SELECT 'period ' || r.period FROM billing_billrun r
           JOIN (SELECT run_id, sum(eligible) AS eligible, sum(billed) AS billed, sum(held) AS held,
                        sum(rejected) AS rejected FROM billing_billrunchunk GROUP BY run_id) AS c ON c.run_id = r.id
           WHERE r.state = 'CERTIFIED' AND (c.eligible <> c.billed + c.held + c.rejected
              OR c.held + c.rejected <> (SELECT count(*) FROM billing_billexception e WHERE e.run_id = r.id))""",
    ),
)


def broken(connection: psycopg.Connection[Any], invariant: Invariant) -> list[str]:
    """A few examples of what breaks the invariant; an empty list when it holds."""
    rows = connection.execute(f"{invariant.query} LIMIT {EXAMPLES}").fetchall()
    return [str(row[0]) for row in rows]
