"""The versioned JSON API for programs: what the portal offers to a signed-in person, for a native app.

It holds no rule: an operation parses, calls one service or query, answers. It never answers in words of its own beyond
the problems of words.py. Next: app.py is the API, door.py lets people in, docs/api.md tells others about it.
"""
