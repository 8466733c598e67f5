"""Months told before there was proof of reach get their tables, and attempts that no worker of this version can settle
are given up: their messages are sent again."""

from django.db import migrations

# An attempt without a provider is a sheet's, or of the version that knew no providers. In doubt as it is, it is counted
# as a possible duplicate.
OPEN_MONTHS_AND_GIVE_UP = """
    DO $$ DECLARE month text; BEGIN
        FOR month IN SELECT right(inhrelid::regclass::text, 6) FROM pg_inherits
                      WHERE inhparent = 'notifications_message'::regclass LOOP
            EXECUTE format('CREATE TABLE IF NOT EXISTS notifications_delivery_%1$s PARTITION OF '
                           'notifications_delivery FOR VALUES IN (%1$s)', month);
            EXECUTE format('CREATE TABLE IF NOT EXISTS notifications_reach_%1$s PARTITION OF '
                           'notifications_reach FOR VALUES IN (%1$s)', month);
        END LOOP;
    END $$;
    WITH given_up AS (
        UPDATE notifications_delivery SET state = 6, settled_at = now(), reason = 'WORKER_LOST'
         WHERE provider IS NULL AND state IN (1, 7) AND worker NOT LIKE 'sheet:%'
        RETURNING period, kind, ref, recipient
    )
    UPDATE notifications_message m SET state = 0, next_at = NULL
      FROM given_up g
     WHERE m.period = g.period AND m.kind = g.kind AND m.ref = g.ref AND m.recipient = g.recipient
       AND m.state IN (1, 7);
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0009_pricing")]

    operations = [migrations.RunSQL(OPEN_MONTHS_AND_GIVE_UP, migrations.RunSQL.noop)]
