"""The Saudi National Address service: whether an address is there, and how it is written in Arabic and English.

It owns the wire to the public service, which knows buildings, not people: it never says who lives where. Its port is
identity/ports.py.
"""
