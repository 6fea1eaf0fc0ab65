"""What several commands are asked alike, and the parts of the help."""

from pathlib import Path
from typing import Annotated

import typer

BEGIN, USE, RUN, KEEP = "Begin", "Use it", "Run it", "Keep the data"  # the parts of the help, as they are shown

ConfigOption = Annotated[
    Path,
    typer.Option("--config", envvar="SCRUMBUT_CONFIG", help="The configuration file."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data for scripts.")]
DEFAULT_CONFIG = Path("config.toml")
