"""Where readings come from. A new source is one module here and one line in SOURCES.

One of another distribution is an entry point of the group `scrumbut.sources`: its name is the kind, its value what
opens a source from a SourceConfig.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from integrations.sources.dvclive import DVCLive
from integrations.sources.files import CsvFiles, JsonLinesFiles, ParquetFiles
from integrations.sources.http_json import HttpJson
from integrations.sources.mlflow import MLflow
from integrations.sources.prometheus import Prometheus
from integrations.sources.source import Source, SourceConfig
from integrations.sources.sql import Sql
from integrations.sources.tensorboard import TensorBoard
from integrations.sources.wandb import WandB

GROUP = "scrumbut.sources"

# kind in [[sources]] -> what opens it
SOURCES: Mapping[str, Callable[[SourceConfig], Source]] = {
    "mlflow": MLflow,
    "prometheus": Prometheus,
    "wandb": WandB,
    "tensorboard": TensorBoard,
    "sql": Sql,
    "http": HttpJson,
    "csv": CsvFiles,
    "jsonl": JsonLinesFiles,
    "parquet": ParquetFiles,
    "dvclive": DVCLive,
}


def source_kinds() -> list[str]:
    """Every kind there is: our own, and those of other distributions."""
    return [*SOURCES, *(point.name for point in entry_points(group=GROUP) if point.name not in SOURCES)]


def open_source(kind: str, config: SourceConfig) -> Source:
    """Open a source; nothing is read yet. Raises ValueError for options that cannot be, ImportError where another
    distribution's code or an extra is missing."""
    if kind in SOURCES:
        return SOURCES[kind](config)
    (point, *_) = entry_points(group=GROUP, name=kind)
    source: Source = point.load()(config)
    return source
