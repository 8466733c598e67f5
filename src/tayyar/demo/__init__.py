"""A believable made-up utility: its customers, meters and readings, and the tour that `tayyar demo` gives.

It never touches an installation that holds real customers.
population.py makes the people, tour.py takes a newcomer from nothing to a bill on the screen.
"""
