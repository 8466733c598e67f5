"""Receipts that name nothing but an address are told apart by it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("notifications", "0007_snapshot")]

    operations = [
        migrations.RemoveConstraint(model_name="earlyreceipt", name="one_early_receipt_once"),
        migrations.AddConstraint(
            model_name="earlyreceipt",
            constraint=models.UniqueConstraint(
                fields=("provider", "provider_ref", "delivery_key", "address_hash", "state"),
                name="one_early_receipt_once",
                nulls_distinct=False,
            ),
        ),
    ]
