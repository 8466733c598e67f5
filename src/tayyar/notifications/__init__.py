"""Notifications owns what must be told and whether it was: messages, deliveries, receipts.
It never talks to a provider itself; gateways do, behind its port.
The bill run queues messages here; workers deliver them.
"""
