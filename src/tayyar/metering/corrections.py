"""A reviewer's word on a reading: the right value put in place of a wrong one, the old one kept in the audit log."""

import datetime as dt

from django.db import connection, transaction
from django.db.models import Q

from tayyar.core import audit
from tayyar.core.errors import UserError
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.metering.models import MeterInstallation, MeterReading, ReadingQuality, Register


@transaction.atomic
def correct_reading(
    *, usage_point_id: int, value_wh: int, read_date: dt.date, actor: str, now: dt.datetime
) -> None:
    """Store `value_wh` as the total register's reading on `read_date`, in place of any other of that day.

    UserError when no meter was installed there on that day, or the register cannot show the value.
    """
    if read_date > now.date():
        raise UserError(f"{read_date} has not come yet; a reading is of today or earlier.")
    installation = (
        MeterInstallation.objects.select_related("meter")
        .filter(Q(removed_on__isnull=True) | Q(removed_on__gte=read_date), usage_point_id=usage_point_id)
        .filter(installed_on__lte=read_date)
        .order_by("-installed_on")
        .first()
    )
    if installation is None:
        raise UserError(f"No meter was installed there on {read_date}.")
    if not 0 <= value_wh < 10**installation.meter.digits * 1000:
        raise UserError(
            f"The register of meter {installation.meter.serial} shows {installation.meter.digits} digits; "
            f"{value_wh // 1000} kWh is not a value it can have."
        )
    period = Period.of(read_date)
    with connection.cursor() as cursor:
        ensure_partition(cursor, table="metering_meterreading", period=period)
    key = {
        "period": period.number,
        "usage_point_id": usage_point_id,
        "meter_id": installation.meter_id,
        "read_date": read_date,
        "register": Register.TOTAL,
    }
    old = MeterReading.objects.filter(**key).first()
    fresh = {"value_wh": value_wh, "quality": ReadingQuality.ACTUAL, "received_at": now}
    if old:
        MeterReading.objects.filter(**key).update(**fresh)
    else:
        MeterReading.objects.create(**key, **fresh)
    audit.record(
        actor=actor,
        action="READING_CORRECTED",
        subject=f"usage_point:{usage_point_id}",
        now=now,
        read_date=str(read_date),
        value_wh=value_wh,
        was_wh=old.value_wh if old else None,
    )
