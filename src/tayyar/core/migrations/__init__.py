"""Schema history of this module."""
