"""Houwiyeti, Mauritania's identity service: a person is looked up by number; our code goes to the phone it has.

It owns the wire to `getPersonne`. The operation and its header are known, the names of its fields are not public:
those used here are to be confirmed with the operator (docs/identity-authorities.md). Its port is identity/ports.py.
"""
