"""E-mail over SMTP: several connections with pipelining, how each mail ended, and what comes back of it.

It owns the wire, the shape of a mail (MIME) and the reading of bounces and complaints. It never chooses what to say,
to whom, or whether to try again. Its port is notifications/ports.py; results and receipts go back there.
"""
