"""The utility's self-service machines: which there are, where they stand, and what lets one in.

Owns devices, their enrolment codes and their keys. Never knows a subscriber. Next: console/devices.py manages them,
kiosk/ serves them.
"""
