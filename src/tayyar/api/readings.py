"""A meter reading that a person sends, with a photo where they have one.

Holds no rule: metering takes the value, requests takes the photo as a READING_DISPUTE for a person to look at. Sent
again, it changes nothing. Next: metering/services.py, requests/opening.py.
"""

import datetime as dt
from typing import Annotated

from django.http import HttpRequest
from ninja import File, Form, Router, Schema, Status, UploadedFile
from pydantic import BeforeValidator

from tayyar.api.accounts import AccountPath, managed_of
from tayyar.api.door import Caller
from tayyar.api.papers import OnceKey
from tayyar.api.problems import Problem
from tayyar.api.shapes import PROBLEMS, only_iso
from tayyar.customers.models import Agreement, Language
from tayyar.metering.models import MeterInstallation
from tayyar.metering.services import ReadingRefused, submit_customer_reading
from tayyar.requests.documents import MOST_BYTES, Upload, UploadRefused
from tayyar.requests.models import Via
from tayyar.requests.opening import open_request

router = Router(tags=["Readings"])


class Meter(Schema):
    """A meter that stands at one of the account's usage points."""

    usage_point_id: int
    serial: str
    address: str


class Meters(Schema):
    """The meters of an account."""

    items: list[Meter]


class ReadingTaken(Schema):
    """`is_taken`: the value was stored. `request`: the reference under which people look at the photo."""

    is_taken: bool
    value_wh: int
    read_date: dt.date
    request: str | None


@router.get(
    "/accounts/{number}/meters",
    response={200: Meters, **PROBLEMS},
    operation_id="listMeters",
    summary="Meters of an account",
)
def list_meters(request: HttpRequest, number: AccountPath) -> Meters:
    """Where a reading can be sent for. For who may manage the account."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return Meters(items=_meters(managed_of(caller, number).account.pk, caller.today))


@router.post(
    "/accounts/{number}/readings",
    response={201: ReadingTaken, **PROBLEMS},
    operation_id="sendReading",
    summary="Send a reading",
)
def send_reading(
    request: HttpRequest,
    number: AccountPath,
    once_key: OnceKey,
    value_wh: Annotated[int, Form(ge=0, le=10**12, description="As the meter shows: whole kWh, as Wh.")],
    read_date: Annotated[dt.date, BeforeValidator(only_iso), Form()],
    usage_point_id: Annotated[
        int | None, Form(description="Of `meters`; not needed where there is one.")
    ] = None,
    photo: Annotated[UploadedFile | None, File(description="A picture of the meter.")] = None,
) -> Status:
    """The value counts as the customer's reading. Where another is stored for that day, a photo opens a request
    (OTHER_VALUE without one)."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    held = managed_of(caller, number)
    meters = _meters(held.account.pk, caller.today)
    wanted = [one for one in meters if usage_point_id in (None, one.usage_point_id)]
    if len(wanted) != 1:
        raise Problem(422, "METER" if meters else "NO_METER")
    if value_wh % 1000:
        raise Problem(422, "INVALID", errors={"value_wh": "NUMBER"})
    if read_date > caller.today:
        raise Problem(422, "FUTURE_DATE")
    picture = photo.read() if photo is not None and (photo.size or 0) <= MOST_BYTES else None
    if photo is not None and picture is None:
        raise UploadRefused("SIZE")
    is_taken, reference = True, None
    try:
        submit_customer_reading(
            usage_point_id=wanted[0].usage_point_id, value_wh=value_wh, read_date=read_date, now=caller.now
        )
    except ReadingRefused as refused:
        if refused.code != "OTHER_VALUE" or picture is None:
            raise
        is_taken = False
    if picture is not None:
        reference = open_request(
            type_code="READING_DISPUTE",
            person=caller.person,
            account_id=held.account.pk,
            form={"read_on": read_date.isoformat(), "value_kwh": str(value_wh // 1000)},
            documents=[Upload("METER_PHOTO", picture)],
            via=Via.APP,
            language=Language[caller.lang],
            once_key=once_key,
            now=caller.now,
        ).reference
    return Status(
        201, ReadingTaken(is_taken=is_taken, value_wh=value_wh, read_date=read_date, request=reference)
    )


def _meters(account_id: int, today: dt.date) -> list[Meter]:
    """The meters of the account's agreements in force, by usage point. Two queries."""
    points = Agreement.objects.filter(account_id=account_id, start_date__lte=today).exclude(
        end_date__lte=today
    )
    standing = (
        MeterInstallation.objects.filter(
            usage_point__in=points.values("usage_point"), installed_on__lte=today
        )
        .exclude(removed_on__lte=today)
        .select_related("meter", "usage_point")
        .order_by("usage_point_id")
    )
    return [
        Meter(usage_point_id=one.usage_point_id, serial=one.meter.serial, address=one.usage_point.address)
        for one in standing
    ]
