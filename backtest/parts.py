"""Every part of the backtest: what it is called in the JSON, the files it reads, and the function that scores it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backtest.climbs import score_range, score_stall, score_targets, score_weeks
from backtest.durations import score_ages, score_dates, score_silences
from backtest.files import HistoryError
from backtest.guards import score_changes, score_guard, score_nab
from backtest.scores import Scored
from backtest.settings import score_gap, score_noise

UNLABELLED = "needs labels or pairs that a team's own history does not hold"
EXPERIMENTS = ("experiments.csv", "experiments_meta.csv")


@dataclass(frozen=True, slots=True)
class Part:
    """One method on one question. It needs all of `files`; where there are none of them, any of `either`."""

    about: str
    score: Callable[[Path], Scored]
    files: Sequence[str] = ()
    either: Sequence[str] = ()

    def missing(self, folder: Path) -> str:
        """The files that are not there, in words; empty where all is there."""
        absent = [name for name in self.files if not (folder / name).exists()]
        if self.either and not any((folder / name).exists() for name in self.either):
            absent.append(" or ".join(self.either))
        return ", ".join(absent)


PARTS: Mapping[str, Part] = {
    "A": Part("target reached within k trials", score_targets, EXPERIMENTS),
    "A_weeks": Part("target reached within w weeks", score_weeks, EXPERIMENTS),
    "A_range": Part("the best after k trials", score_range, EXPERIMENTS),
    "B": Part("stalled", score_stall, EXPERIMENTS),
    "C1": Part("when N are done", score_dates, either=("throughput.csv", "pr_cycle.csv")),
    "C2": Part("how long one still takes", score_ages, either=("pr_cycle.csv", "jira_rueed.csv")),
    "D": Part("a metric leaves its range", score_guard, ("nab/combined_windows.json",)),
    "D_nab": Part("the same by NAB's rules", score_nab, ("nab/combined_windows.json",)),
    "D_change": Part("when a metric changed", score_changes, ("tcpd.json",)),
    "D_gap": Part("dev to prod", score_gap, ("devprod_timm.csv",)),
    "D_stale": Part("a metric fell silent", score_silences, either=("pr_cycle.csv", "experiments.csv")),
    "E": Part("is a gain real", score_noise, ("seeds_nanogpt.csv",)),
}


def chosen(only: str) -> list[str]:
    """The parts named by "A,B,…": a letter stands for all its parts, nothing for all there are. Raises ValueError
    naming the first that is none."""
    wanted = [word.strip() for word in only.split(",") if word.strip()]
    for word in wanted:
        if not any(name == word or name.startswith(f"{word}_") or name[:-1] == word for name in PARTS):
            raise ValueError(f'"{word}" is no part of the backtest. Parts: {", ".join(PARTS)}.')
    return [
        name for name in PARTS if not wanted or any(name == w or name.rstrip("12").split("_")[0] == w for w in wanted)
    ]


def score_part(name: str, folder: Path, own: bool = False) -> Scored:
    """Score one part; where its files are not there, or cannot be read, it says so. `own`: a team wrote the folder
    from its own history, which holds no labels."""
    part = PARTS[name]
    missing = part.missing(folder)
    if missing:
        return Scored(why=UNLABELLED if own else f"no file {missing}")
    try:
        return part.score(folder)
    except HistoryError as error:
        return Scored(why=str(error), wrong=True)
