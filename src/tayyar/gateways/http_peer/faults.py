"""What goes wrong at a simulated provider, and how its receipts come. Shares are of 1; 1.0 is every time."""

import random
import re
from dataclasses import asdict, dataclass, fields

from tayyar.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Faults:
    """How the provider behaves. Patterns are regular expressions looked for in the recipient's number.

    Answers: `error_share` get a 500, `throttle_share` "too fast", as does everything beyond `permitted_per_second`
    units in any second (0: no limit); `hang_share` none for `hang_seconds`, `cut_share` none at all, the connection
    being cut once the request was read. With `lost_after_taking` hung and cut messages were taken, without it not.
    Numbers matching `refuse` are refused with `refuse_code`; those matching `undeliverable` are taken and reported
    failed with `undeliverable_code` (0: the provider's own for a number that it cannot reach).

    Receipts: each comes `receipt_delay_seconds` after the one before; `read_share` of the delivered are read;
    `missing_share` get none, `duplicate_share` each twice, `reorder_share` the last one first, and
    `early_share` before the answer.
    """

    delay_seconds: float = 0.0
    error_share: float = 0.0
    throttle_share: float = 0.0
    permitted_per_second: int = 0
    hang_share: float = 0.0
    hang_seconds: float = 60.0
    cut_share: float = 0.0
    lost_after_taking: bool = True
    refuse: str = ""
    refuse_code: int = 0
    undeliverable: str = ""
    undeliverable_code: int = 0
    receipt_delay_seconds: float = 0.2
    read_share: float = 0.0
    missing_share: float = 0.0
    duplicate_share: float = 0.0
    reorder_share: float = 0.0
    early_share: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """As JSON takes it; `read_faults` is the way back."""
        return asdict(self)


def read_faults(raw: object) -> Faults:
    """Faults from JSON. UserError for a name there is none of, a value of another kind, or a broken pattern."""
    if not isinstance(raw, dict):
        raise UserError('Faults are a JSON object such as {"error_share": 0.1}.')
    known = {field.name: field.type for field in fields(Faults)}
    for name, value in raw.items():
        if name not in known:
            raise UserError(f"There is no fault {name!r}. There are {', '.join(known)}.")
        right = {float: (int, float), int: int, bool: bool, str: str}[known[name]]  # type: ignore[index]
        if not isinstance(value, right) or (isinstance(value, bool) and known[name] is not bool):  # type: ignore[arg-type]
            raise UserError(f"{name} cannot be {value!r}.")
        if known[name] is str:
            try:
                re.compile(value)
            except re.error as error:
                raise UserError(f"{name} is no regular expression: {error}.") from None
    return Faults(**raw)


class Dice:
    """Decides which message a share hits; the same messages in the same order meet the same fate."""

    def __init__(self) -> None:
        self._random = random.Random(1)  # noqa: S311 - a dice, no secret

    def hits(self, share: float) -> bool:
        """Whether this one is among the share."""
        return share > 0 and self._random.random() < share
