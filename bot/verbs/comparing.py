"""The verb that holds dev, prod and the baseline against each other."""

import click

from bot.flows.compare_environments import SIDES, Compared, Gap, Side, compare_experiment
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import pass_request
from bot.verbs.grammar import Request, exp


@exp.command("compare", reads=True)
@click.argument("key")
@click.option("--dev", is_flag=True, help="The experiment's runs on development data.")
@click.option("--prod", is_flag=True, help="Its runs on production data.")
@click.option("--baseline", is_flag=True, help="The baseline's runs, or the number that the goal states.")
@pass_request
def compare(request: Request, /, key: str, **wanted: bool) -> Answer:
    """Gap, tolerance and noise: /exp compare EXP-12 --dev --prod --baseline; all three without options."""
    chosen = [name for name in SIDES if wanted[name]]
    found = compare_experiment(request.services, key, chosen if len(chosen) > 1 else SIDES)
    gaps = tuple((f"{gap.left} against {gap.right}", _gap(gap)) for gap in found.gaps)
    return Answer(
        f"{found.experiment.key} by {found.metric.name}{_unit(found)}",
        gaps,
        table_of(("side", "best", "runs", "left out", "evaluation set"), [_side(side) for side in found.sides]),
        more=(_noise(found), *found.unclaimed),
        data=_data(found),
    )


def _unit(found: Compared) -> str:
    better = f"better {found.metric.better}"
    return f" ({found.metric.unit}, {better})" if found.metric.unit else f" ({better})"


def _side(side: Side) -> tuple[object, ...]:
    value = "none yet" if side.value is None else f"{side.value:.4g}"
    return side.name, value, len(side.values) or "", side.left_out or "", side.eval_set or "not named"


def _gap(gap: Gap) -> str:
    tolerance = "" if gap.tolerance is None else f", tolerance {gap.tolerance:g}"
    return gap.said if gap.gap is None else f"gap {gap.gap:+.4g}{tolerance}: {gap.said}"


def _noise(found: Compared) -> str:
    if found.noise is None:
        return "Noise: not known yet; it takes four runs of one setting, such as seeds of the baseline."
    return f"Noise: {found.noise.deviation:.2g} between runs of one setting."


def _data(found: Compared) -> dict[str, object]:
    return {
        "key": found.experiment.key,
        "metric": found.metric.name,
        "sides": [
            {"name": s.name, "value": s.value, "runs": len(s.values), "left_out": s.left_out, "eval_set": s.eval_set}
            for s in found.sides
        ],
        "gaps": [
            {"left": g.left, "right": g.right, "gap": g.gap, "tolerance": g.tolerance, "said": g.said}
            for g in found.gaps
        ],
        "noise": found.noise.deviation if found.noise else None,
    }
