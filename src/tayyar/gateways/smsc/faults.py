"""What the local SMSC does wrong, as data that fits a command line and a control connection."""

import dataclasses
import json
from dataclasses import dataclass

from tayyar.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares are between 0 and 1, of messages taken one by one at random (but the same for the same seed).

    Answers: above `permitted_per_second` messages (0: any number) and every `throttle_every`-th are answered with
    `throttle_status`; `fail_share` with `fail_status`; numbers ending in `refused_suffix` with "invalid destination".
    `hang_share` are neither taken nor answered, `lost_answer_share` are taken and not answered; answers come after
    `answer_delay_seconds`. Each connection is cut after `disconnect_after` messages, the last of them taken but none
    that came with it answered. `refuse_binds` refuses those that come.

    Receipts: they come after `receipt_delay_seconds`; `undeliverable_share` say UNDELIV, as do those of numbers ending
    in `unknown_suffix`, with err 001 (no such number); `missing_receipt_share` never come, `duplicate_receipt_share`
    come twice; `reordered_receipts` come in any order, `receipts_first` before the message's answer. With `hex_ids`
    the answer says hexadecimal what the receipt says decimal; without `tlvs` a receipt is its text alone.
    """

    permitted_per_second: int = 0
    throttle_every: int = 0
    throttle_status: int = 0x58
    fail_share: float = 0.0
    fail_status: int = 0x08
    refused_suffix: str = ""
    hang_share: float = 0.0
    lost_answer_share: float = 0.0
    answer_delay_seconds: float = 0.0
    disconnect_after: int = 0
    refuse_binds: bool = False
    receipt_delay_seconds: float = 0.0
    undeliverable_share: float = 0.0
    unknown_suffix: str = ""
    missing_receipt_share: float = 0.0
    duplicate_receipt_share: float = 0.0
    reordered_receipts: bool = False
    receipts_first: bool = False
    hex_ids: bool = False
    tlvs: bool = True

    def to_json(self) -> str:
        """Those that are not as usual."""
        usual = Faults()
        given = dataclasses.asdict(self).items()
        return json.dumps({name: value for name, value in given if value != getattr(usual, name)})

    @classmethod
    def from_json(cls, text: str) -> "Faults":
        """UserError when a name is unknown or a value of another type."""
        try:
            given = json.loads(text)
            for name, value in given.items():
                kind = type(getattr(cls(), name))
                if not isinstance(value, kind) and not (kind is float and isinstance(value, int)):
                    raise UserError(f"The fault {name} cannot be {value!r}.")
            return cls(**given)
        except (ValueError, AttributeError) as error:
            raise UserError(f"These faults cannot be read: {error}.") from None
