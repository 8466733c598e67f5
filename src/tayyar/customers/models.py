"""Who is supplied, under which account and agreement, and how they can be told."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Q

from tayyar.core import references
from tayyar.metering.models import DateRange, UsagePoint

FIRST_ACCOUNT_ID = 100_000_001  # nine digits, so that an account number always has eleven


class Language(models.IntegerChoices):
    """The languages a customer can choose."""

    ar = 1, "العربية"
    en = 2, "English"
    fr = 3, "Français"


class Channel(models.IntegerChoices):
    """How a person is reached. The numbers are bits' positions in a channel mask."""

    EMAIL = 0, "EMAIL"
    SMS = 1, "SMS"
    WHATSAPP = 2, "WHATSAPP"
    PUSH = 3, "PUSH"
    PAPER = 4, "PAPER"
    CALL = 5, "CALL"


class Customer(models.Model):
    """A person or business, with its identity document (sealed)."""

    id = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=8, choices=[("PERSON", "PERSON"), ("BUSINESS", "BUSINESS")])
    name = models.CharField(max_length=120)
    is_citizen = models.BooleanField(default=False)
    national_id_sealed = models.BinaryField(null=True)
    national_id_hash = models.BinaryField(null=True, max_length=16)

    def __str__(self) -> str:
        return self.name


class CustomerAccount(models.Model):
    """The numbered account that is billed. `id` is the number without its check digits."""

    id = models.BigIntegerField(primary_key=True)
    customer = models.ForeignKey(Customer, models.PROTECT)
    opened_on = models.DateField()
    closed_on = models.DateField(null=True)
    language = models.SmallIntegerField(choices=Language, default=Language.ar)
    is_entitled = models.BooleanField(
        default=False, help_text="a citizen's first account, where a tariff asks"
    )

    @property
    def number(self) -> int:
        """Eleven digits, the last two of check."""
        return references.with_check(self.id)

    def __str__(self) -> str:
        return str(self.number)


class Agreement(models.Model):
    """Account + usage point + tariff category, over [start_date, end_date)."""

    id = models.BigIntegerField(primary_key=True)
    account = models.ForeignKey(CustomerAccount, models.PROTECT)
    usage_point = models.ForeignKey(UsagePoint, models.PROTECT, db_index=False)
    category = models.SmallIntegerField(help_text="number of a category in the profile")
    start_date = models.DateField()
    end_date = models.DateField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(end_date__isnull=True) | Q(end_date__gt=F("start_date")),
                name="agreement_ends_after_start",
            ),
            ExclusionConstraint(
                name="one_agreement_per_usage_point_at_a_time",
                expressions=[
                    ("usage_point", RangeOperators.EQUAL),
                    (DateRange("start_date", "end_date"), RangeOperators.OVERLAPS),
                ],
            ),
        ]


class ContactPoint(models.Model):
    """A verified address of one channel, sealed; found again by its keyed hash."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(CustomerAccount, models.PROTECT)
    channel = models.SmallIntegerField(choices=Channel)
    address_sealed = models.BinaryField()
    address_hash = models.BinaryField(max_length=16)
    verified_at = models.DateTimeField(null=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "channel", "address_hash"], name="one_contact_once_per_account"
            )
        ]
        indexes = [models.Index(fields=["address_hash"], name="contact_by_address")]
