"""The digest: differences only, nothing that stood there the last time."""

from backlog.snapshot import Snapshot
from reports.contents import phrases
from reports.contents.context import Line, Section, Sections
from reports.contents.phrases import count_in_words, status
from reports.contents.weekly import weekly
from reports.filters import capital


def digest(snapshot: Snapshot) -> Sections:
    """The context of the digest."""
    told = weekly(snapshot)
    new = [risk for risk in told["risks"] if risk["trend"] == "new"]
    moved = [goal for goal in snapshot.goals if phrases.arrow(goal)]
    sections: list[Section] = [
        {"heading": "What we learned", "lead": "", "entries": [
            _line(f["title"], [f["found"], f"So what: {f['so_what']}"], f["key"], f["outcome"])
            for f in told["learned"]
        ]},
        {"heading": "What changed", "lead": "", "entries": [
            _line(c["title"], ["; ".join(c["what"])], c["key"]) for c in told["changes"]
        ]},
        {"heading": "Goals that moved", "lead": "", "entries": [
            {**status(goal.health, goal.met), "title": phrases.goal_sentence(goal), "lines": [], "aside": goal.key,
             "url": ""}
            for goal in moved
        ]},
        {"heading": "New risks", "lead": "", "entries": [
            _line(r["sentence"], [f"Do: {r['action']}"], f"{r['subject']}, {r['owner'] or 'no owner'}") for r in new
        ]},
        {"heading": "Resolved", "lead": "", "entries": [
            _line(capital(f"{r.subject}: {r.cause}"), [], r.subject) for r in snapshot.resolved
        ]},
    ]  # fmt: skip
    shown = [section for section in sections if section["entries"]]
    count = sum(len(section["entries"]) for section in shown)
    verdict = f"{capital(count_in_words(count, 'difference'))} since the last time." if count else "Nothing changed."
    context: Sections = {
        **phrases.head(snapshot, "Digest", verdict, []),
        "figures": [],
        "sections": shown,
        "pictures": {},
    }
    return {**context, "words": phrases.words_of(snapshot, context)}


def _line(title: str, lines: list[str], aside: str, word: str = "") -> Line:
    return {**status(None), "word": word, "title": title, "lines": lines, "aside": aside, "url": ""}
