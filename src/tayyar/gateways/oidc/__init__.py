"""Any OpenID Connect provider that proves identity: the browser goes there and comes back with a code.

It owns the authorization code flow with PKCE, state and nonce, and believes an ID token only when it is signed, meant
for us and of this very attempt. It never logs anyone in. Its port is identity/ports.py.
"""
