"""A real PostgreSQL of one's own on a spare port, in a folder of its own."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from sqlalchemy import create_engine, text

from tests.test_bot_serve import free_port

ACCOUNT = "postgres"  # the server refuses to run as root


def binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, the newest there is; None where PostgreSQL is not installed."""
    folders = [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *(Path(found).resolve().parent for found in [shutil.which("initdb")] if found),
    ]
    return max(folders, key=lambda folder: folder.parent.name, default=None)


@contextmanager
def running(bin_folder: Path) -> Iterator[str]:
    """Start a server in a folder of its own and yield its address; both are gone at the end."""
    with TemporaryDirectory(prefix="postgres-") as folder, _server(Path(folder), bin_folder) as url:
        yield url


@contextmanager
def _server(folder: Path, bin_folder: Path) -> Iterator[str]:
    as_root = getpass.getuser() == "root"
    data, port = folder / "data", free_port()
    if as_root:
        shutil.chown(folder, ACCOUNT)

    def run(*command: str) -> None:
        user = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if as_root else {}
        subprocess.run(command, check=True, timeout=60, capture_output=True, cwd=folder, env=_plain_env(), **user)  # type: ignore[call-overload]

    run(str(bin_folder / "initdb"), "-D", str(data), "-U", "scrumbut", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    run(str(bin_folder / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql+psycopg://scrumbut@127.0.0.1:{port}/postgres"
    finally:
        run(str(bin_folder / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")


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
