"""The least a report costs: read a stored snapshot and write it as JSON."""

from pydantic import TypeAdapter

from backlog.snapshot import Snapshot

ADAPTER = TypeAdapter(Snapshot)


def read_and_write(stored: bytes) -> bytes:
    """The snapshot's JSON, parsed and dumped again."""
    return ADAPTER.dump_json(ADAPTER.validate_json(stored))
