"""The pull beside its rivals: 5,000 real issues over loopback, each client in a process of its own, and 100,000."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing import Process
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from bench.measured import Measured, judged
from sandbox.jira import JiraSandbox

RUNS = 5  # alternating; the median counts
ISSUES, MANY = 5_000, 100_000
RATIO, GROWTH = 2.0, 1.1  # bars: beside the floor, and of the memory at MANY beside that at ISSUES
REQUESTS = 3  # an incremental pull with nothing changed may cost
MB = 120  # an absolute figure: printed, and judged by people


def pulls(folder: Path, running: ExitStack) -> Iterator[Measured]:
    """Time and memory of each client, memory over the scope, requests over the changes."""
    few, kind = stand_in(running, ISSUES), "real" if real_issues() else "synthetic"
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ("requests", "jira", "atlassian", "ours")}
    for _ in range(RUNS):
        for name, done in runs.items():
            done.append(run(name, few, folder))
            assert done[-1]["issues"] == ISSUES, done[-1]
    figures = {name: [[one[unit] for one in done] for unit in ("seconds", "mb")] for name, done in runs.items()}
    ours = figures["ours"]
    for name, label in (
        ("requests", "requests + json"),
        ("jira", "jira objects"),
        ("atlassian", "atlassian-python-api"),
    ):
        bar = RATIO if name == "requests" else None
        yield judged(f"pull of {ISSUES:,} {kind}, {label}", ours[0], figures[name][0], "s", bar)
        yield judged(f"its memory (bar {MB} MB), {label}", ours[1], figures[name][1], "MB", None)
    many = [run("ours", stand_in(running, MANY), folder)]
    yield judged(f"memory at {MANY:,}, at {ISSUES:,}", [one["mb"] for one in many], ours[1], "MB", GROWTH)
    asked = {int(count): requests for count, requests in run("changes", few, folder)["requests"].items()}
    assert asked[0] <= REQUESTS, asked
    for count, requests in asked.items():
        yield judged(f"requests after {count:,} changes", [requests], [REQUESTS + count / 100], "", 1.0)


def run(client: str, url: str, folder: Path) -> dict[str, Any]:
    """The figures of one pull."""
    command = [sys.executable, "-m", "bench.clients", client, url, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def stand_in(running: ExitStack, count: int) -> str:
    """The address of a Jira Cloud that holds so many issues, in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = Process(target=_serve, args=(port, count), daemon=True)
    process.start()
    running.callback(process.kill)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/", timeout=30)
            return f"http://127.0.0.1:{port}"
        except httpx2.TransportError:
            time.sleep(0.2)
    raise RuntimeError("the stand-in of Jira did not start")


def _serve(port: int, count: int) -> None:
    jira = JiraSandbox()
    fill(jira, count)
    flags = {"log_level": "error", "lifespan": "off", "interface": "asgi3", "date_header": False}
    uvicorn.run(jira.app, port=port, **flags)  # type: ignore[arg-type]


def real_issues() -> Path | None:
    """The file of real issues, where it is at hand."""
    path = Path(os.environ.get("SCRUMBUT_SHARED", "../shared")) / "data/jira/appcelerator-17k.jsonl.xz"
    return path if path.exists() else None


def fill(jira: JiraSandbox, count: int) -> None:
    """Real issues under new ids and keys, over and over until there are enough; synthetic ones where there are none."""
    path = real_issues()
    if path is None:
        for number in range(count):
            jira.put({"id": str(number), "key": f"REAL-{number + 1}", "fields": dict(_synthetic(number))})
        return
    source = JiraSandbox()
    source.load(path)
    originals = source.issues()
    step = max(1, len(originals) // count)
    for number in range(count):
        raw = originals[number * step % len(originals)]
        fields = raw["fields"] | {"project": raw["fields"]["project"] | {"key": "REAL"}}
        jira.put({"id": str(1_000_000 + number), "key": f"REAL-{number + 1}", "fields": fields})


def _synthetic(number: int) -> dict[str, Any]:
    stamp = f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}T10:00:{number % 60:02d}.000+0000"
    category = {"id": 2, "key": "new", "colorName": "blue-gray", "name": "To Do"}
    return {
        "summary": f"Issue {number} with a summary of a usual length", "project": {"id": "1", "key": "REAL"},
        "status": {"id": "1", "name": "To Do", "statusCategory": category}, "resolution": None, "assignee": None,
        "labels": ["synthetic"], "priority": {"id": "3", "name": "Medium"}, "updated": stamp, "created": stamp,
    }  # fmt: skip
