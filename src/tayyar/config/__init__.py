"""Config wires the house: settings, addresses, the command line, gateways to their ports.
It holds no rule.
Start reading at cli.py.
"""
