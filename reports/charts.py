"""Charts as SVG text: literal colours plus a class, so that a page may restyle them and a renderer need not.

Every chart says its numbers in its title for those who do not see it. Dots of one colour are one path of round ends,
so a run costs a few bytes.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape, unescape

from backlog.metric import Better
from backlog.snapshot import GoalLine, Period, RunDot, Track
from reports.filters import number, plural

LIGHT = {
    "ink": "#1c1e22", "ink-2": "#565c67", "ink-3": "#686e7a", "hair": "#e6e3dc", "band": "#f3f1eb", "dot": "#b4b8c1",
    "met": "#1b7a58", "on": "#3454c5", "risk": "#a85f06", "off": "#bd3527", "unknown": "#565c67",
}  # fmt: skip
STANDALONE = 'xmlns="http://www.w3.org/2000/svg" font-family="Inter, sans-serif" font-size="13" '
WIDTH, HEIGHT = 448, 214
LEFT, RIGHT, TOP, BOTTOM = 44, 84, 22, 38  # room for ticks, end labels, the lane above, the lane below and dates
LABEL_GAP = 17  # px between two end labels
WEEKS = 10
DOTS_MAX = 240  # places for dots in one chart; runs that fall on one place are drawn once
SPARK_WIDTH, SPARK_HEIGHT = 132, 28


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a value and a time are on the chart; what lies outside the limits is put on the edge."""

    low: float
    high: float
    start: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        """Pixels from the left."""
        share = (at - self.start) / (self.end - self.start)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - min(max(share, 0.0), 1.0) * (HEIGHT - TOP - BOTTOM)


def sparkline(track: Track, target: float | None, tone: str) -> str:
    """Best so far over ten weeks with the goal as a dotted line; empty with fewer than two weeks of values."""
    known = [(index, value) for index, value in enumerate(track.by_week) if value is not None]
    if len(known) < 2:
        return ""
    low, high = _range([*(value for _, value in known), *([target] if target is not None else [])])
    step = (SPARK_WIDTH - 8) / (len(track.by_week) - 1)

    def y(value: float) -> float:
        return SPARK_HEIGHT - 4 - (value - low) / (high - low) * (SPARK_HEIGHT - 8)

    points = [(4 + index * step, y(value)) for index, value in known]
    goal = _line(0, y(target), SPARK_WIDTH, y(target), "ink-3", dash="1 3") if target is not None else ""
    title = f"Best so far, ten weeks: {number(known[0][1])} to {number(known[-1][1])}, goal {number(target)}."
    return _svg(SPARK_WIDTH, SPARK_HEIGHT, title, goal + _steps(points, tone) + _circle(*points[-1], 3, tone))


def every_run(name: str, track: Track, better: Better, target: float | None, period: Period, tone: str,
              unit: str = "") -> str:  # fmt: skip
    """Every run of ten weeks as a dot, the best so far as a step line, failed runs in a lane below, runs off the
    scale in a lane above (below where higher is better)."""
    start = period.end - timedelta(weeks=WEEKS)
    frontier = list(_frontier(track, better, start))
    values = [dot.value for dot in track.dots if dot.value is not None]
    frame = Frame(*_limits(values, [value for _, value in frontier], better, target), start, period.end)
    parts = [_band(frame, period), *_grid(frame), _dates(frame), *_run_marks(track.dots, frame, tone)]
    if target is not None:
        parts.append(_line(LEFT, frame.y(target), WIDTH - RIGHT, frame.y(target), "ink-3", dash="1 3"))
    best = frontier[-1][1] if frontier else None
    if best is not None:
        points = [(frame.x(at), frame.y(value)) for at, value in frontier]
        end = (frame.x(period.end), points[-1][1])
        parts += [_steps([*points, end], tone), _circle(*end, 4, tone)]
    ends = [_End(best, number(best, unit), tone, True), _End(target, f"goal {number(target)}", "ink-3")]
    title = (
        f"{name}, {track.environment}: {plural(track.runs, 'run')}, {track.failed} failed, "
        f"best {number(best, unit)}, goal {number(target, unit)}."
    )
    return _svg(WIDTH, HEIGHT, title, "".join([*parts, *_end_labels(ends, frame)]))


