"""Whether an idea was had before: two experiments' words held beside each other."""

import re

from backlog.experiment import Experiment

WORD = re.compile(r"[^\W_]+")
NUMBER = re.compile(r"(?<!\w)\d+(?:[.,]\d+)?")
SMALL = frozenset(
    ("a", "an", "and", "are", "as", "at", "be", "better", "by", "can", "do", "does", "for", "from", "has", "in", "into",
     "is", "it", "its", "may", "more", "not", "of", "on", "or", "our", "than", "that", "the", "them", "then", "this",
     "to", "try", "use", "using", "we", "when", "will", "with")
)  # fmt: skip
NEAR = 0.6  # share of an idea's words that the other one's title, hypothesis or learning must have too
LEAST = 2  # words that they share; one alone says nothing


def is_near(title: str, past: Experiment) -> bool:
    """Whether a person should see that one before they begin this one.

    An idea that names other numbers ("dropout 0.5" after "dropout 0.2") is another idea. Endings do not count:
    "token" is "tokens".
    """
    wanted = _words(title)
    shared = wanted & _words(f"{past.title} {past.hypothesis} {past.learning}")
    same_numbers = {*NUMBER.findall(title)} == {*NUMBER.findall(past.title)}
    return same_numbers and len(shared) >= LEAST and len(shared) >= NEAR * len(wanted)


def _words(text: str) -> set[str]:
    words = (word for word in WORD.findall(text.casefold()) if word not in SMALL and not word.isdigit())
    return {word.rstrip("s") for word in words}
