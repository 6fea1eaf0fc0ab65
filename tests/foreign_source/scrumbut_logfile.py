"""Kind "logfile": lines like `1795000000 EXP-12 recall=0.81` that a training script prints."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from backlog.metric import Metric
from integrations.http import IntegrationError
from integrations.sources.source import Found, SourceConfig, make_reading

LINE = re.compile(r"(\d+) (\S+) (\S+)=(\S+)")


class LogFile:
    """One file; `url` is its path."""

    def __init__(self, config: SourceConfig) -> None:
        config.check_options()
        self.name = config.name
        self._path = Path(config.url)

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """All of it each time: the store keeps a reading once."""
        if not self._path.exists():
            raise IntegrationError(self.name, f'"{self._path}" does not exist.', "Mend url.", permanent=True)
        found = [match for line in self._path.read_text().splitlines() if (match := LINE.fullmatch(line))]
        for metric in metrics:
            own = [match for match in found if match[3] == metric.key]
            yield metric, [make_reading(self.name, int(m[1]), float(m[4]), experiment=m[2]) for m in own]
