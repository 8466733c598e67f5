"""Nafath, the Saudi identity app: the person picks the number that we show, and Nafath says who they are.

It owns the wire to Nafath's MFA service: requests, their status, and the signed token that it calls us with. It never
keeps an identity number but sealed. Its port is identity/ports.py; callback_views.py is where Nafath calls.
"""
