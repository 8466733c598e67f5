"""The local mailbox: a real SMTP server for the demo and the tests, which keeps each mail as a file.

It owns the folder it stores into and, for tests, the faults it is told to commit. It never forwards a mail.
Next: `server.py` for the server, `reading.py` for what arrived; the SMTP gateway is its usual client.
"""
