"""A meter reading that a person sends, with a photo where they have one.

Owns /me/readings. Holds no rule: metering takes the value, requests takes the photo (checked and made anew there) as a
READING_DISPUTE for a person to look at. The form is safe to send twice. Next: templates/portal/me_reading.html.
"""

import datetime as dt
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from tayyar.claims.queries import Held
from tayyar.core import clock
from tayyar.customers.models import Agreement, Language
from tayyar.metering.models import MeterInstallation
from tayyar.metering.services import ReadingRefused, submit_customer_reading
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.me_accounts import choose, local_now, say, short_day, words_of
from tayyar.portal.parts import Choice, Field
from tayyar.requests.documents import MOST_BYTES, Upload, UploadRefused
from tayyar.requests.errors import FormRefused, RequestRefused
from tayyar.requests.models import ServiceRequest, Via
from tayyar.requests.opening import open_request

_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
LONGEST_KEY = 64


@dataclass(frozen=True, slots=True)
class _Meter:
    """A meter that stands at one of the account's usage points."""

    usage_point_id: int
    serial: str
    place: str


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def reading(screen: MyScreen) -> HttpResponse:
    """The form, and what became of it."""
    typed = screen.request.POST.get("account") or screen.request.GET.get("account")
    chosen = choose(screen, typed)
    words = words_of(screen)
    if chosen is None:
        if typed is not None:
            return screen.gone()
        return screen.page("portal/me_reading.html", {"title": words["reading_title"], "m": words})
    held = chosen.held
    if not (held.is_open and held.may_manage):
        return screen.gone()
    meters = _meters(held.account.pk, local_now(screen).date())
    if screen.request.method == "POST" and meters:
        return _take(screen, held, meters)
    return _form(screen, held, meters, {}, {})


def _meters(account_id: int, today: dt.date) -> list[_Meter]:
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
    return [_Meter(one.usage_point_id, one.meter.serial, one.usage_point.address) for one in standing]


def _take(screen: MyScreen, held: Held, meters: list[_Meter]) -> HttpResponse:
    posted = screen.request.POST
    wrong: dict[str, str] = {}
    value = posted.get("value", "").translate(_DIGITS).strip()
    if not value.isascii() or not value.isdecimal() or len(value) > 9:
        wrong["value"] = "NUMBER"
    try:
        day = dt.date.fromisoformat(posted.get("day", "").translate(_DIGITS))
    except ValueError:
        day = dt.date.min
        wrong["day"] = "DATE"
    if day > local_now(screen).date():
        wrong["day"] = "FUTURE_DATE"
    meter = next((m for m in meters if str(m.usage_point_id) == posted.get("point")), None)
    if meter is None:
        return screen.gone()
    photo = screen.request.FILES.get("photo")
    if photo is not None and (photo.size or 0) > MOST_BYTES:
        wrong["photo"] = "PHOTO"
    if wrong:
        return _form(screen, held, meters, posted.dict(), wrong)
    picture = photo.read() if photo is not None else b""
    now = clock.now()
    taken, refused = True, ""
    try:
        submit_customer_reading(
            usage_point_id=meter.usage_point_id, value_wh=int(value) * 1000, read_date=day, now=now
        )
    except ReadingRefused as error:
        if error.code != "OTHER_VALUE" or not picture:
            field = "day" if error.code in ("FUTURE_DATE", "NO_METER") else "value"
            return _form(screen, held, meters, posted.dict(), {field: error.code})
        taken, refused = False, error.code
    request = None
    if picture:
        try:
            request = _ask(screen, held, int(value), day, picture, posted.get("key", ""), now)
        except (UploadRefused, RequestRefused, FormRefused) as error:
            is_many = isinstance(error, RequestRefused) and error.reason == "TOO_MANY"
            return _form(screen, held, meters, posted.dict(), {"photo": "TOO_MANY" if is_many else "PHOTO"})
    return _done(screen, held, int(value), day, request, is_taken=taken and not refused)


def _ask(
    screen: MyScreen, held: Held, value_kwh: int, day: dt.date, picture: bytes, key: str, now: dt.datetime
) -> ServiceRequest:
    """The photo and what it shows, for a person of the utility to look at."""
    return open_request(
        type_code="READING_DISPUTE",
        person=screen.person,
        account_id=held.account.pk,
        form={"read_on": day.isoformat(), "value_kwh": str(value_kwh)},
        documents=[Upload("METER_PHOTO", picture)],
        via=Via.WEB,
        language=Language[screen.lang],
        once_key=key[:LONGEST_KEY] or None,
        now=now,
    )


def _done(
    screen: MyScreen,
    held: Held,
    value_kwh: int,
    day: dt.date,
    request: ServiceRequest | None,
    *,
    is_taken: bool,
) -> HttpResponse:
    words = words_of(screen)
    text = say(words["reading_done_text"], value=screen.num(value_kwh), day=short_day(screen, day))
    if request and is_taken:
        text = say("{done} {more}", done=text, more=words["reading_done_photo"])
    return screen.page(
        "portal/me_reading.html",
        {
            "title": words["reading_done_title" if is_taken else "reading_asked_title"],
            "m": words,
            "number": held.account.number,
            "done": text if is_taken else words["reading_asked_text"],
            "reference": request.reference if request else "",
        },
    )


def _form(
    screen: MyScreen, held: Held, meters: list[_Meter], typed: Mapping[str, str], wrong: Mapping[str, str]
) -> HttpResponse:
    """The form as it was typed, each field with what is wrong about it."""
    words = words_of(screen)
    errors = {name: words[f"reading_{code}"] for name, code in wrong.items()}
    today = local_now(screen).date().isoformat()
    point = typed.get("point") or (str(meters[0].usage_point_id) if meters else "")
    fields = {
        "value": Field(
            "value",
            words["reading_value"],
            value=typed.get("value", ""),
            error=errors.get("value", ""),
            is_code=True,
            inputmode="numeric",
            longest=9,
        ),
        "day": Field(
            "day",
            words["reading_day"],
            value=typed.get("day", today),
            error=errors.get("day", ""),
            type="date",
        ),
        "photo": Field(
            "photo",
            words["reading_photo"],
            hint=words["reading_photo_hint"],
            error=errors.get("photo", ""),
            type="file",
            required=False,
            accept="image/jpeg,image/png,image/webp",
        ),
    }
    if len(meters) > 1:
        names = [Choice(str(m.usage_point_id), _name(screen, m)) for m in meters]
        fields["point"] = Field("point", words["reading_point"], value=point, choices=names)
    return screen.page(
        "portal/me_reading.html",
        {
            "title": words["reading_title"],
            "m": words,
            "number": held.account.number,
            "meter": _name(screen, meters[0]) if len(meters) == 1 else "",
            "point": point,
            "has_meter": bool(meters),
            "fields": fields,
            "problems": list(errors.items()),
            "key": typed.get("key") or secrets.token_urlsafe(24),
        },
        status=422 if wrong else 200,
    )


def _name(screen: MyScreen, meter: _Meter) -> str:
    return words_of(screen)["reading_meter"].format(serial=meter.serial, place=meter.place)
