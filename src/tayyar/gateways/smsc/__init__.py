"""The local SMSC: a message centre for the demo, the tests and the benchmarks, which speaks real SMPP 3.4.

It takes messages, answers, sends receipts and commits the faults it is told to; nothing goes to any phone. Start in
`server.py`; `process.py` runs it in a process of its own, `faults.py` says what can go wrong.
"""
