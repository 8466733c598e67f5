"""Attempts to sign in and logins that succeeded; the cache that all processes share (settings.CACHES)."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

HOW = [("PASSWORD", "PASSWORD"), ("PASSKEY", "PASSKEY"), ("RECOVERY", "RECOVERY")]

# The columns of Django's database cache; `manage.py createcachetable` would make them beside the migrations.
CACHE = """
CREATE TABLE shared_cache (
    cache_key varchar(255) PRIMARY KEY,
    value text NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX shared_cache_expires ON shared_cache (expires);
"""


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("identity", "0002_authority_answers"),
    ]

    operations = [
        migrations.CreateModel(
            name="SignIn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("how", models.CharField(choices=HOW, max_length=8)),
                ("network", models.CharField(max_length=50)),
                ("agent", models.CharField(help_text="as the browser calls itself", max_length=200)),
                ("is_new_device", models.BooleanField()),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={"indexes": [models.Index(fields=["user", "-at"], name="sign_in_by_user")]},
        ),
        migrations.CreateModel(
            name="SignInTry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("how", models.CharField(choices=HOW, max_length=8)),
                ("subject_hash", models.BinaryField(max_length=16)),
                (
                    "device_hash",
                    models.BinaryField(
                        help_text="a device that the person signed in from before; NULL: any other",
                        max_length=16,
                        null=True,
                    ),
                ),
                ("network", models.CharField(max_length=50)),
                ("is_right", models.BooleanField(default=False, help_text="false while it is being checked")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["subject_hash", "-at"], name="sign_in_try_by_subject"),
                    models.Index(fields=["network", "-at"], name="sign_in_try_by_network"),
                    models.Index(fields=["at"], name="sign_in_try_by_time"),
                ],
            },
        ),
        migrations.RunSQL(CACHE, "DROP TABLE shared_cache"),
    ]
