"""The local identity and address authority, for the demo and the tests, at 127.0.0.1 only; and the adapter to it.

It makes up a person for every identity number, always the same one, and commits the faults it is told to. It knows
nobody. Next: people.py says who has which number, server.py answers, client.py asks; docs/identity-authorities.md.
"""

HOST = "127.0.0.1"
KEY_HEADER = "X-Api-Key"
