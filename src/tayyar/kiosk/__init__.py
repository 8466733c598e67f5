"""Pages of the self-service machines in service centres: a visit of a few minutes, forgotten when it ends.

Owns the visit and its clock. Holds no rule of bills, codes or requests. A visit is no login and opens nothing outside
/kiosk. Next: door.py (which machine, which visit), urls.py.
"""
