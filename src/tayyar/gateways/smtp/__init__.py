"""E-mail over SMTP: one connection, kept open, sending batches and telling how each mail ended.

It owns the wire and the shape of a mail (MIME). It never chooses what to say, to whom, or whether to try again.
Its port is notifications/ports.py; results go back to notifications/services.py.
"""
