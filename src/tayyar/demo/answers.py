"""Answers to a profile's open questions, good enough for made-up customers and written where everyone sees them."""

import sys

from tayyar.core.paths import data_dir
from tayyar.profiles import answers_file, demo_answers, load


def answer_for_demo(code: str) -> None:
    """Write the demo answers of a profile to its answers file, unless the utility has one, and say so."""
    path = answers_file(data_dir(), code)
    profile = load(code)
    answers = demo_answers(profile)
    if path.exists() or not answers:
        return
    lines = [
        f"# Answers for made-up data, not for real bills: what the published sources of {code} leave open.",
        "# Confirm each with the utility before billing anyone.",
    ]
    for question in profile.open_questions:
        if question.key in answers:
            lines += [f"# {question.question['en']}", f'{question.key}: "{answers[question.key]}"']
    path.write_text("\n".join(lines) + "\n")
    print(f"Open questions of profile {code} are answered for the demo in {path}.", file=sys.stderr)
