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
    wants_digest = models.BooleanField(
        default=False, help_text="one message about all accounts, where a person holds many"
    )
    national_id_sealed = models.BinaryField(null=True)
    national_id_hash = models.BinaryField(null=True, max_length=16)

    class Meta:
        indexes = [
            models.Index(
                fields=["national_id_hash"],
                condition=Q(national_id_hash__isnull=False),
                name="customer_by_national_id",
            )
        ]

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


class ContactMark(models.TextChoices):
    """Why a contact point is not used any more, though nobody asked to remove it."""

    BOUNCED = "BOUNCED", "BOUNCED"  # the provider says that it does not exist
    COMPLAINED = "COMPLAINED", "COMPLAINED"  # its reader reported a message as unwanted
    NOT_MINE = (
        "NOT_MINE",
        "NOT_MINE",
    )  # its reader says that the bill is another's: a recycled number, perhaps


class ContactPoint(models.Model):
    """A verified address of one channel, sealed; found again by its keyed hash. Of an account's holder or delegate, or
    of a person outside any account: whoever signs up."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(
        CustomerAccount, models.PROTECT, null=True, help_text="NULL: a person's own, outside any account"
    )
    recipient = models.SmallIntegerField(default=0, help_text="0: the holder; else the delegate's number")
    channel = models.SmallIntegerField(choices=Channel)
    address_sealed = models.BinaryField()
    address_hash = models.BinaryField(max_length=16)
    verified_at = models.DateTimeField(null=True)
    is_active = models.BooleanField(default=True)
    mark = models.CharField(max_length=12, choices=ContactMark, blank=True, default="")
    marked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "recipient", "channel", "address_hash"], name="one_contact_once_per_person"
            ),
            models.CheckConstraint(
                condition=Q(mark="") | Q(is_active=False, marked_at__isnull=False),
                name="a_marked_contact_is_not_used",
            ),
        ]
        indexes = [
            models.Index(fields=["address_hash"], name="contact_by_address"),
            models.Index(fields=["marked_at"], condition=~Q(mark=""), name="contact_marked"),
        ]


class Preference(models.Model):
    """How the people of one account want to be told. No row: as the plan of the profile says."""

    account = models.OneToOneField(CustomerAccount, models.PROTECT, primary_key=True)
    channels = models.JSONField(
        default=list, help_text='order of channels, first to last: ["WHATSAPP", "SMS"]; [] as in the plan'
    )
    excluded = models.JSONField(default=list, help_text='channels never to use: ["EMAIL"]')
    plans = models.JSONField(
        default=dict,
        help_text='own steps for a kind: {"BILL_ISSUED": [{"channel": "SMS", ...}]}; set by staff',
    )
    wants_paper = models.BooleanField(default=False, help_text="a printed bill, whatever else arrives")
    attaches_pdf = models.BooleanField(default=False, help_text="e-mails carry the bill, not only its link")
    quiet_from = models.TimeField(null=True, help_text="local time; both or none")
    quiet_to = models.TimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_to__isnull=True)
                | (Q(quiet_from__isnull=False, quiet_to__isnull=False) & ~Q(quiet_from=F("quiet_to"))),
                name="quiet_hours_have_both_ends",
            )
        ]


class OptOut(models.Model):
    """A kind of message that the people of an account do not want. A statutory kind cannot be opted out of."""

    account = models.ForeignKey(CustomerAccount, models.PROTECT)
    kind = models.SmallIntegerField(help_text="of notifications.MessageKind")
    since = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "kind"], name="one_opt_out_per_kind")]


class DelegateState(models.TextChoices):
    """Where a delegation stands."""

    INVITED = "INVITED", "INVITED"
    ACTIVE = "ACTIVE", "ACTIVE"
    DECLINED = "DECLINED", "DECLINED"
    REVOKED = "REVOKED", "REVOKED"  # by either side
    EXPIRED = "EXPIRED", "EXPIRED"


class Delegate(models.Model):
    """A relative or accountant who receives an account's bills. `recipient` is their number among its people."""

    account = models.ForeignKey(CustomerAccount, models.PROTECT)
    recipient = models.SmallIntegerField(help_text="1, 2, ...; never used again for another person")
    name = models.CharField(max_length=120)
    relation = models.CharField(
        max_length=12, choices=[(c, c) for c in ("RELATIVE", "ACCOUNTANT", "OTHER")], default="RELATIVE"
    )
    language = models.SmallIntegerField(choices=Language, default=Language.ar)
    may_pay = models.BooleanField(default=False, help_text="else: may see")
    state = models.CharField(max_length=8, choices=DelegateState)
    invited_at = models.DateTimeField()
    invited_by = models.CharField(max_length=80, help_text='"holder", "user:7"')
    accepted_at = models.DateTimeField(null=True)
    expires_on = models.DateField(null=True, help_text="the first day without; NULL: until revoked")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, blank=True, default="", help_text='"holder", "delegate", ...')

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "recipient"], name="a_number_names_one_delegate"),
            models.CheckConstraint(condition=Q(recipient__gte=1), name="number_0_is_the_holder"),
        ]
        indexes = [models.Index(fields=["state", "expires_on"], name="delegate_by_state")]


class ContactReview(models.Model):
    """Somebody said "this bill is not mine": staff look whose contact point it really is."""

    contact_point = models.ForeignKey(ContactPoint, models.PROTECT, null=True)
    account = models.ForeignKey(CustomerAccount, models.PROTECT)
    reference = models.CharField(max_length=20, unique=True, help_text='"R-7F3K-22"')
    subject = models.CharField(max_length=80, help_text='"bill:261100000001234"')
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=80, blank=True, default="")
    outcome = models.CharField(
        max_length=10,
        blank=True,
        default="",
        choices=[(c, c) for c in ("REMOVED", "KEPT", "CORRECTED")],
        help_text="the contact point was removed, is right after all, or was replaced",
    )

    class Meta:
        indexes = [
            models.Index(fields=["opened_at"], condition=Q(closed_at=None), name="contact_review_open")
        ]


class OneTimeCode(models.Model):
    """Six digits sent to a person's own contact point, to confirm one thing. Kept as a keyed hash only."""

    account = models.ForeignKey(CustomerAccount, models.PROTECT)
    contact_point = models.ForeignKey(ContactPoint, models.PROTECT)
    purpose = models.CharField(max_length=16, help_text='"WISHES", "DELEGATE"')
    subject = models.CharField(
        max_length=64, blank=True, help_text="what exactly it confirms: a hash, or nothing"
    )
    code_hash = models.BinaryField(max_length=16)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    tries = models.SmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["account", "issued_at"], name="code_by_account")]
