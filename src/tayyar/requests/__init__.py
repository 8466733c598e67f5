"""Requests owns anything asked or complained of, under one reference number: form, papers, steps, deadline, decision.
What a decision does is its type's handler's, registered by the module that knows (claims, notifications, billing).
Types are data (types/*.yaml); the faces are portal, console, kiosk and api.
"""
