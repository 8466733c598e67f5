"""Simulated providers that speak HTTP, for the demo and the tests: what they share, and an HTTP SMS provider.

They own a log of what they were handed and the faults they are told to commit; they send nothing to anybody. Next:
`peer.py` takes messages, `receipts.py` tells of them, `sms.py` is the SMS provider, gateways/graph Meta's.
"""
