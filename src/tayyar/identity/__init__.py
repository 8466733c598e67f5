"""Identity owns who a user of the portal is: sign-up, proof by an authority, codes, businesses and their members.
It never decides what a person may see (claims) and keeps no identity document, only its sealed number.
Authorities stand behind ports.py; the faces are portal, kiosk and api.
"""
