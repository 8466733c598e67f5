"""Adding, enrolling and revoking machines. The only writer of Device.

An operator adds a machine and reads an enrolment code from the console; the machine types it once and gets its key.
Codes and keys are kept as keyed hashes only. Who may call is the console's rule. Next: kiosk/door.py asks `device_of`.
"""

import datetime as dt
import ipaddress
import secrets

from django.db import transaction

from tayyar.core import audit, crypto
from tayyar.core.errors import UserError
from tayyar.devices.models import Device
from tayyar.metering.models import ServiceCentre

CODE_DIGITS = 8
CODE_VALID = dt.timedelta(minutes=10)
SEEN_EVERY = dt.timedelta(minutes=1)  # a machine asks often: `last_seen_at` is written no oftener
# Where a printer may stand. Not `is_private`: that takes ::ffff:127.0.0.1, and so this machine, for private.
_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_CODE_FIELD, _KEY_FIELD = "devices.device.code", "devices.device.key"


class DeviceRefused(UserError):
    """A machine that cannot be added. `reason`: NAME, CENTRE, TAKEN (an enrolled one has the name), PRINTER."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@transaction.atomic
def add_device(
    *,
    name: str,
    service_centre_id: int,
    receipt_printer: str,
    prints_pages: bool,
    actor: str,
    now: dt.datetime,
) -> tuple[Device, str]:
    """A machine that waits to be enrolled, and its code: 8 digits, valid 10 minutes, shown once.

    The same name in the same centre again, while it is not enrolled, is the same machine with a new code.
    DeviceRefused for an empty name, an unknown centre, a printer outside private networks, a name that is in use.
    """
    name = " ".join(name.split())
    if not 1 <= len(name) <= 60 or "\0" in name:
        raise DeviceRefused("NAME", "A device has a name of at most 60 letters, such as: Hall, by the door.")
    if not ServiceCentre.objects.filter(id=service_centre_id).exists():
        raise DeviceRefused("CENTRE", "Choose the service centre from the list.")
    printer = private_address(receipt_printer)
    known = (
        Device.objects.select_for_update()
        .filter(service_centre_id=service_centre_id, name=name, revoked_at=None)
        .first()
    )
    if known and known.enrolled_at:
        raise DeviceRefused(
            "TAKEN", f"{name} is enrolled in this centre already. Revoke it first, or choose another name."
        )
    device = known or Device(name=name, service_centre_id=service_centre_id, added_at=now)
    device.receipt_printer, device.prints_pages = printer, prints_pages
    device.save()
    if not known:
        _record(device, "DEVICE_ADDED", actor, now, centre=service_centre_id)
    return device, _give_code(device, actor, now)


@transaction.atomic
def new_code(*, device_id: int, actor: str, now: dt.datetime) -> tuple[Device, str]:
    """Another code, for a machine that lost its key or came too late. Its old key works until the code is used."""
    device = Device.objects.select_for_update().filter(id=device_id, revoked_at=None).first()
    if device is None:
        raise UserError("There is no such device, or it was revoked. Add it anew.")
    return device, _give_code(device, actor, now)


@transaction.atomic
def enrol(*, code: str, now: dt.datetime) -> tuple[Device, str] | None:
    """The machine whose code this is and its new key; None when it is no code, was used, or has expired."""
    digits = "".join(str(int(c)) for c in code if c.isdecimal())
    if len(digits) != CODE_DIGITS:
        return None
    device = (
        Device.objects.select_for_update()
        .filter(code_hash=_hash(digits, _CODE_FIELD), code_expires_at__gt=now, revoked_at=None)
        .first()
    )
    if device is None:
        return None
    key = secrets.token_urlsafe(32)
    device.key_hash, device.enrolled_at, device.last_seen_at = _hash(key, _KEY_FIELD), now, now
    device.code_hash = device.code_expires_at = None
    device.save()
    _record(device, "DEVICE_ENROLLED", f"kiosk:{device.pk}", now)
    return device, key


def device_of(*, key: str, now: dt.datetime) -> Device | None:
    """The machine that has this key, now seen; None for every key that is not valid any more."""
    if not 40 <= len(key) <= 50:
        return None
    device = Device.objects.filter(key_hash=_hash(key, _KEY_FIELD), revoked_at=None).first()
    if device and (device.last_seen_at is None or now - device.last_seen_at >= SEEN_EVERY):
        Device.objects.filter(id=device.pk).update(last_seen_at=now)
    return device


@transaction.atomic
def revoke(*, device_id: int, actor: str, now: dt.datetime) -> None:
    """Its next request is refused. Revoking again changes nothing; UserError when there is no such device."""
    device = Device.objects.select_for_update().filter(id=device_id).first()
    if device is None:
        raise UserError("There is no such device.")
    if device.revoked_at is None:
        device.revoked_at, device.key_hash = now, None
        device.code_hash = device.code_expires_at = None
        device.save()
        _record(device, "DEVICE_REVOKED", actor, now)


def private_address(text: str) -> str | None:
    """A printer's address as digits ("10.1.20.31"); None for none. DeviceRefused outside private networks.

    Names are refused, so that nobody can move the machine's receipts elsewhere through the name service.
    """
    if not text.strip():
        return None
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        raise DeviceRefused(
            "PRINTER", "A printer's address is written in numbers, like 10.1.20.31."
        ) from None
    if not any(address in network for network in _PRIVATE if network.version == address.version):
        raise DeviceRefused(
            "PRINTER", "The printer must stand in a private network, such as 10.x.x.x or 192.168.x.x."
        )
    return str(address)


def _give_code(device: Device, actor: str, now: dt.datetime) -> str:
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    device.code_hash, device.code_expires_at = _hash(code, _CODE_FIELD), now + CODE_VALID
    device.save(update_fields=["code_hash", "code_expires_at"])
    _record(device, "DEVICE_CODE_GIVEN", actor, now)
    return code


def _hash(secret: str, field: str) -> bytes:
    return crypto.lookup_hash(secret, field=field)


def _record(device: Device, action: str, actor: str, now: dt.datetime, **detail: object) -> None:
    audit.record(actor=actor, action=action, subject=f"device:{device.pk}", now=now, **detail)
