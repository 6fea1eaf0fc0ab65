"""A real PostgreSQL of one's own on a spare port, in a folder of its own."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from sqlalchemy import create_engine, text

from sandbox.serving import free_port

ACCOUNT = "postgres"  # the server refuses to run as root


def binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, the newest there is; None where PostgreSQL is not installed."""
    folders = [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *(Path(found).resolve().parent for found in [shutil.which("initdb")] if found),
    ]
    return max(folders, key=lambda folder: folder.parent.name, default=None)


@dataclass(frozen=True)
class Server:
    """A running server: its address, and what runs `pg_ctl` on it."""

    url: str
    control: Callable[..., None]

    def crash_and_start(self) -> None:
        """Let it fall over, as when its machine does, and come back."""
        self.control("-m", "immediate", "-w", "stop")
        self.control("-w", "start")


@contextmanager
def running(bin_folder: Path) -> Iterator[str]:
    """Start a server in a folder of its own and yield its address; both are gone at the end."""
    with server(bin_folder) as started:
        yield started.url


@contextmanager
def server(bin_folder: Path) -> Iterator[Server]:
    """The same, and yield the server."""
    with TemporaryDirectory(prefix="postgres-") as name:
        folder, port = Path(name), free_port()
        as_root = getpass.getuser() == "root"
        if as_root:
            shutil.chown(folder, ACCOUNT)
        data = folder / "data"

        def run(program: str, *words: str) -> None:
            user = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if as_root else {}
            command = (str(bin_folder / program), "-D", str(data), *words)
            subprocess.run(command, check=True, timeout=60, capture_output=True, cwd=folder, env=_plain_env(), **user)  # type: ignore[call-overload]

        def control(*words: str) -> None:
            options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
            run("pg_ctl", "-o", options, "-l", str(folder / "log"), *words)

        run("initdb", "-U", "scrumbut", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        control("-w", "start")
        try:
            yield Server(f"postgresql+psycopg://scrumbut@127.0.0.1:{port}/postgres", control)
        finally:
            control("-m", "immediate", "-w", "stop")


def fresh_database(server: str, template: str = "template1") -> str:
    """The address of an empty database of that server, or of a copy of one nobody is connected to."""
    name = f"backlog_{uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()
    return server.rsplit("/", 1)[0] + f"/{name}"


def _plain_env() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
