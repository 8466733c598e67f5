"""What every adapter to an identity or address authority needs: its entry, bounded calls, sealed references, tokens.

It knows no authority and never writes an identity number anywhere. Its ports are identity/ports.py. Next: the adapters
nafath, oidc, houwiyeti, national_address and identity_authority; config/authorities.py builds them.
"""
