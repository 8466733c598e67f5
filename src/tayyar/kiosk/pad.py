"""Our own number pad: its keys are buttons of the form, so that it types with a finger, a keyboard and no script.

A key that is pressed without a script comes as `key` with what was typed so far; the page comes back with one digit
more or fewer. With a script static/kiosk/kiosk.js does the same in place.
"""

from django.http import HttpRequest

from tayyar.core.text import LANGUAGES

KEYS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "CLEAR", "0", "BACK")
MOST = 20


def typed(request: HttpRequest) -> tuple[str, bool]:
    """The digits typed so far, and whether a key was pressed rather than the form sent."""
    digits = "".join(str(int(c)) for c in request.POST.get("number", "") if c.isdecimal())[:MOST]
    key = request.POST.get("key", "")
    if key == "CLEAR":
        digits = ""
    elif key == "BACK":
        digits = digits[:-1]
    elif len(key) == 1 and key in "0123456789":
        digits = (digits + key)[:MOST]
    return digits, key != ""


def known_language(code: str) -> str:
    """A language that the kiosk speaks; Arabic for anything else."""
    return code if code in LANGUAGES else LANGUAGES[0]
