"""Web push: messages to browsers, encrypted for each (RFC 8291) and signed for their push service (RFC 8292).

It owns the wire to any push service, and keeps away from every host that is not public. It never chooses what to say.
Its port is notifications/ports.py; the service worker portal/static/portal/sw.js shows what arrives.
"""
