"""Bill runs, their chunks, the bills they make and the accounts they hold."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class BillKind(models.IntegerChoices):
    """What sort of document a bill is."""

    BILL = 1, "BILL"
    FINAL = 2, "FINAL"
    REBILL = 3, "REBILL"
    CREDIT_NOTE = 4, "CREDIT_NOTE"


class BillRun(models.Model):
    """One issue day for one period. Its certificate is signed when every chunk is done."""

    period = models.IntegerField(unique=True)
    profile = models.CharField(max_length=8)
    state = models.CharField(
        max_length=10, choices=[("RUNNING", "RUNNING"), ("CERTIFIED", "CERTIFIED")], default="RUNNING"
    )
    previous = models.ForeignKey("self", models.PROTECT, null=True)
    cutoff_at = models.DateTimeField(help_text="readings received later are left to the next run")
    issue_date = models.DateField()
    due_date = models.DateField()
    tariff_hash = models.CharField(max_length=64, help_text="of the tariff documents it charged by")
    certificate = models.JSONField(null=True)
    signature = models.BinaryField(null=True)
    certified_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="RUNNING") | Q(certificate__isnull=False, signature__isnull=False),
                name="certified_run_has_certificate",
            )
        ]


class BillRunChunk(models.Model):
    """A slice of a run: the accounts [first_account_id, end_account_id).

    `token` is the fencing token: whoever claims the chunk raises it, and only the holder of the newest may write.
    """

    run = models.ForeignKey(BillRun, models.CASCADE, related_name="chunks")
    index = models.IntegerField()
    first_account_id = models.BigIntegerField()
    end_account_id = models.BigIntegerField()
    state = models.CharField(
        max_length=8, choices=[(s, s) for s in ("PENDING", "LEASED", "DONE", "FAILED")], default="PENDING"
    )
    token = models.IntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    counted = models.IntegerField(
        null=True, help_text="bills it will make, known before it writes: fixes the numbers"
    )
    eligible = models.IntegerField(default=0)
    billed = models.IntegerField(default=0)
    held = models.IntegerField(default=0)
    rejected = models.IntegerField(default=0)
    messages = models.IntegerField(default=0)
    energy_wh = models.BigIntegerField(default=0)
    totals = models.JSONField(
        default=dict, help_text="per tariff: bills, energy_wh and money, in minor units"
    )
    sha256 = models.CharField(max_length=64, blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="chunk_index_once")]


class Bill(models.Model):
    """An immutable tax document. Partitioned by `period`; written by the run or by corrections, never updated.

    `revision` 0 is the first bill of the agreement in the period; odd revisions are credit notes that cancel the
    one before, even ones bill again. So at most one bill per agreement and period stands, by primary key.
    `lines` holds four integers a line (tariffs/lines.py), `readings` five a register (billing/readings.py).
    """

    pk = models.CompositePrimaryKey("period", "agreement_id", "revision")
    period = models.IntegerField()
    agreement_id = models.BigIntegerField()
    revision = models.SmallIntegerField()
    kind = models.SmallIntegerField(choices=BillKind)
    account_id = models.BigIntegerField()
    number = models.BigIntegerField()
    service_centre_id = models.IntegerField()
    category = models.SmallIntegerField()
    tariff = models.IntegerField()
    start_date = models.DateField()
    end_date = models.DateField()
    issue_date = models.DateField()
    due_date = models.DateField()
    energy_wh = models.BigIntegerField()
    energy_minor = models.BigIntegerField()
    fixed_minor = models.BigIntegerField()
    subsidy_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()
    support_minor = models.BigIntegerField()
    balance_before_minor = models.BigIntegerField()
    billed_to_date_minor = models.BigIntegerField()
    recent_daily_wh = models.BigIntegerField(help_text="rolling use per day, for the next high/low check")
    year_wh = models.BigIntegerField(help_text="use over the year that ends with this bill")
    lines = ArrayField(models.BigIntegerField())
    readings = ArrayField(models.BigIntegerField())

    class Meta:
        managed = False
        db_table = "billing_bill"


class BillException(models.Model):
    """An agreement that a run held for review or rejected, with the reason; and what the reviewer did."""

    run = models.ForeignKey(BillRun, models.PROTECT)
    period = models.IntegerField()
    agreement_id = models.BigIntegerField()
    account_id = models.BigIntegerField()
    outcome = models.CharField(max_length=8, choices=[("HELD", "HELD"), ("REJECTED", "REJECTED")])
    reason = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)
    resolution = models.CharField(
        max_length=10,
        blank=True,
        choices=[(s, s) for s in ("RELEASED", "CORRECTED", "ESTIMATED", "DISMISSED")],
    )
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["period", "agreement_id"], name="one_exception_per_period")
        ]
        indexes = [models.Index(fields=["run", "outcome", "reason"], name="exception_by_reason")]


class NumberSeries(models.Model):
    """The next number of a series that is used one by one: off-cycle bills, credit notes. Locked while it counts."""

    name = models.CharField(max_length=20, primary_key=True)
    last = models.BigIntegerField(default=0)
