"""What templates may speak of: the contexts of the reports, each field with its meaning.

Everything is ready text, a number, or a list of these; nothing here can be called. `scrumbut report context NAME`
prints these types.
"""

from typing import Annotated, Any, TypedDict


class Status(TypedDict):
    """Where something stands: never a colour alone."""

    shape: Annotated[str, "✓ ● ▲ ■ ○, or empty where there is nothing to judge"]
    word: Annotated[str, "goal met, on track, at risk, off track, unknown"]
    tone: Annotated[str, "the colour's name: met, on, risk, off, unknown"]


class Figure(TypedDict):
    """One of the four large numbers."""

    label: str
    value: str
    before: Annotated[str, "what it was the period before"]


class Decision(Status):
    """A question that waits for a person."""

    key: str
    url: Annotated[str, "the experiment's page; empty without a public address"]
    issue_key: str
    issue_url: str
    title: Annotated[str, "the question, an imperative"]
    evidence: Annotated[str, "why it is asked"]
    owner: Annotated[str, "a name; empty for none"]
    options: list[str]
    default: Annotated[str, "what happens when nobody answers"]


class Finding(TypedDict):
    """One concluded experiment."""

    key: str
    url: str
    title: str
    outcome: Annotated[str, "good, bad or interesting"]
    found: Annotated[str, "the learning, a sentence"]
    so_what: Annotated[str, "what it means for the goal, a sentence"]
    decision: str
    runs: Annotated[str, "such as 4 runs"]


class Changed(TypedDict):
    """What happened to one experiment or goal."""

    key: str
    title: str
    what: list[str]


class Environment(TypedDict):
    """A goal's metric in one environment."""

    environment: str
    best: str
    runs: int
    failed: int
    read: Annotated[str, "when it was last read"]
    source: str


class GoalState(Status):
    """A goal and its number."""

    key: str
    sentence: Annotated[str, "all of it in words, the numbers in brackets"]
    statement: str
    anti: Annotated[str, "what the goal is not about"]
    metric: str
    baseline: str
    target: str
    way: Annotated[str, "how far from the baseline to the target; empty where not known"]
    tracks: list[Environment]
    parity: Annotated[str, "dev against prod, or why they cannot be compared"]
    evidence: Annotated[str, "why it stands where it stands"]


class Row(Status):
    """One line of the table of experiments."""

    key: str
    url: str
    title: str
    stage: str
    owner: str
    issue_key: str
    issue_url: str
    best: str
    prod: Annotated[str, "the best in production, where best is another environment's"]
    target: str
    change: Annotated[str, "how the best moved this week: no change, new, +8 %"]
    runs: int
    age: Annotated[str, "such as 5 d; empty before it runs"]


class Rest(TypedDict):
    """Experiments of one stage that the table leaves out."""

    stage: str
    count: int
    url: str


class RiskLine(TypedDict):
    """A reason to look."""

    subject: str
    owner: str
    trend: Annotated[str, "new, continuing or resolved"]
    sentence: Annotated[str, "cause and effect"]
    evidence: str
    action: str
    review: Annotated[str, "when to look again"]


class Fact(TypedDict):
    """One measure of the flow of work."""

    label: str
    value: str
    note: Annotated[str, "what to hold it against; may be empty"]


class Outlook(TypedDict):
    """What may come of a goal."""

    key: str
    title: Annotated[str, "the goal in words"]
    lines: Annotated[list[str], "ranges with their sureness, or why nothing is said"]


class Bet(TypedDict):
    """What is tried next."""

    key: str
    url: str
    title: Annotated[str, "the hypothesis in plain words"]
    note: Annotated[str, "the appetite left, the next look, and who owns it"]


class Item(TypedDict):
    """An experiment of the backlog."""

    key: str
    title: str
    note: str


class Column(TypedDict):
    """One column of the backlog."""

    heading: str
    items: list[Item]
    more: Annotated[int, "how many are left out"]


class Chart(TypedDict):
    """The first goal's best so far by week; `values` are None before the first one."""

    title: str
    labels: list[str]
    series: list[dict[str, Any]]


class ChannelLine(TypedDict):
    """A line of the channel's message."""

    label: Annotated[str, "what stands before it: a shape, an outcome"]
    text: Annotated[str, "cut to the room there is"]


class Channel(TypedDict):
    """What fits into the channel: at most twelve lines with header, counts, bottom line and sources."""

    by: Annotated[str, "auto, or who wrote the bottom line"]
    decisions: Annotated[list[str], "the decisions, the first with most room"]
    said: Annotated[list[ChannelLine], "goals and answers in turn, the worst goal first"]
    more: Annotated[int, "how many of these are left to the thread"]


class Head(TypedDict):
    """What every report has."""

    id: Annotated[str, "the report's identity, such as weekly-manager-2026-W47"]
    name: Annotated[str, "what kind of report it is, in words"]
    week: Annotated[str, "the period, in words"]
    late: Annotated[bool, "sent more than an hour after it was due"]
    made_at: str
    url: Annotated[str, "the page; empty without a public address"]
    schedule: str
    verdict: Annotated[str, "the bottom line, at most 280 characters"]
    verdict_by: Annotated[str, "auto, or who wrote it"]
    deck: Annotated[list[str], "at most three sentences"]
    sources: Annotated[list[str], "when each source was last read"]
    as_of: Annotated[str, "the same in short, those read together named together"]
    notes: Annotated[list[str], "sources down, runs left out"]
    words: Annotated[list[str], "explanations of the terms used"]
    policy: Annotated[list[str], "what the team dropped of Scrum, and what stands in its place"]
    template_note: Annotated[str, "why the built-in template was used; empty where yours was"]


class Weekly(Head):
    """The weekly report."""

    figures: list[Figure]
    decisions: list[Decision]
    decisions_more: Annotated[int, "how many more wait"]
    decision_lines: Annotated[list[str], "the decisions as whole lines"]
    learned: list[Finding]
    learned_lines: list[str]
    goals: list[GoalState]
    changes: list[Changed]
    change_lines: list[str]
    experiments: list[Row]
    experiments_more: Annotated[list[Rest], "the rest, by stage"]
    risks: list[RiskLine]
    risks_more: int
    risk_lines: list[str]
    flow: list[Fact]
    outlooks: list[Outlook]
    flow_lines: Annotated[list[str], "flow and outlooks as whole lines"]
    bets: list[Bet]
    bet_lines: list[str]
    backlog: list[Column]
    empty: Annotated[bool, "no run, no change, nothing concluded"]
    channel: Channel
    chart: Annotated[Chart | None, "for a native chart"]
    pictures: Annotated[dict[str, Any], "on the page: goals and experiments by key, sparks by key, each SVG text"]


class Line(Status):
    """One entry of a section."""

    title: str
    lines: list[str]
    aside: Annotated[str, "key and owner"]
    url: str


class Section(TypedDict):
    """A heading with entries; a section without any is left out unless `lead` says why."""

    heading: str
    lead: str
    entries: list[Line]


class Sections(Head):
    """Every other report: a head, and sections."""

    figures: list[Figure]
    sections: list[Section]
    pictures: Annotated[dict[str, Any], "on the page: SVG text by heading"]
