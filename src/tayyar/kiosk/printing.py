"""Where a slip goes: to the machine's network printer, or as a file to the program beside the browser.

The address of a network printer is an operator's, checked in devices/services.py; nothing a visitor types gets here.
No transaction is open while the printer is spoken to. Next: bills.py and asks.py say how it went.
"""

import logging
import socket

from django.http import HttpResponse

from tayyar.core.errors import UserError

log = logging.getLogger(__name__)
PORT = 9100  # raw printing, as network receipt printers offer it
TIMEOUT = 4.0  # seconds for each step; a person stands and waits


class PrinterSilent(UserError):
    """The printer could not be reached, or did not take all of it."""


def send(address: str, data: bytes) -> None:
    """Give the bytes to the printer at that private address. PrinterSilent when it does not take them in time."""
    try:
        with socket.create_connection((address, PORT), timeout=TIMEOUT) as printer:
            printer.sendall(data)
            printer.shutdown(socket.SHUT_WR)
    except OSError as error:
        raise PrinterSilent(
            f"The printer at {address} does not answer: {error}. Look at its cable and paper."
        ) from error


def as_file(data: bytes, *, name: str, media_type: str = "application/octet-stream") -> HttpResponse:
    """A download that the machine's print bridge picks up (docs/kiosk.md)."""
    response = HttpResponse(data, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
