"""The columns that go to and come from PostgreSQL in bulk, with their types, in COPY order."""

from tayyar.core.frames import Shape

AGREEMENTS: Shape = {
    "agreement_id": "int8",
    "account_id": "int8",
    "usage_point_id": "int8",
    "category": "int2",
    "agreement_start": "date",
    "agreement_end": "date",
    "language": "int2",
    "entitled": "bool",
    "breaker_a": "int4",
    "service_centre_id": "int4",
    "single_minor": "int8",
}
CHANNELS: Shape = {"account_id": "int8", "channels": "int2"}
READINGS: Shape = {
    "usage_point_id": "int8",
    "meter_id": "int8",
    "register": "int2",
    "read_date": "date",
    "value_wh": "int8",
    "quality": "int2",
}
INSTALLATIONS: Shape = {
    "usage_point_id": "int8",
    "meter_id": "int8",
    "installed_on": "date",
    "removed_on": "date",
    "opening_wh": "int8",
    "closing_wh": "int8",
    "multiplier": "int4",
    "digits": "int2",
}
# The newest bill of each agreement, with its first register segment; more segments are fetched apart.
PRIORS: Shape = {
    "agreement_id": "int8",
    "account_id": "int8",
    "number": "int8",
    "revision": "int2",
    "period": "int4",
    "prior_start": "date",
    "prior_end": "date",
    "billed_to_date_minor": "int8",
    "recent_daily_wh": "int8",
    "year_wh": "int8",
    "segments": "int4",
    "meter_id": "int8",
    "code": "int8",
    "dates": "int8",
    "from_wh": "int8",
    "to_wh": "int8",
}
BILLS: Shape = {
    "period": "int4",
    "agreement_id": "int8",
    "account_id": "int8",
    "number": "int8",
    "service_centre_id": "int4",
    "tariff": "int4",
    "start_date": "date",
    "end_date": "date",
    "issue_date": "date",
    "due_date": "date",
    "energy_wh": "int8",
    "energy_minor": "int8",
    "fixed_minor": "int8",
    "subsidy_minor": "int8",
    "tax_minor": "int8",
    "total_minor": "int8",
    "support_minor": "int8",
    "balance_before_minor": "int8",
    "billed_to_date_minor": "int8",
    "recent_daily_wh": "int8",
    "year_wh": "int8",
    "revision": "int2",
    "kind": "int2",
    "category": "int2",
    "lines": "int8[]",
    "readings": "int8[]",
}
TRANSFERS: Shape = {
    "period": "int4",
    "kind": "int2",
    "ref": "int8",
    "debit_account_id": "int8",
    "credit_account_id": "int8",
    "amount_minor": "int8",
    "posted_at": "timestamptz",
}
MESSAGES: Shape = {
    "period": "int4",
    "kind": "int2",
    "ref": "int8",
    "recipient": "int2",
    "account_id": "int8",
    "language": "int2",
    "step": "int2",
    "channel": "int2",
    "state": "int2",
    "created_at": "timestamptz",
}
NO_END = "DATE '9999-12-31'"  # stands for NULL in an end date, so that every column has a fixed size
