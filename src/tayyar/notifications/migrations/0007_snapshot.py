"""Figures kept for a while, and the last minute's deliveries found without reading the month's."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("notifications", "0006_plans_and_proof")]

    operations = [
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("pk", models.CompositePrimaryKey("period", "name", blank=True, editable=False, primary_key=True, serialize=False)),
                ("period", models.IntegerField()),
                ("name", models.CharField(help_text='"delivery", "reach", "reach:C01"', max_length=40)),
                ("computed_at", models.DateTimeField()),
                ("cost_ms", models.IntegerField(help_text="how long counting took")),
                ("data", models.JSONField()),
            ],
        ),
        # BRIN: deliveries are settled about in the order in which they lie; costs next to nothing to keep.
        migrations.RunSQL(
            """CREATE INDEX delivery_by_settled ON notifications_delivery
                USING brin (settled_at) WITH (pages_per_range = 32, autosummarize = on)""",
            "DROP INDEX delivery_by_settled",
        ),
    ]
