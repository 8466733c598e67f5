"""What is kept of logins: each attempt, to slow down guessing, and each that succeeded, to show to the person.

Owns two tables that models.py makes known to Django. Of what was typed only a keyed hash is kept.
"""

from django.conf import settings
from django.db import models


class How(models.TextChoices):
    """How a person proved who they are."""

    PASSWORD = "PASSWORD", "PASSWORD"
    PASSKEY = "PASSKEY", "PASSKEY"
    RECOVERY = "RECOVERY", "RECOVERY"  # identity number and mobile, to set a new password


class SignInTry(models.Model):
    """One attempt. `subject_hash` is of the person, or of what was typed when there is no such person."""

    at = models.DateTimeField()
    how = models.CharField(max_length=8, choices=How)
    subject_hash = models.BinaryField(max_length=16)
    device_hash = models.BinaryField(
        max_length=16, null=True, help_text="a device that the person signed in from before; NULL: any other"
    )
    network = models.CharField(max_length=50)
    is_right = models.BooleanField(default=False, help_text="false while it is being checked")

    class Meta:
        app_label = "identity"
        indexes = [
            models.Index(fields=["subject_hash", "-at"], name="sign_in_try_by_subject"),
            models.Index(fields=["network", "-at"], name="sign_in_try_by_network"),
            models.Index(fields=["at"], name="sign_in_try_by_time"),
        ]


class SignIn(models.Model):
    """A login that succeeded, second factor included."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    at = models.DateTimeField()
    how = models.CharField(max_length=8, choices=How)
    network = models.CharField(max_length=50)
    agent = models.CharField(max_length=200, help_text="as the browser calls itself")
    is_new_device = models.BooleanField()

    class Meta:
        app_label = "identity"
        indexes = [models.Index(fields=["user", "-at"], name="sign_in_by_user")]
