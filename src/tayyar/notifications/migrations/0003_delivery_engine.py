"""The gate of released batches, deliveries partitioned by month, and the state DEFERRED."""

from django.db import migrations, models

KINDS = [(1, "BILL_ISSUED")]
STATES = [
    (0, "QUEUED"),
    (1, "SENDING"),
    (2, "SENT"),
    (3, "DELIVERED"),
    (4, "READ"),
    (5, "FAILED"),
    (6, "EXPIRED"),
    (7, "IN_DOUBT"),
    (8, "DEFERRED"),
]


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_tables")]

    operations = [
        migrations.CreateModel(
            name="MessageBatch",
            fields=[
                ("pk", models.CompositePrimaryKey("period", "kind", blank=True, editable=False, primary_key=True, serialize=False)),
                ("period", models.IntegerField()),
                ("kind", models.SmallIntegerField(choices=KINDS)),
                ("is_open", models.BooleanField()),
                ("released_at", models.DateTimeField()),
            ],
        ),
        migrations.DeleteModel("Delivery"),
        migrations.RunSQL(
            """
            ALTER TABLE notifications_message DROP CONSTRAINT notifications_message_state_check;
            ALTER TABLE notifications_message
                ADD CONSTRAINT notifications_message_state_check CHECK (state BETWEEN 0 AND 8);
            CREATE TABLE notifications_delivery (
                period integer NOT NULL,
                kind smallint NOT NULL,
                ref bigint NOT NULL,
                recipient smallint NOT NULL,
                channel smallint NOT NULL,
                attempt smallint NOT NULL CHECK (attempt > 0),
                state smallint NOT NULL CHECK (state BETWEEN 1 AND 7),
                account_id bigint NOT NULL,
                contact_point_id bigint,
                worker varchar(80) NOT NULL,
                claimed_at timestamptz NOT NULL,
                settled_at timestamptz,
                retry_at timestamptz,
                reason varchar(40) NOT NULL DEFAULT '',
                provider_ref varchar(120) NOT NULL DEFAULT '',
                PRIMARY KEY (period, kind, ref, recipient, channel, attempt),
                CONSTRAINT delivery_settled_or_under_way CHECK ((state IN (1, 7)) = (settled_at IS NULL)),
                CONSTRAINT delivery_retries_what_failed CHECK (retry_at IS NULL OR state = 5)
            ) PARTITION BY LIST (period);
            CREATE INDEX delivery_unsettled ON notifications_delivery (claimed_at) WHERE state IN (1, 7);
            CREATE INDEX delivery_deferred ON notifications_delivery (retry_at) WHERE retry_at IS NOT NULL;
            CREATE INDEX delivery_repeated ON notifications_delivery (kind, ref) WHERE attempt > 1;
            """,
            """
            DROP TABLE notifications_delivery;
            ALTER TABLE notifications_message DROP CONSTRAINT notifications_message_state_check;
            ALTER TABLE notifications_message
                ADD CONSTRAINT notifications_message_state_check CHECK (state BETWEEN 0 AND 7);
            """,
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("pk", models.CompositePrimaryKey("period", "kind", "ref", "recipient", "channel", "attempt", blank=True, editable=False, primary_key=True, serialize=False)),
                ("period", models.IntegerField()),
                ("kind", models.SmallIntegerField(choices=KINDS)),
                ("ref", models.BigIntegerField()),
                ("recipient", models.SmallIntegerField()),
                ("channel", models.SmallIntegerField()),
                ("attempt", models.SmallIntegerField(help_text="1, 2, ... of this message through this channel")),
                ("state", models.SmallIntegerField(choices=STATES)),
                ("account_id", models.BigIntegerField()),
                ("contact_point_id", models.BigIntegerField(help_text="NULL: there was none to try", null=True)),
                ("worker", models.CharField(max_length=80)),
                ("claimed_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                ("retry_at", models.DateTimeField(help_text="set while the message is DEFERRED on this attempt", null=True)),
                ("reason", models.CharField(blank=True, help_text='"MAILBOX_FULL"; no address, ever', max_length=40)),
                ("provider_ref", models.CharField(blank=True, help_text="the provider's name or code for it", max_length=120)),
            ],
            options={"db_table": "notifications_delivery", "verbose_name_plural": "deliveries", "managed": False},
        ),
        migrations.AlterField("message", "state", models.SmallIntegerField(choices=STATES)),
    ]
