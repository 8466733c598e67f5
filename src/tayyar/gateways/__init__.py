"""Gateways talk to the outside: one folder per outside party, each behind a port of a module below.
They hold no rule of the business.
config wires them to their ports.
"""
