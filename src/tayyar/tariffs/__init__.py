"""Dated tariff documents in, exact charges out.

Owns prices: reading tariff documents, choosing the one in force, and the vectorised charge kernel.
Never knows a customer, a meter or a bill. The flow goes next to `tayyar.billing`, which calls `kernel.charge`.
"""
