"""The console's page of self-service machines: add one, give an enrolment code, revoke at once, see when each was seen.

An enrolment code is shown on the answer to the form that made it, and nowhere again. Holds no rule.
Next: devices/services.py.
"""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from tayyar.console.screen import NO_VALUE, Screen, staff
from tayyar.core import clock
from tayyar.devices import services
from tayyar.devices.models import Device
from tayyar.metering.models import ServiceCentre

MOST_REVOKED = 20  # of those that are gone, the latest


@require_safe
@staff()
def devices(screen: Screen) -> HttpResponse:
    """Every machine, and the form that adds one."""
    return _page(screen)


@require_POST
@staff(acting=True)
def add(screen: Screen) -> HttpResponse:
    """A machine and its enrolment code."""
    form = screen.request.POST
    centre = form.get("centre", "")
    try:
        device, code = services.add_device(
            name=form.get("name", ""),
            service_centre_id=int(centre) if centre.isdecimal() and len(centre) < 10 else 0,
            receipt_printer=form.get("printer", ""),
            prints_pages="pages" in form,
            actor=screen.actor,
            now=clock.now(),
        )
    except services.DeviceRefused as refusal:
        return _page(screen, problem=screen.words[f"device_{refusal.reason}"])
    return _page(screen, device=device, code=code)


@require_POST
@staff(acting=True)
def new_code(screen: Screen, device_id: int) -> HttpResponse:
    """Another code for a machine that lost its key or came too late."""
    device, code = services.new_code(device_id=device_id, actor=screen.actor, now=clock.now())
    return _page(screen, device=device, code=code)


@require_POST
@staff(acting=True)
def revoke(screen: Screen, device_id: int) -> HttpResponse:
    """Shut a machine out, at once."""
    services.revoke(device_id=device_id, actor=screen.actor, now=clock.now())
    messages.success(screen.request, screen.words["device_revoked_done"])
    return redirect("console:devices")


def _page(screen: Screen, *, device: Device | None = None, code: str = "", problem: str = "") -> HttpResponse:
    known = Device.objects.select_related("service_centre").order_by("service_centre__code", "name", "id")
    standing = list(known.filter(revoked_at=None))
    revoked = list(known.filter(revoked_at__isnull=False).order_by("-revoked_at")[:MOST_REVOKED])
    context = {
        "title": screen.words["devices_title"],
        "truth": screen.say(
            "devices_truth", count=screen.num(sum(d.enrolled_at is not None for d in standing))
        ),
        "rows": [_row(screen, found) for found in (*standing, *revoked)],
        "centres": [
            {"id": centre.pk, "name": _centre_name(screen, centre)}
            for centre in ServiceCentre.objects.order_by("code")
        ],
        "problem": problem,
        "form": screen.request.POST if problem else {},
    }
    if device and code:
        minutes = int(services.CODE_VALID.total_seconds()) // 60
        context["code"] = f"{code[:4]} {code[4:]}"
        context["code_text"] = screen.say(
            "device_code_text", name=device.name, minutes=screen.num(minutes), address=_kiosk_address(screen)
        )
    return screen.page("console/devices.html", context, status=422 if problem else 200)


def _row(screen: Screen, device: Device) -> dict[str, Any]:
    if device.revoked_at:
        state = "REVOKED"
    elif device.enrolled_at:
        state = "ENROLLED"
    else:
        state = "WAITING"
    return {
        "id": device.pk,
        "name": device.name,
        "centre": _centre_name(screen, device.service_centre),
        "state": state,
        "state_text": screen.words[f"device_state_{state}"],
        "seen": screen.moment(device.last_seen_at) if device.last_seen_at else NO_VALUE,
        "printer": device.receipt_printer or screen.words["device_bridge"],
        "pages": screen.words["device_yes" if device.prints_pages else "device_no"],
    }


def _centre_name(screen: Screen, centre: ServiceCentre) -> str:
    return str(getattr(centre, f"name_{screen.lang}"))


def _kiosk_address(screen: Screen) -> Any:
    return screen.code(screen.request.build_absolute_uri("/kiosk/"))
