"""Transfers, partitioned by month; they and nothing else may not be changed."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("core", "0002_tables")]

    operations = [
        migrations.RunSQL(
            """
            CREATE TABLE ledger_transfer (
                period integer NOT NULL,
                kind smallint NOT NULL,
                ref bigint NOT NULL,
                debit_account_id bigint NOT NULL,
                credit_account_id bigint NOT NULL,
                amount_minor bigint NOT NULL CONSTRAINT transfer_amount_positive CHECK (amount_minor > 0),
                posted_at timestamptz NOT NULL,
                PRIMARY KEY (period, kind, ref),
                CONSTRAINT transfer_two_accounts CHECK (debit_account_id <> credit_account_id)
            ) PARTITION BY LIST (period);
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_transfer
                FOR EACH ROW EXECUTE FUNCTION core_append_only();
            """,
            """DROP TABLE ledger_transfer""",
        ),
    ]