def goal_way(goal: GoalLine, period: Period, tone: str) -> str:
    """A goal's best so far by week, one step line an environment, from its baseline to its target; empty while
    nothing is measured."""
    tracks = [track for track in goal.tracks if any(value is not None for value in track.by_week)]
    if not tracks:
        return ""
    start = period.end - timedelta(weeks=WEEKS)
    marks = [value for value in (goal.baseline, goal.target) if value is not None]
    values = [value for track in tracks for value in track.by_week if value is not None]
    low, high = _range([*values, *marks])
    spare = (high - low) * 0.12
    frame = Frame(low - spare, high + spare, start, period.end)
    parts = [_band(frame, period), *_grid(frame), _dates(frame)]
    parts += [_line(LEFT, frame.y(value), WIDTH - RIGHT, frame.y(value), "ink-3", dash="1 3") for value in marks]
    ends = [_End(goal.target, f"goal {number(goal.target)}", "ink-3"),
            _End(goal.baseline, f"from {number(goal.baseline)}", "ink-3")]  # fmt: skip
    for track, colour in zip(tracks, (tone, "ink", "ink-2", "ink-3"), strict=False):
        points = [(frame.x(start + timedelta(weeks=index + 1)), frame.y(value))
                  for index, value in enumerate(track.by_week) if value is not None]  # fmt: skip
        parts += [_steps(points, colour), _circle(*points[-1], 4, colour)]
        last = [value for value in track.by_week if value is not None][-1]
        ends.insert(0, _End(last, f"{track.environment} {number(last)}", colour, True))
    changes = [(at, track.environment) for track in tracks for at in track.changes]
    parts += _change_marks(changes, frame)
    said = ", ".join(f"{track.environment} {number(track.best, goal.unit)}" for track in tracks)
    title = (
        f"{goal.metric} of {goal.key}, best so far by week: {said}; "
        f"from {number(goal.baseline, goal.unit)}, goal {number(goal.target, goal.unit)}.{_told_changes(changes)}"
    )
    return _svg(WIDTH, HEIGHT, title, "".join([*parts, *_end_labels(ends, frame)]))


def _change_marks(changes: Sequence[tuple[datetime, str]], frame: Frame) -> Iterator[str]:
    """A line from top to bottom at each change of a mean; the last one says what it is."""
    top, bottom = TOP - 8, HEIGHT - BOTTOM
    for at, _ in changes:
        yield _line(frame.x(at), top, frame.x(at), bottom, "ink-2", dash="4 3")
    if changes:
        at, environment = max(changes)
        x = frame.x(at)
        anchor = "end" if x > (LEFT + WIDTH - RIGHT) / 2 else "start"
        place = f'x="{x + (-4 if anchor == "end" else 4):.1f}" y="{top + 2}" text-anchor="{anchor}" font-size="11"'
        text = escape(f"{environment} changed {at.day} {at:%b}")
        yield f'<text {place} fill="{LIGHT["ink-2"]}" class="f-ink-2">{text}</text>'


def _told_changes(changes: Sequence[tuple[datetime, str]]) -> str:
    told = ", ".join(f"{environment} around {at.day} {at:%b}" for at, environment in sorted(changes))
    return f" Its mean changed: {told}." if told else ""


def _frontier(track: Track, better: Better, start: datetime) -> Iterator[tuple[datetime, float]]:
    """The best so far at each run that set one; a best older than the chart holds from its left edge."""
    if track.best is not None and track.best_at is not None and track.best_at < start:
        yield start, track.best
        return
    best: float | None = None
    for dot in sorted(track.dots, key=lambda dot: dot.at):
        if dot.value is not None and (best is None or better.beats(dot.value, best)):
            best = dot.value
            yield dot.at, best


def _limits(
    values: Sequence[float], bests: Sequence[float], better: Better, target: float | None
) -> tuple[float, float]:
    """Where lower is better, about twice the early best: a scale up to the worst run would hide the frontier. Where
    higher is better the same room below it."""
    marks = [*bests, *([target] if target is not None else [])]
    if not marks:
        return 0.0, 1.0
    if better is Better.DOWN:
        return min(0.0, *marks), max(marks) * 2 or 1.0
    spread = (max(marks) - min(marks)) or abs(max(marks)) * 0.1 or 1.0
    low = max(min(values, default=min(marks)), min(marks) - spread)
    return low - spread * 0.06, max(marks) + spread * 0.2


def _range(values: Iterable[float]) -> tuple[float, float]:
    known = list(values)
    low, high = min(known), max(known)
    return (low, high) if high > low else (low - abs(low) * 0.1 - 1e-9, high + abs(high) * 0.1 + 1e-9)


def _band(frame: Frame, period: Period) -> str:
    left, right = frame.x(period.start), frame.x(period.end)
    box = f'x="{left:.1f}" y="{TOP - 12}" width="{right - left:.1f}" height="{HEIGHT - TOP - BOTTOM + 30}"'
    return f'<rect {box} fill="{LIGHT["band"]}" class="f-band"/>'


def _grid(frame: Frame) -> Iterator[str]:
    ticks = _ticks(frame.low, frame.high)
    lines = "".join(f"M{LEFT} {frame.y(tick):.1f}H{WIDTH - RIGHT}" for tick in ticks)
    yield f'<path d="{lines}" stroke="{LIGHT["hair"]}" class="s-hair"/>'
    texts = "".join(f'<text x="{LEFT - 8}" y="{frame.y(tick) + 4.5:.1f}">{tick:g}</text>' for tick in ticks)
    yield f'<g text-anchor="end" fill="{LIGHT["ink-3"]}" class="f-ink-3">{texts}</g>'


def _ticks(low: float, high: float) -> list[float]:
    """Three to five round numbers."""
    rough = (high - low) / 4
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def _dates(frame: Frame) -> str:
    texts = ""
    for share in (0.0, 0.4, 0.8):
        at = frame.start + (frame.end - frame.start) * share
        texts += f'<text x="{frame.x(at):.1f}" y="{HEIGHT - 2}">{at.day} {at:%b}</text>'
    return f'<g fill="{LIGHT["ink-3"]}" class="f-ink-3">{texts}</g>'


