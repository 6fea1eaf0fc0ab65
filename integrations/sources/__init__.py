"""Where readings come from. A new source is one module here and one line in SOURCES."""

from collections.abc import Callable, Mapping

from integrations.sources.files import CsvFiles, JsonLinesFiles
from integrations.sources.mlflow import MLflow
from integrations.sources.source import Source

# kind in [[sources]] -> what opens it from (name, url)
SOURCES: Mapping[str, Callable[[str, str], Source]] = {
    "mlflow": MLflow,
    "csv": CsvFiles,
    "jsonl": JsonLinesFiles,
}
