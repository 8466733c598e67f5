"""A visit at a kiosk, one for each machine at most, and the count of codes that each machine asked for."""

from django.db import models

from tayyar.customers.models import ContactPoint, CustomerAccount
from tayyar.devices.models import Device
from tayyar.identity.models import Person


class Way(models.TextChoices):
    """How the visitor came in; empty until they chose."""

    ACCOUNT = "ACCOUNT", "ACCOUNT"  # an account number, and a code to its holder's contact point
    IDENTITY = "IDENTITY", "IDENTITY"  # an identity number, and a code to its person's mobile
    BILL = "BILL", "BILL"  # a bill's QR code: that bill and nothing else


class Goal(models.TextChoices):
    """Which door they chose."""

    BILLS = "BILLS", "BILLS"
    REQUEST = "REQUEST", "REQUEST"


class Visit(models.Model):
    """Somebody stands at the machine. The row goes when they leave, when nobody touches for 60 seconds, and when the
    next one begins. Before `proven_at` it opens nothing; whether its number is known is told to nobody."""

    device = models.OneToOneField(Device, models.CASCADE)
    key_hash = models.BinaryField(max_length=16, unique=True)
    way = models.CharField(max_length=8, choices=Way, blank=True, default="")
    goal = models.CharField(max_length=7, choices=Goal)
    account = models.ForeignKey(CustomerAccount, models.CASCADE, null=True)
    person = models.ForeignKey(Person, models.CASCADE, null=True)
    bill_number = models.BigIntegerField(null=True)
    contact_point = models.ForeignKey(
        ContactPoint, models.CASCADE, null=True, help_text="where codes go; NULL: nowhere, and nobody is told"
    )
    started_at = models.DateTimeField()
    touched_at = models.DateTimeField()
    codes_sent = models.SmallIntegerField(default=0)
    code_sent_at = models.DateTimeField(null=True)
    code_tries = models.SmallIntegerField(default=0, help_text="of the newest code")
    proven_at = models.DateTimeField(null=True)
    prints = models.SmallIntegerField(
        default=0, help_text="a form that prints names the last one: twice prints once"
    )
    request_reference = models.CharField(
        max_length=20, blank=True, default="", help_text="asked in this visit"
    )


class CodeAsked(models.Model):
    """A machine asked for a code, for a number that is known or not. Kept a day, to be counted."""

    device = models.ForeignKey(Device, models.CASCADE)
    asked_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["device", "asked_at"], name="kiosk_code_by_device")]
