"""The WhatsApp Cloud API: approved templates out, statuses in by webhook.

It owns Meta's payloads and error codes; it never chooses a template, a channel or a time, and stores nothing.
Next: `client.py` hands over, `webhook.py` reads what Meta tells, notifications/receipts.py stores it.
"""
