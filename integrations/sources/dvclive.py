"""Readings from DVCLive's metric files: one tab-separated file a metric, one line a step.

DVCLive writes times only with `log_metric(…, timestamp=True)`. Without them every reading carries the time at which the
run's folder was made, and the step tells them apart; a run written into the same folder again is another run.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from backlog.experiment import EXPERIMENT_KEY, ISSUE_KEY
from backlog.metric import DEV, Metric
from integrations.http import IntegrationError
from integrations.sources.files import existing_path, mark_of, whole_lines
from integrations.sources.rows import Row, read_rows
from integrations.sources.source import Found, Seen, SourceConfig

PLACE = "plots/metrics"  # below a run's folder


class DVCLive:
    """Kind "dvclive". `url` is a run's folder (often `dvclive`) or one that holds many; a metric's `key` is its path
    below `plots/metrics` ("val/recall"). A folder named EXP-12 or ML-345 on the way names the experiment."""

    def __init__(self, config: SourceConfig) -> None:
        config.check_options()
        self.name = config.name
        self._config = config
        self._seen = Seen()

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """See `Source.fetch`. A file that grew is read whole."""
        root = existing_path(self._config)
        for plots in sorted(path for path in root.rglob("metrics") if path.match(PLACE) and path.is_dir()):
            for metric in metrics:
                path = plots / f"{metric.key}.tsv"
                if metric.environment != DEV or not path.resolve().is_relative_to(plots.resolve()):
                    continue  # DVCLive knows no environments, and a key is no way out of the folder
                if path.exists() and not self._seen.unchanged(path, metric, mark_of(path), since):
                    yield from read_rows(self.name, [metric], self._rows(path, plots, root, metric))

    def _rows(self, path: Path, plots: Path, root: Path, metric: Metric) -> Iterator[tuple[str, Row]]:
        folder = plots.parent.parent
        made = datetime.fromtimestamp(plots.stat().st_mtime, UTC)
        parts = folder.relative_to(root.parent).parts
        told = {
            "metric": metric.key,
            "run": f"{'/'.join(parts)} {made:%Y-%m-%dT%H:%M:%S}",
            "experiment": next((p for p in parts if EXPERIMENT_KEY.fullmatch(p) or ISSUE_KEY.fullmatch(p)), ""),
        }
        lines = csv.DictReader(whole_lines(path), delimiter="\t")
        column = path.stem
        if lines.fieldnames is not None and not {"step", column} <= set(lines.fieldnames):
            what = f"{path.name} has no column step or {column}."
            raise IntegrationError(self.name, what, "DVCLive writes both; was it edited?", permanent=True)
        for line in lines:
            where = f"{path.name}, line {lines.line_num}"
            yield where, {**told, "time": _time(line, made), "value": line[column], "step": line["step"]}


def _time(line: Mapping[str, str], made: datetime) -> datetime | str:
    stamp = line.get("timestamp") or ""
    return datetime.fromtimestamp(int(stamp) / 1000, UTC) if stamp.isdigit() and len(stamp) < 15 else stamp or made
