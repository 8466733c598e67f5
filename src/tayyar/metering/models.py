"""Where energy is delivered, through which meter, and what it read."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q


class ReadingQuality(models.IntegerChoices):
    """How a reading came to be. Stored as a small integer: the table holds hundreds of millions."""

    ACTUAL = 1, "ACTUAL"
    ESTIMATED = 2, "ESTIMATED"
    CUSTOMER = 3, "CUSTOMER"


class Register(models.IntegerChoices):
    """Which of a meter's counters: one total, or time-of-use registers that add up to it."""

    TOTAL = 0, "TOTAL"
    PEAK = 1, "PEAK"
    OFF_PEAK = 2, "OFF_PEAK"
    SHOULDER = 3, "SHOULDER"


class ServiceCentre(models.Model):
    """The branch that serves a district."""

    code = models.CharField(max_length=12, unique=True)
    name_ar = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80)
    name_fr = models.CharField(max_length=80)

    def __str__(self) -> str:
        return self.code


class UsagePoint(models.Model):
    """Where energy is delivered."""

    id = models.BigIntegerField(primary_key=True)
    service_centre = models.ForeignKey(ServiceCentre, models.PROTECT, db_index=False)
    breaker_a = models.IntegerField(help_text="main breaker, amperes")
    address = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(breaker_a__gt=0), name="usage_point_breaker_positive")
        ]


class Meter(models.Model):
    """A device. Its register counts to 10^digits kWh and starts again at zero."""

    id = models.BigIntegerField(primary_key=True)
    serial = models.CharField(max_length=20, unique=True)
    digits = models.SmallIntegerField(default=6, help_text="whole kWh digits of the register")

    def __str__(self) -> str:
        return self.serial


class DateRange(Func):
    """daterange(start, end) as an expression: half-open, like every period here."""

    function = "DATERANGE"
    output_field = DateRangeField()


class MeterInstallation(models.Model):
    """A meter at a usage point from a date to a date, with its opening and closing register values.

    `multiplier` is the transformer ratio: consumption = register advance x multiplier.
    """

    id = models.BigIntegerField(primary_key=True)
    usage_point = models.ForeignKey(UsagePoint, models.PROTECT)
    meter = models.ForeignKey(Meter, models.PROTECT)
    installed_on = models.DateField()
    removed_on = models.DateField(null=True)
    opening_wh = models.BigIntegerField()
    closing_wh = models.BigIntegerField(null=True)
    multiplier = models.IntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(multiplier__gt=0), name="installation_multiplier_positive"),
            models.CheckConstraint(
                condition=Q(removed_on__isnull=True)
                | (Q(removed_on__gte=F("installed_on")) & Q(closing_wh__isnull=False)),
                name="installation_removed_has_closing",
            ),
            ExclusionConstraint(
                name="one_meter_per_usage_point_at_a_time",
                expressions=[
                    ("usage_point", RangeOperators.EQUAL),
                    (DateRange("installed_on", "removed_on"), RangeOperators.OVERLAPS),
                ],
            ),
        ]


class ReadingImport(models.Model):
    """One file of readings, known by the hash of its content: the same file again changes nothing."""

    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, unique=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    accepted = models.BigIntegerField(default=0)
    unchanged = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)


class MeterReading(models.Model):
    """One register value on one date. Partitioned by `period` (year*100+month of the reading date)."""

    pk = models.CompositePrimaryKey("period", "usage_point_id", "meter_id", "read_date", "register")
    period = models.IntegerField()
    usage_point_id = models.BigIntegerField()
    meter_id = models.BigIntegerField()
    read_date = models.DateField()
    register = models.SmallIntegerField(choices=Register)
    value_wh = models.BigIntegerField()
    quality = models.SmallIntegerField(choices=ReadingQuality)
    received_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "metering_meterreading"
