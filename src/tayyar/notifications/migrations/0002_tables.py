"""Messages, partitioned by month."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial")]

    operations = [
        migrations.RunSQL(
            """
            CREATE TABLE notifications_message (
                period integer NOT NULL,
                kind smallint NOT NULL,
                ref bigint NOT NULL,
                recipient smallint NOT NULL,
                account_id bigint NOT NULL,
                language smallint NOT NULL,
                channels smallint NOT NULL,
                priority smallint NOT NULL,
                state smallint NOT NULL CHECK (state BETWEEN 0 AND 7),
                created_at timestamptz NOT NULL,
                PRIMARY KEY (period, kind, ref, recipient)
            ) PARTITION BY LIST (period);
            """,
            """DROP TABLE notifications_message""",
        ),
    ]
