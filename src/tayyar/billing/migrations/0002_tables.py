"""Bills, partitioned by month; a bill is never changed."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("core", "0002_tables")]

    operations = [
        migrations.RunSQL(
            """
            CREATE TABLE billing_bill (
                period integer NOT NULL,
                agreement_id bigint NOT NULL,
                account_id bigint NOT NULL,
                number bigint NOT NULL,
                service_centre_id integer NOT NULL,
                tariff integer NOT NULL,
                start_date date NOT NULL,
                end_date date NOT NULL,
                issue_date date NOT NULL,
                due_date date NOT NULL,
                energy_wh bigint NOT NULL,
                energy_minor bigint NOT NULL,
                fixed_minor bigint NOT NULL,
                subsidy_minor bigint NOT NULL,
                tax_minor bigint NOT NULL,
                total_minor bigint NOT NULL,
                support_minor bigint NOT NULL,
                balance_before_minor bigint NOT NULL,
                billed_to_date_minor bigint NOT NULL,
                recent_daily_wh bigint NOT NULL,
                year_wh bigint NOT NULL,
                revision smallint NOT NULL,
                kind smallint NOT NULL,
                category smallint NOT NULL,
                lines bigint[] NOT NULL,
                readings bigint[] NOT NULL,
                PRIMARY KEY (period, agreement_id, revision),
                CONSTRAINT bill_total_adds_up
                    CHECK (total_minor = energy_minor + fixed_minor + subsidy_minor + tax_minor),
                CONSTRAINT bill_dates_in_order CHECK (start_date < end_date AND issue_date <= due_date),
                CONSTRAINT bill_credit_notes_are_odd_revisions CHECK ((kind = 4) = (revision % 2 = 1))
            ) PARTITION BY LIST (period);
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_bill
                FOR EACH ROW EXECUTE FUNCTION core_append_only();
            CREATE VIEW billing_bill_line AS
                SELECT b.period, b.agreement_id, b.revision, b.account_id, b.number, (i + 3) / 4 AS position,
                       b.lines[i] AS line_code, b.lines[i + 1] AS quantity,
                       b.lines[i + 2] AS price_micro, b.lines[i + 3] AS amount_minor
                FROM billing_bill b, generate_series(1, cardinality(b.lines), 4) AS i;
            """,
            """DROP VIEW billing_bill_line; DROP TABLE billing_bill""",
        ),
    ]
