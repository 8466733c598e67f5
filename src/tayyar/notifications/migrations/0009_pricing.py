"""How a provider says it charges for a message is kept beside the message."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notifications", "0008_early_receipts_by_address")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE notifications_delivery ADD COLUMN pricing varchar(60) NOT NULL DEFAULT ''",
            "ALTER TABLE notifications_delivery DROP COLUMN pricing",
        ),
    ]
