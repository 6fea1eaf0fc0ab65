"""Small pictures that other programs show beside our name: one for each stage, fuller the further it is."""

from math import cos, pi, sin

from backlog.experiment import Stage

SIZE, RADIUS = 16, 6
INK = "#3454c5"


def stage_icon(stage: Stage) -> str:
    """An SVG of 16 × 16 px: a ring that fills clockwise from *idea* to *concluded*."""
    order = [s for s in Stage if s is not Stage.MONITORED]
    share = 1.0 if stage is Stage.MONITORED else order.index(stage) / (len(order) - 1)
    middle = SIZE / 2
    ring = f'<circle cx="{middle:g}" cy="{middle:g}" r="{RADIUS}" fill="none" stroke="{INK}" stroke-width="2"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}" viewBox="0 0 {SIZE} {SIZE}" '
        f'role="img" aria-label="{stage}">{ring}{_filled(share, middle)}</svg>'
    )


def _filled(share: float, middle: float) -> str:
    if share <= 0:
        return ""
    if share >= 1:
        return f'<circle cx="{middle:g}" cy="{middle:g}" r="{RADIUS}" fill="{INK}"/>'
    x, y = middle + RADIUS * sin(2 * pi * share), middle - RADIUS * cos(2 * pi * share)
    far = int(share > 0.5)
    start = f"M{middle:g} {middle:g}V{middle - RADIUS:g}"
    return f'<path d="{start}A{RADIUS} {RADIUS} 0 {far} 1 {x:.2f} {y:.2f}Z" fill="{INK}"/>'
