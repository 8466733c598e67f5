"""Billing owns the bill run, bills, their documents and corrections.
It never edits a bill and never sends one.
run.py is the recipe; notifications carries the result to people.
"""
