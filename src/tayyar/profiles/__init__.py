"""A country is data: one folder per country with its currency, calendar, rules, tariffs and open questions.

Owns loading and checking those folders. Never computes a charge and never guesses what a source left open.
The flow goes next to `tayyar.tariffs`, which turns the tariff documents into prices.
"""

from tayyar.profiles.loader import answers_file, codes, demo_answers, load, read_answers
from tayyar.profiles.model import Category, Profile, Question
from tayyar.profiles.reader import ProfileError

__all__ = [
    "Category",
    "Profile",
    "ProfileError",
    "Question",
    "answers_file",
    "codes",
    "demo_answers",
    "load",
    "read_answers",
]
