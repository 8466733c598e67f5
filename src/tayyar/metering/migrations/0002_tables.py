"""Readings, partitioned by the month of the reading."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("metering", "0001_initial")]

    operations = [
        migrations.RunSQL(
            """
            CREATE TABLE metering_meterreading (
                period integer NOT NULL,
                usage_point_id bigint NOT NULL,
                meter_id bigint NOT NULL,
                read_date date NOT NULL,
                register smallint NOT NULL,
                value_wh bigint NOT NULL CHECK (value_wh >= 0),
                quality smallint NOT NULL CHECK (quality IN (1, 2, 3)),
                received_at timestamptz NOT NULL,
                PRIMARY KEY (period, usage_point_id, meter_id, read_date, register)
            ) PARTITION BY LIST (period);
            """,
            """DROP TABLE metering_meterreading""",
        ),
    ]
