"""The simulated push service, and the browsers behind it: for the demo and the tests, at 127.0.0.1 only.

It checks what a real service checks (signature, lifetime, size), opens each message as the browser would, and commits
the faults it is told to. It forwards nothing. Next: server.py; gateways/webpush is its usual client.
"""
