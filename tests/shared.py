"""Where the schemas and the data of others lie; a user has none of it, and tests that need it then skip."""

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent


def shared_folder() -> Path | None:
    """The folder, or None where it is not beside the project."""
    folder = Path(os.environ.get("SCRUMBUT_SHARED", "../shared"))
    found = folder if folder.is_absolute() else ROOT / folder
    return found if found.is_dir() else None
