"""Dev against production against the baseline, and runs that are given to an experiment by hand."""

import json
from collections.abc import Sequence

from bot.flows.services import Caller
from bot.verbs import Request, answer
from tests.conftest import World

HEAD = "time,metric,value,run,environment,experiment,eval_set\n"


def setup_world(world: World, *, eval_set: str = "holdout/test@v3") -> None:
    world.type('goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80')
    for environment in ("dev", "prod"):
        add = f"metric add recall --goal churn --source files --key recall --unit share --env {environment}"
        world.type(f"{add} --eval-set {eval_set}")
    world.type('new "The number to beat" --goal churn --kind baseline')
    world.type('new "Char tokens" --goal churn')
    world.type("frame EXP-2 --metric recall --min-effect 0.02")


def measure(world: World, *rows: str) -> None:
    (world.folder / "readings.csv").write_text(HEAD + "".join(f"2026-11-20T10:00:00,recall,{row}\n" for row in rows))
    world.clock.forward(minutes=20)
    world.settle()


BASELINE = [f"{0.70 + n / 1000},base-{n},dev,EXP-1," for n in range(5)]
DEV = ["0.76,a,dev,EXP-2,", "0.75,b,dev,EXP-2,"]


def compare(world: World, *words: str) -> dict[str, object]:
    said = answer(["compare", *words], Request(world.services, Caller("U0ANA", "ana")))
    assert not said.problem, said
    found: dict[str, object] = json.loads(json.dumps(said.data))
    return found


def gaps(found: dict[str, object]) -> dict[str, tuple[object, object, str]]:
    told = found["gaps"]
    assert isinstance(told, Sequence)
    return {f"{g['left']} {g['right']}": (g["gap"] and round(g["gap"], 4), g["tolerance"], g["said"]) for g in told}


def test_dev_prod_and_baseline_are_held_against_each_other_with_noise(world: World) -> None:
    setup_world(world)
    measure(world, *BASELINE, *DEV, "0.75,p,prod,EXP-2,")
    found = gaps(compare(world, "EXP-2", "--dev", "--prod", "--baseline"))
    assert found["dev prod"] == (0.01, 0.02, "within tolerance: parity holds")
    gap, tolerance, said = found["dev baseline"]
    assert (gap, tolerance) == (0.056, 0.02)
    assert said.startswith("the best reaches the smallest effect worth acting on; better: +0.053, noise 0.0016")
    text = world.type("compare EXP-2")
    assert "EXP-2 by recall (share, better up)" in text
    assert "dev against prod" in text
    assert "Noise: 0.0016 between runs of one setting." in text


def test_only_the_sides_that_were_asked_for_are_told(world: World) -> None:
    setup_world(world)
    measure(world, *DEV)
    found = compare(world, "EXP-2", "--dev", "--baseline")
    assert list(gaps(found)) == ["dev baseline"]
    gap, _, said = gaps(found)["dev baseline"]
    assert gap == 0.05, "the goal states 0.71, and no baseline was measured"
    assert "unconfirmed: no noise floor yet" in said


def test_what_is_not_there_yet_is_named(world: World) -> None:
    setup_world(world)
    assert gaps(compare(world, "EXP-2"))["dev prod"][2] == "no reading in dev yet"
    assert gaps(compare(world, "EXP-2"))["prod baseline"][2] == "no value of prod yet"
    world.type('new "Nothing" ')
    assert "EXP-3 serves no goal yet" in world.type("compare EXP-3")


def test_a_run_in_production_that_names_nobody_may_be_the_one_that_is_meant(world: World) -> None:
    setup_world(world)
    measure(world, *DEV, "0.75,p,prod,,")
    hint = "In prod no run names EXP-2. Is it the latest that names none? /exp link EXP-2 files:p"
    assert hint in world.type("compare EXP-2")
    world.type("link EXP-2 files:p")
    assert "within tolerance: parity holds" in world.type("compare EXP-2")
    assert hint not in world.type("compare EXP-2")


def test_what_is_clearly_worse_is_called_so(world: World) -> None:
    setup_world(world)
    measure(world, *BASELINE, "0.61,a,dev,EXP-2,")
    _, _, said = gaps(compare(world, "EXP-2"))["dev baseline"]
    assert "worse: -0.092, noise 0.0016, real with more than 19 in 20" in said


def test_runs_on_another_evaluation_set_are_left_out_and_counted(world: World) -> None:
    setup_world(world)
    measure(world, *DEV, "0.99,c,dev,EXP-2,holdout/test@v2", "0.75,p,prod,EXP-2,")
    found = compare(world, "EXP-2")
    sides = {side["name"]: (side["value"], side["left_out"]) for side in found["sides"]}  # type: ignore[attr-defined]
    assert sides["dev"] == (0.76, 1)


def test_sets_that_differ_are_never_compared(world: World) -> None:
    setup_world(world, eval_set='""')
    measure(world, "0.76,a,dev,EXP-2,h/test@v3", "0.75,p,prod,EXP-2,h/test@v4")
    assert gaps(compare(world, "EXP-2"))["dev prod"] == (
        None, 0.02, 'not comparable: evaluation sets "h/test@v3" and "h/test@v4" differ in version',
    )  # fmt: skip


def test_a_run_is_given_by_hand_whatever_its_tags_say_and_taken_back(world: World) -> None:
    setup_world(world)
    measure(world, "0.76,9f3c01,dev,EXP-1,", "0.75,9f3d02,dev,,")
    world.type("frame EXP-1 --metric recall")
    assert "The run files:9f3c01 belongs to EXP-2." in world.type("link EXP-2 files:run/9f3c…")
    assert "best 0.76 in dev, 1 run" in world.type("show EXP-2")
    measure(world, "0.77,9f3c01,dev,EXP-1,", "0.75,9f3d02,dev,,")
    assert "best 0.77 in dev, 1 run" in world.type("show EXP-2"), "what comes later, too"
    assert "is not undone but taken back. /exp unlink EXP-2 files:9f3c01" in " ".join(world.type("undo EXP-2").split())
    assert "belongs to what its tags say" in world.type("unlink EXP-2 csv:9f3c01")
    assert "best 0.77" not in world.type("show EXP-2")
    assert "best 0.77 in dev, 1 run" in world.type("show EXP-1")


def test_a_run_that_is_linked_before_it_was_read_belongs_where_it_was_given(world: World) -> None:
    setup_world(world)
    said = world.type("link EXP-2 files:early")
    assert 'Nothing was read of it yet: "files" brings it when one of its metrics is polled.' in said
    measure(world, "0.9,early,dev,,")
    assert "best 0.9 in dev, 1 run" in world.type("show EXP-2")


def test_a_reference_that_is_wrong_is_named(world: World) -> None:
    setup_world(world)
    measure(world, "0.7,aa1,dev,,", "0.7,aa2,dev,,")
    assert '"nowhere:run/1" names no source. Sources: files (csv).' in world.type("link EXP-2 nowhere:run/1")
    assert '"aa" begins several runs: aa1, aa2.' in world.type("link EXP-2 files:aa")
    assert '"aa1" is not one run linked to EXP-2.' in world.type("unlink EXP-2 files:aa1")
