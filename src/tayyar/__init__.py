"""Tayyar: the customer platform of an electricity utility, from meter reading to delivered, paid bill."""

__version__ = "0.1.0"
