"""The console is the staff's face: the bill run live, the held list, the certificate.
It holds no rule: a view parses, asks one query or service, renders.
Commands and tasks do the work.
"""