def _run_marks(dots: Sequence[RunDot], frame: Frame, tone: str) -> Iterator[str]:
    """One path a kind of mark: earlier runs, this week's, those off the scale, failed ones."""
    places: dict[str, set[str]] = {}
    fine = len(dots) <= DOTS_MAX
    for dot in dots:
        kind, x, y = _mark(dot, frame)
        at = f"M{x:.1f} {y:.1f}" if fine else f"M{round(x / 4) * 4} {round(y / 4) * 4}"
        places.setdefault(kind, set()).add(at)
    for kind, marks in sorted(places.items()):
        shape, colour = kind.split()
        ink = LIGHT[tone if colour == "week" else "dot" if shape == "dot" else "ink-3"]
        name = tone if colour == "week" else "dot" if shape == "dot" else "ink-3"
        yield _shapes(shape, sorted(marks), ink, name)


def _mark(dot: RunDot, frame: Frame) -> tuple[str, float, float]:
    x, colour = frame.x(dot.at), "week" if dot.this_week else "before"
    if dot.value is None:
        return "failed before", x, HEIGHT - BOTTOM + 11
    if dot.value > frame.high:
        return f"above {colour}", x, TOP - 8
    if dot.value < frame.low:
        return f"below {colour}", x, HEIGHT - BOTTOM + 11
    return f"dot {colour}", x, frame.y(dot.value)


def _shapes(shape: str, places: Sequence[str], ink: str, name: str) -> str:
    if shape == "dot":
        path = "".join(f"{place}h.01" for place in places)
        return f'<path d="{path}" stroke="{ink}" stroke-width="5" stroke-linecap="round" class="s-{name}"/>'
    if shape == "failed":
        path = "".join(f"{place}m-2.5-2.5l5 5m0-5l-5 5" for place in places)
        return f'<path d="{path}" stroke="{ink}" stroke-width="1.2" class="s-{name}"/>'
    up = "m-2.8 2.2h5.6l-2.8-4.8z" if shape == "above" else "m-2.8-2.2h5.6l-2.8 4.8z"
    return f'<path d="{"".join(place + up for place in places)}" fill="{ink}" class="f-{name}"/>'


@dataclass(frozen=True, slots=True)
class _End:
    """A label at the right end of the chart."""

    value: float | None
    text: str
    tone: str
    strong: bool = False


def _end_labels(ends: Sequence[_End], frame: Frame) -> Iterator[str]:
    """Beside their values, from the top down, pushed apart where they would touch."""
    placed = sorted(((frame.y(end.value), end) for end in ends if end.value is not None), key=lambda pair: pair[0])
    heights = [height for height, _ in placed]
    for index in range(1, len(heights)):
        heights[index] = max(heights[index], heights[index - 1] + LABEL_GAP)
    excess = max(0.0, heights[-1] - (HEIGHT - BOTTOM + 8)) if heights else 0
    for index in reversed(range(len(heights))):
        if excess:
            below = heights[index + 1] - LABEL_GAP if index + 1 < len(heights) else HEIGHT - BOTTOM + 8
            heights[index] = min(heights[index], below)
    for height, (_, end) in zip(heights, placed, strict=True):
        weight = ' font-weight="600"' if end.strong else ""
        place = f'x="{WIDTH - RIGHT + 10}" y="{height + 4.5:.1f}"{weight}'
        yield f'<text {place} fill="{LIGHT[end.tone]}" class="f-{end.tone}">{escape(end.text)}</text>'


def _svg(width: int, height: int, title: str, inner: str) -> str:
    return (
        f'<svg {STANDALONE}viewBox="0 0 {width} {height}" width="{width}" height="{height}" fill="none" role="img">'
        f"<title>{escape(title)}</title>{inner}</svg>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, tone: str, dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{LIGHT[tone]}" class="s-{tone}"{dashes}/>'


def _circle(x: float, y: float, radius: float, tone: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{LIGHT[tone]}" class="f-{tone}"/>'


def _steps(points: Sequence[tuple[float, float]], tone: str) -> str:
    """A step line: the best holds until a better one comes, it is never interpolated."""
    path, level = f"M{points[0][0]:.1f} {points[0][1]:.1f}", points[0][1]
    for x, y in points[1:-1]:
        if y != level:
            path, level = f"{path}H{x:.1f}V{y:.1f}", y
    if len(points) > 1:
        path += f"H{points[-1][0]:.1f}" + (f"V{points[-1][1]:.1f}" if points[-1][1] != level else "")
    return f'<path d="{path}" stroke="{LIGHT[tone]}" stroke-width="2" class="s-{tone}"/>'


def inline(svg: str) -> str:
    """The chart inside a page, which gives it its name space and its type."""
    return svg.replace(STANDALONE, "", 1)


def alternative(svg: str) -> str:
    """The text alternative that a chart carries."""
    return unescape(svg.partition("<title>")[2].partition("</title>")[0])
