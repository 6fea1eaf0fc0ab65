"""Charts as SVG text: literal colours plus a class, so that a page may restyle them and a renderer need not.

Every chart says its numbers in its title for those who do not see it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from html import escape

from backlog.metric import Better
from backlog.snapshot import Period, RunDot, Track
from reports.filters import number, plural

LIGHT = {
    "ink": "#1c1e22", "ink-3": "#686e7a", "hair": "#e6e3dc", "band": "#f3f1eb", "dot": "#b4b8c1",
    "met": "#1b7a58", "on": "#3454c5", "risk": "#a85f06", "off": "#bd3527", "unknown": "#565c67",
}  # fmt: skip
WIDTH, HEIGHT = 448, 214
LEFT, RIGHT, TOP, BOTTOM = 44, 74, 22, 34  # room for ticks, end labels, the lane above, the lane below and dates
LABEL_GAP = 14  # px between two end labels
WEEKS = 10
SPARK_WIDTH, SPARK_HEIGHT = 132, 28
Scale = Callable[[float], float]
TimeScale = Callable[[datetime], float]


def sparkline(track: Track, target: float | None, tone: str) -> str:
    """Best so far over ten weeks with the goal as a dotted line; empty while there is no value."""
    values = track.by_week
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = _range([*known, *([target] if target is not None else [])])
    step = (SPARK_WIDTH - 8) / max(len(values) - 1, 1)

    def y(value: float) -> float:
        return SPARK_HEIGHT - 4 - (value - low) / (high - low) * (SPARK_HEIGHT - 8)

    points = [(4 + index * step, y(value)) for index, value in enumerate(values) if value is not None]
    title = f"Best so far over ten weeks, from {number(known[0])} to {number(known[-1])}, goal {number(target)}."
    goal = _line(0, y(target), SPARK_WIDTH, y(target), "ink-3", dash="1 3") if target is not None else ""
    end = _circle(*points[-1], 3, tone)
    return _svg(SPARK_WIDTH, SPARK_HEIGHT, title, goal + _steps(points, tone) + end)


def small_multiple(
    name: str, track: Track, better: Better, target: float | None, period: Period, tone: str, unit: str = ""
) -> str:
    """Every run of ten weeks as a dot, the best so far as a step line, failed runs below, runs off the scale above."""
    start = period.end - timedelta(weeks=WEEKS)
    finished = [dot for dot in track.dots if dot.value is not None]
    frontier = list(_frontier(track, better, start))
    low, high = _limits(finished, frontier, better, target)

    def x(at: datetime) -> float:
        share = (at - start) / (period.end - start)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        share = (value - low) / (high - low)
        return HEIGHT - BOTTOM - min(max(share, 0.0), 1.0) * (HEIGHT - TOP - BOTTOM)

    band = _rect(x(period.start), TOP - 10, x(period.end) - x(period.start), HEIGHT - TOP - BOTTOM + 24, "band")
    parts = [band, *_grid(low, high, y), *_dates(start, period.end, x)]
    parts += [_dot(dot, low, high, x, y, tone) for dot in track.dots]
    if target is not None:
        parts.append(_line(LEFT, y(target), WIDTH - RIGHT, y(target), "ink-3", dash="1 3"))
    if frontier:
        points = [(x(at), y(value)) for at, value in frontier]
        parts += [
            _steps([*points, (x(period.end), points[-1][1])], tone),
            _circle(x(period.end), points[-1][1], 3.5, tone),
        ]
    best = frontier[-1][1] if frontier else None
    parts += _end_labels(best, target, y, tone, unit)
    return _svg(WIDTH, HEIGHT, _title(name, track, best, target, unit), "".join(parts))


def _title(name: str, track: Track, best: float | None, target: float | None, unit: str) -> str:
    return (
        f"{name}, {track.environment}: {plural(track.runs, 'run')}, {track.failed} failed, "
        f"best {number(best, unit)}, goal {number(target, unit)}."
    )


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
    dots: Sequence[RunDot], frontier: Sequence[tuple[datetime, float]], better: Better, target: float | None
) -> tuple[float, float]:
    """Where lower is better, about twice the early best: a scale up to the worst run would hide the frontier."""
    bests = [value for _, value in frontier] + ([target] if target is not None else [])
    if not bests:
        return 0.0, 1.0
    values = [dot.value for dot in dots if dot.value is not None]
    if better is Better.DOWN:
        return min(0.0, *bests), max(bests) * 2 or 1.0
    spread = (max(bests) - min(bests)) or abs(max(bests)) * 0.1 or 1.0
    return max(min(values, default=min(bests)), min(bests) - spread), max(bests) + spread * 0.25


def _grid(low: float, high: float, y: Scale) -> Iterator[str]:
    for tick in _ticks(low, high):
        yield _line(LEFT, y(tick), WIDTH - RIGHT, y(tick), "hair")
        yield _text(LEFT - 8, y(tick) + 4, f"{tick:g}", "ink-3", anchor="end")


def _ticks(low: float, high: float) -> list[float]:
    """Three to five round numbers."""
    rough = (high - low) / 4
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def _dates(start: datetime, end: datetime, x: TimeScale) -> Iterator[str]:
    for share in (0.0, 0.4, 0.8):
        at = start + (end - start) * share
        yield _text(x(at), HEIGHT - 4, f"{at.day} {at:%b}", "ink-3")


def _dot(dot: RunDot, low: float, high: float, x: TimeScale, y: Scale, tone: str) -> str:
    colour = tone if dot.this_week else "dot"
    if dot.value is None:
        return _text(x(dot.at), HEIGHT - BOTTOM + 16, "\u00d7", "ink-3", anchor="middle", size=11)
    if dot.value > high:
        return _text(x(dot.at), TOP - 8, "▲", colour, anchor="middle", size=7)
    if dot.value < low:
        return _text(x(dot.at), HEIGHT - BOTTOM + 8, "▼", colour, anchor="middle", size=7)
    return _circle(x(dot.at), y(dot.value), 2.5, colour)


def _end_labels(best: float | None, target: float | None, y: Scale, tone: str, unit: str) -> Iterator[str]:
    at = WIDTH - RIGHT + 8
    best_y = y(best) if best is not None else None
    if best is not None and best_y is not None:
        yield _text(at, best_y + 4, number(best, unit), tone, weight=640, size=13)
    if target is not None:
        goal_y = y(target)
        if best_y is not None and abs(goal_y - best_y) < LABEL_GAP:
            goal_y = best_y + (LABEL_GAP if goal_y >= best_y else -LABEL_GAP)
        yield _text(at, goal_y + 4, f"goal {number(target)}", "ink-3")


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - abs(low) * 0.1 - 1e-9, high + abs(high) * 0.1 + 1e-9)


def _svg(width: int, height: int, title: str, inner: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>{inner}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, tone: str, dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{LIGHT[tone]}" class="s-{tone}"{dashes}/>'


def _circle(x: float, y: float, radius: float, tone: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{LIGHT[tone]}" class="f-{tone}"/>'


def _rect(x: float, y: float, width: float, height: float, tone: str) -> str:
    box = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {box} fill="{LIGHT[tone]}" class="f-{tone}"/>'


def _steps(points: Sequence[tuple[float, float]], tone: str) -> str:
    """A step line: the best holds until a better one comes, it is never interpolated."""
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in points[1:])
    return f'<path d="{path}" fill="none" stroke="{LIGHT[tone]}" stroke-width="2" class="s-{tone}"/>'


def _text(x: float, y: float, text: str, tone: str, *, anchor: str = "start", size: int = 12, weight: int = 400) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
    return f'<text {place} font-family="sans-serif" fill="{LIGHT[tone]}" class="f-{tone}">{escape(text)}</text>'
