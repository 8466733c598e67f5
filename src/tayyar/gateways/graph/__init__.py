"""A simulated WhatsApp Graph server: checks payloads as Meta does, answers, sends signed statuses by webhook.

It owns its list of templates, its log and the faults it is told to commit; it reaches nobody. Next: `checks.py`
judges a payload, `server.py` is the server and the process; gateways/whatsapp is its usual client.
"""
