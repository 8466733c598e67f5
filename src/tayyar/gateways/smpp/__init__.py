"""SMS over SMPP 3.4: our side of the wire to an operator's message centre (SMSC).

It owns the protocol and its connections, no rule of the business and no store. Start in `gateway.py`; `bind.py` is
one connection, `codec.py` the PDUs, `receipts.py` what a delivery receipt says, `codes.py` what an answer means.
"""
