"""Customers are found by their identity number, and those who sign up get numbers apart from the utility's own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0004_alter_contactpoint_account")]

    operations = [
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(
                condition=models.Q(("national_id_hash__isnull", False)),
                fields=["national_id_hash"],
                name="customer_by_national_id",
            ),
        ),
        migrations.RunSQL(
            "CREATE SEQUENCE customers_customer_serial AS bigint START 1000000000000 MINVALUE 1000000000000",
            "DROP SEQUENCE customers_customer_serial",
        ),
    ]
