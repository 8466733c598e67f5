"""SMS over SMPP 3.4: our side of the wire to an operator's message centre (SMSC).

It owns the protocol and its connections, no rule of the business and no store. Start in `gateway.py`; `binds.py`
keeps connections, `inbox.py` what comes unasked, `codec.py` has the PDUs and `codes.py` what an answer means.
"""
