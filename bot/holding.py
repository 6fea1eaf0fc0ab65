"""One process at a time on a file of SQLite: two would both deliver and both tick."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.config import ConfigError


@contextmanager
def holding(url: str) -> Iterator[None]:
    """Hold the lock beside a SQLite file; on PostgreSQL there is none. Raises ConfigError naming who holds it."""
    if not url.startswith("sqlite:///"):
        yield
        return
    path = Path(url.removeprefix("sqlite:///") + ".lock")
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise ConfigError(
                f"Another scrumbut serve (process {holder}) uses {url}. Stop it, or name another [database] url."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
