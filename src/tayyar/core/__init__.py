"""Ground floor: money, periods, clock, reference numbers, audit log, encrypted fields, frames.

Owns what every module needs and none may redefine. Never knows a bill, a tariff or a customer.
Everything above imports from here; nothing here imports from above.
"""
