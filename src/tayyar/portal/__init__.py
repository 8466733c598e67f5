"""The portal is the subscriber's face: the bill page behind a link.
It holds no rule: a view parses, asks one query, renders.
Documents come from billing.
"""
