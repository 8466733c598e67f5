"""Where each web process shows how quickly it answers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0002_tables")]

    operations = [
        migrations.CreateModel(
            name="Pulse",
            fields=[
                ("process", models.TextField(help_text='"web-1.example-4711"', primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("requests", models.IntegerField()),
                ("p95_ms", models.IntegerField()),
            ],
        ),
    ]
