"""Customers owns who is supplied: customers, their accounts, agreements and contact points.
It never charges and never sends.
The bill run reads agreements; notifications reads contact points.
"""
