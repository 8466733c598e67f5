"""Messages that follow a plan, deliveries through providers with receipts, and the proof of reach."""

from django.db import migrations

from tayyar.core.partitions import INDEXES

# Existing months get the indexes that new ones are made with.
_INDEX_PARTITIONS = "\n".join(
    f"""EXECUTE format({statement.format(name='%1$s_' + key, table='%1$s')!r}, partition);"""
    for key, statement in INDEXES["notifications_message"].items()
)


class Migration(migrations.Migration):
    dependencies = [("notifications", "0005_models_of_proof"), ("customers", "0002_people_and_wishes")]

    operations = [
        migrations.RunSQL(
            f"""
            ALTER TABLE notifications_message
                DROP COLUMN channels, DROP COLUMN priority,
                ADD COLUMN step smallint NOT NULL DEFAULT 0,
                ADD COLUMN channel smallint NOT NULL DEFAULT 0,
                ADD COLUMN next_at timestamptz,
                ADD COLUMN contact_point_id bigint,
                DROP CONSTRAINT notifications_message_state_check,
                ADD CONSTRAINT notifications_message_state_check CHECK (state BETWEEN 0 AND 11);
            ALTER TABLE notifications_message ALTER COLUMN channel DROP DEFAULT;
            UPDATE notifications_message m SET next_at = d.retry_at
              FROM notifications_delivery d
             WHERE d.period = m.period AND d.kind = m.kind AND d.ref = m.ref AND d.recipient = m.recipient
               AND d.retry_at IS NOT NULL AND m.state = 8;
            DO $$ DECLARE partition text; BEGIN
                FOR partition IN SELECT inhrelid::regclass::text FROM pg_inherits
                                  WHERE inhparent = 'notifications_message'::regclass LOOP
                    {_INDEX_PARTITIONS}
                END LOOP;
            END $$;

            ALTER TABLE notifications_delivery
                DROP CONSTRAINT delivery_retries_what_failed,
                DROP COLUMN retry_at,
                ADD COLUMN provider smallint,
                ADD COLUMN received_at timestamptz,
                ADD COLUMN segments smallint NOT NULL DEFAULT 0,
                ADD COLUMN cost_micro bigint NOT NULL DEFAULT 0;
            CREATE INDEX delivery_by_provider_ref ON notifications_delivery (provider_ref) WHERE provider_ref <> '';

            CREATE TABLE notifications_reach (
                period integer NOT NULL,
                ref bigint NOT NULL,
                kind smallint NOT NULL,
                account_id bigint NOT NULL,
                how smallint NOT NULL CHECK (how BETWEEN 1 AND 8),
                channel smallint,
                recipient smallint NOT NULL,
                reached_at timestamptz NOT NULL,
                witness varchar(80) NOT NULL,
                PRIMARY KEY (period, ref)
            ) PARTITION BY LIST (period);
            """,
            migrations.RunSQL.noop,
        ),
    ]
