"""Whose an account is: who asserts to be its owner or tenant, who holds it, and who benefits from the supply."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Q

from tayyar.customers.models import Customer, CustomerAccount, Language
from tayyar.identity.models import Person
from tayyar.metering.models import DateRange
from tayyar.requests.models import ServiceRequest


class ClaimRole(models.TextChoices):
    """As what somebody holds an account."""

    OWNER = "OWNER", "OWNER"
    TENANT = "TENANT", "TENANT"


class Evidence(models.TextChoices):
    """What a claim rests on."""

    AUTHORITY = (
        "AUTHORITY",
        "AUTHORITY",
    )  # the holder's identity is the claimant's, or a register confirmed it
    DEED = "DEED", "DEED"
    LEASE = "LEASE", "LEASE"
    CLERK = "CLERK", "CLERK"


class ClaimState(models.TextChoices):
    """Where a claim stands. While DISPUTED, nothing changes hands."""

    OPEN = "OPEN", "OPEN"
    DISPUTED = "DISPUTED", "DISPUTED"
    APPROVED = "APPROVED", "APPROVED"
    REFUSED = "REFUSED", "REFUSED"
    WITHDRAWN = "WITHDRAWN", "WITHDRAWN"


class Answer(models.TextChoices):
    """What the present holder said to a claim against them; "" while they may still answer, or nobody was asked."""

    OBJECTED = "OBJECTED", "OBJECTED"
    GAVE_WAY = "GAVE_WAY", "GAVE_WAY"
    SILENT = "SILENT", "SILENT"  # the deadline passed


class Claim(models.Model):
    """A customer's assertion to be owner or tenant of an account from a day on ("عرّف الآن")."""

    request = models.OneToOneField(ServiceRequest, models.PROTECT)
    account = models.ForeignKey(CustomerAccount, models.PROTECT, help_text="the number that was typed")
    customer = models.ForeignKey(Customer, models.PROTECT, help_text="for whom: the person, or a business")
    person = models.ForeignKey(Person, models.PROTECT, help_text="who claimed")
    role = models.CharField(max_length=6, choices=ClaimRole)
    is_beneficiary = models.BooleanField(help_text="declared: they themselves use the supply")
    start_date = models.DateField(help_text="from this day they are liable for what the account is billed")
    evidence = models.CharField(max_length=10, choices=Evidence)
    state = models.CharField(max_length=9, choices=ClaimState)
    against = models.ForeignKey(
        "Holding", models.PROTECT, null=True, related_name="disputes", help_text="who would have to give way"
    )
    answer_until = models.DateField(
        null=True, help_text="the last day on which the present holder may object"
    )
    answer = models.CharField(max_length=8, choices=Answer, blank=True, default="")
    holding = models.ForeignKey(
        "Holding",
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="what came of it; APPROVED without one: its first day, or the end of a bill run, is awaited",
    )
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "customer", "role"],
                condition=Q(state__in=["OPEN", "DISPUTED"]),
                name="one_open_claim_per_role",
            )
        ]
        indexes = [
            models.Index(fields=["answer_until"], condition=Q(state="DISPUTED"), name="claim_disputed"),
            models.Index(
                fields=["start_date"], condition=Q(state="APPROVED", holding=None), name="claim_to_carry_out"
            ),
        ]


class Holding(models.Model):
    """An account held as owner or tenant over [start_date, end_date): what gives a customer its bills to see."""

    account = models.ForeignKey(CustomerAccount, models.PROTECT)
    customer = models.ForeignKey(Customer, models.PROTECT)
    role = models.CharField(max_length=6, choices=ClaimRole)
    start_date = models.DateField()
    end_date = models.DateField(null=True)
    nickname = models.CharField(max_length=40, blank=True, default="", help_text='"My flat"')
    budget_minor = models.BigIntegerField(null=True, help_text="what they mean to spend in a month")
    reverts_to = models.ForeignKey(
        CustomerAccount,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="a tenant's: the owner's account, to which the supply returns",
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(end_date__isnull=True) | Q(end_date__gte=F("start_date")),
                name="holding_ends_after_start",
            ),
            ExclusionConstraint(
                name="one_holder_of_a_kind_at_a_time",
                expressions=[
                    ("account", RangeOperators.EQUAL),
                    ("role", RangeOperators.EQUAL),
                    (DateRange("start_date", "end_date"), RangeOperators.OVERLAPS),
                ],
            ),
        ]
        indexes = [models.Index(fields=["customer"], condition=Q(end_date=None), name="holding_by_customer")]


class Beneficiary(models.Model):
    """Who declared to use an account's supply, from a day on: the history of the actual beneficiary."""

    account = models.ForeignKey(CustomerAccount, models.PROTECT)
    customer = models.ForeignKey(Customer, models.PROTECT)
    start_date = models.DateField()
    end_date = models.DateField(null=True)
    declared_at = models.DateTimeField()
    declared_by = models.CharField(max_length=80)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="one_beneficiary_at_a_time",
                expressions=[
                    ("account", RangeOperators.EQUAL),
                    (DateRange("start_date", "end_date"), RangeOperators.OVERLAPS),
                ],
            ),
        ]


class ClaimAttempt(models.Model):
    """Somebody asked about an account that is not theirs: what the daily budget is counted by. Kept for a day."""

    person = models.ForeignKey(Person, models.CASCADE)
    account_number = models.BigIntegerField(help_text="as typed: it need not exist")
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["person", "at"], name="claim_attempt_by_person")]


class ClaimFile(models.Model):
    """A business's file of accounts to claim: checked when it came, worked through in the background."""

    customer = models.ForeignKey(Customer, models.PROTECT)
    person = models.ForeignKey(Person, models.PROTECT)
    name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64, help_text="of its content: the same file again is the same")
    content_sealed = models.BinaryField(null=True, help_text="gone when it is done")
    terms_version = models.CharField(max_length=20)
    language = models.SmallIntegerField(choices=Language)
    rows = models.IntegerField(help_text="below the headings, without empty ones")
    results = models.JSONField(default=list, help_text="[line, account number, outcome, reason, reference]")
    sent_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "sha256"], condition=Q(done_at=None), name="one_file_under_way_once"
            )
        ]
        indexes = [models.Index(fields=["customer", "-sent_at"], name="claim_file_by_customer")]
