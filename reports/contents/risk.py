"""The risk report: every reason to look, new, continuing and resolved."""

from collections.abc import Iterable, Sequence

from backlog.snapshot import Risk, Snapshot
from reports.contents import phrases
from reports.contents.context import Figure, Line, Section, Sections
from reports.contents.phrases import count_in_words, namer
from reports.filters import capital

SHOWN_MAX = 50


def risk(snapshot: Snapshot) -> Sections:
    """The context of the risk report."""
    new = [found for found in snapshot.risks if found.trend == "new"]
    continuing = [found for found in snapshot.risks if found.trend != "new"]
    sections: list[Section] = [
        _section("New", new, snapshot, "▲", "risk", "Nothing new."),
        _section("Continuing", continuing, snapshot, "▲", "risk", "Nothing goes on from before."),
        _section("Resolved", snapshot.resolved, snapshot, "✓", "met", "Nothing was resolved."),
    ]
    context: Sections = {
        **phrases.head(snapshot, "Risk report", _verdict(snapshot, new), list(_deck(snapshot))),
        "figures": _figures(snapshot, new, continuing),
        "sections": sections,
        "pictures": {},
    }
    return {**context, "words": phrases.words_of(snapshot, context)}


def _verdict(snapshot: Snapshot, new: Sequence[Risk]) -> str:
    count = len(snapshot.risks)
    told = f"{count_in_words(count, 'risk')} {'is' if count < 2 else 'are'} open"
    if count == 1:
        told += ", a new one" if new else ", as before"
    elif count:
        told += f", {'all' if len(new) == count else _none_or(len(new))} of them new"
    return f"{capital(told)}; {_none_or(len(snapshot.resolved))} resolved."


def _none_or(count: int) -> str:
    return phrases.in_words(count) if count else "none"


def _deck(snapshot: Snapshot) -> Iterable[str]:
    titles = phrases.titles_of(snapshot)
    for found in snapshot.risks[:1]:
        said = phrases.risk_line(found, titles.get(found.subject, ""), namer(snapshot))
        yield f"The largest: {said['sentence']}"


def _figures(snapshot: Snapshot, new: Sequence[Risk], continuing: Sequence[Risk]) -> list[Figure]:
    before = len(continuing) + len(snapshot.resolved)
    nobody = sum(not found.owner for found in snapshot.risks)
    return [
        {"label": "Open", "value": str(len(snapshot.risks)), "before": f"{before} the time before"},
        {"label": "New", "value": str(len(new)), "before": "since the report before"},
        {"label": "Resolved", "value": str(len(snapshot.resolved)), "before": "since the report before"},
        {"label": "Without an owner", "value": str(nobody), "before": "nobody acts on those"},
    ]


def _section(
    heading: str, risks: Sequence[Risk], snapshot: Snapshot, shape: str, tone: str, nothing: str
) -> Section:  # fmt: skip
    entries = [_entry(found, snapshot, shape, tone) for found in risks[:SHOWN_MAX]]
    left_out = len(risks) - len(entries)
    return {
        "heading": heading,
        "lead": nothing if not risks else f"The {SHOWN_MAX} largest; {left_out} more." if left_out else "",
        "entries": entries,
    }


def _entry(found: Risk, snapshot: Snapshot, shape: str, tone: str) -> Line:
    titles = phrases.titles_of(snapshot)
    said = phrases.risk_line(found, titles.get(found.subject, ""), namer(snapshot))
    return {
        "shape": shape,
        "word": found.trend if tone == "risk" else "resolved",
        "tone": tone,
        "title": said["sentence"],
        "lines": [f"{phrases.sentence(said['evidence'])} Do: {said['action']}. Look again {said['review']}."],
        "aside": f"{found.subject}, {said['owner'] or 'no owner'}",
        "url": phrases.link(snapshot, f"experiments/{found.subject}") if found.subject.startswith("EXP-") else "",
    }
