"""What an SMSC's answers mean: codes as data (SMPP 3.4, 5.1.3; 3GPP TS 29.002 for a receipt's error).

`THROTTLED` ones are obeyed and offered again within the call. A number not listed may be mended by time, so the
message may be tried later; what is wrong with the sender or our set-up is no fault of a message's, so that too.
"""

from typing import Final

from tayyar.notifications.ports import Outcome, ReceiptState

OK: Final = 0x00
INVALID_COMMAND: Final = 0x03
WRONG_BIND_STATE: Final = 0x04
QUEUE_FULL: Final = 0x14
TOO_FAST: Final = 0x58
UNKNOWN_ERROR: Final = 0xFF
THROTTLED: Final = frozenset({QUEUE_FULL, TOO_FAST})

_LATER, _REFUSED, _BAD = Outcome.TRY_LATER, Outcome.REFUSED, Outcome.BAD_CONTACT
STATUSES: Final[dict[int, tuple[str, Outcome]]] = {
    0x01: ("MESSAGE_TOO_LONG", _REFUSED),
    0x02: ("BAD_PDU", _REFUSED),
    0x03: ("COMMAND_NOT_TAKEN", _LATER),
    0x04: ("NOT_BOUND", _LATER),
    0x06: ("BAD_PRIORITY", _REFUSED),
    0x07: ("RECEIPT_NOT_OFFERED", _REFUSED),
    0x08: ("SERVER_ERROR", _LATER),
    0x0A: ("SENDER_REFUSED", _LATER),
    0x0B: ("BAD_ADDRESS", _BAD),
    0x0C: ("BAD_MESSAGE_ID", _REFUSED),
    0x14: ("THROTTLED", _LATER),
    0x15: ("SERVICE_TYPE_REFUSED", _LATER),
    0x33: ("BAD_ADDRESS", _REFUSED),
    0x43: ("BAD_CONTENT", _REFUSED),
    0x45: ("SUBMIT_FAILED", _LATER),
    0x48: ("SENDER_REFUSED", _LATER),
    0x49: ("SENDER_REFUSED", _LATER),
    0x50: ("BAD_ADDRESS", _REFUSED),
    0x51: ("BAD_ADDRESS", _REFUSED),
    0x53: ("SYSTEM_TYPE_REFUSED", _LATER),
    0x58: ("THROTTLED", _LATER),
    0x61: ("BAD_SCHEDULE", _REFUSED),
    0x62: ("BAD_VALIDITY", _REFUSED),
    0x64: ("SERVER_ERROR", _LATER),
    0x65: ("REFUSED", _REFUSED),
    0x66: ("REFUSED", _REFUSED),
    0xC0: ("BAD_PDU", _REFUSED),
    0xC1: ("BAD_PDU", _REFUSED),
    0xC2: ("BAD_PDU", _REFUSED),
    0xC3: ("BAD_PDU", _REFUSED),
    0xC4: ("BAD_PDU", _REFUSED),
    0xFE: ("DELIVERY_FAILED", _LATER),
    0xFF: ("UNKNOWN_ERROR", _LATER),
}


def meaning(status: int) -> tuple[str, Outcome]:
    """(reason, outcome) of a status that is neither OK nor a throttle: 0x0B -> ("BAD_ADDRESS", BAD_CONTACT)."""
    return STATUSES.get(status) or (f"STATUS_{status:04X}", _LATER)


# A receipt's stat, as spelled in its text -> (what we call it, our reason). SMPP 3.4, appendix B and 5.2.28.
STATES: Final[dict[str, tuple[ReceiptState, str]]] = {
    "ENROUTE": (ReceiptState.SENT, ""),
    "ACCEPTD": (ReceiptState.SENT, ""),  # somebody else has it; nobody saw it yet
    "DELIVRD": (ReceiptState.DELIVERED, ""),
    "EXPIRED": (ReceiptState.EXPIRED, "EXPIRED"),
    "DELETED": (ReceiptState.FAILED, "DELETED"),
    "UNDELIV": (ReceiptState.FAILED, "UNDELIVERABLE"),
    "UNKNOWN": (ReceiptState.FAILED, "STATE_UNKNOWN"),
    "REJECTD": (ReceiptState.FAILED, "REJECTED"),
}
# The same as message_state, the TLV.
STATE_BY_NUMBER: Final = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}

NO_SUCH_NUMBER: Final = "NO_SUCH_NUMBER"
# A receipt's err without leading zeros -> our reason: 3GPP TS 29.002 as many SMSCs spell it. The option
# `receipt_errors` replaces it, for every operator has a list of its own. NO_SUCH_NUMBER alone means BAD_CONTACT.
ERRORS: Final = {
    "1": NO_SUCH_NUMBER,
    "5": "SUBSCRIBER_UNIDENTIFIED",
    "6": "PHONE_OFF",
    "9": "SUBSCRIBER_BARRED",
    "11": "NO_SMS_SERVICE",
    "12": "PHONE_BARRED",
    "13": "CALLS_BARRED",
    "21": "NO_SMS_SERVICE",
    "27": "PHONE_OFF",
    "31": "PHONE_BUSY",
    "32": "PHONE_FULL",
    "34": "NETWORK_ERROR",
}
