"""Any SMS provider that takes HTTP: described in the providers' file, not in code.

It owns the description's shape and how it is filled in, safely; it knows no provider by name. Next: `options.py`
reads the description, `client.py` hands over, `callback.py` reads receipts, notifications/receipts.py stores them.
"""
