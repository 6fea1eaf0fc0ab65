"""Readings from TensorBoard's event files: their scalars, without TensorFlow, TensorBoard or protobuf.

A file is a chain of records (length, its checksum, data, its checksum; TensorFlow's record_writer.h), each an `Event`
message. A record still being written ends the read; the next poll goes on there.
"""

import struct
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from backlog.experiment import EXPERIMENT_KEY, ISSUE_KEY
from backlog.metric import DEV, Metric, Reading
from integrations.http import IntegrationError
from integrations.sources.files import existing_path, mark_of
from integrations.sources.rows import PART
from integrations.sources.source import Found, Seen, SourceConfig, make_reading

EVENTS = "events.out.tfevents.*"
RECORD_MAX = 64 << 20  # bytes; more is no record but noise
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # protobuf's wire types
DT_FLOAT, DT_DOUBLE = 1, 2  # of a TensorProto
Field = tuple[int, int, int | bytes]  # number, wire type, value
Scalar = tuple[float, int, str, float]  # wall time, step, tag, value


class TensorBoard:
    """Kind "tensorboard"; needs the extra `scrumbut[tensorboard]`. A metric's `key` is the scalar's tag, a run the
    folder of its files below `url`. A folder named EXP-12 or ML-345 on the way names the experiment, one named like the
    metric's environment where it was measured."""

    def __init__(self, config: SourceConfig) -> None:
        config.check_options()
        import google_crc32c  # here, so that a missing extra is named at the start and nobody else pays for it

        self._checksum = google_crc32c.value
        self.name = config.name
        self._config = config
        self._seen = Seen()

    def fetch(self, metrics: Sequence[Metric], since: datetime | None) -> Iterator[Found]:
        """See `Source.fetch`. A file that grew is read whole."""
        root = existing_path(self._config)
        for path in sorted(root.rglob(EVENTS)) if root.is_dir() else [root]:
            mark = mark_of(path)
            due = [m for m in metrics if not self._seen.unchanged(path, m, mark, since)]
            if due:
                yield from self._file(path, root, due)

    def _file(self, path: Path, root: Path, metrics: Sequence[Metric]) -> Iterator[Found]:
        folders = path.parent.relative_to(root).parts if root.is_dir() else ()
        experiment = next((f for f in folders if EXPERIMENT_KEY.fullmatch(f) or ISSUE_KEY.fullmatch(f)), "")
        parts: dict[int, list[Reading]] = {m.id: [] for m in metrics if _measured_in(m.environment, folders)}
        wanted, run = [metric for metric in metrics if metric.id in parts], "/".join(folders)
        for wall_time, step, tag, value in self._scalars(path) if wanted else ():
            for metric in wanted:
                if metric.key == tag:
                    reading = make_reading(self.name, wall_time, value, run, step, experiment=experiment)
                    parts[metric.id].append(reading)
                    if len(parts[metric.id]) >= PART:
                        yield metric, parts[metric.id]
                        parts[metric.id] = []
        yield from ((metric, parts[metric.id]) for metric in wanted if parts[metric.id])

    def _scalars(self, path: Path) -> Iterator[Scalar]:
        with path.open("rb") as file:
            for record in self._records(file, path):
                try:
                    yield from _scalars_of(record)
                except (ValueError, IndexError, struct.error, AttributeError, TypeError, OverflowError, OSError):
                    raise self._broken(path, file.tell(), "a record that is no event") from None

    def _records(self, file: BinaryIO, path: Path) -> Iterator[bytes]:
        while len(head := file.read(12)) == 12:
            length, check = struct.unpack("<QI", head)
            if self._masked(head[:8]) != check or length > RECORD_MAX:
                raise self._broken(path, file.tell() - 12, "a wrong checksum")
            data, end = file.read(length), file.read(4)
            if len(data) < length or len(end) < 4:
                return
            if self._masked(data) != struct.unpack("<I", end)[0]:
                raise self._broken(path, file.tell(), "a wrong checksum")
            yield data

    def _masked(self, data: bytes) -> int:
        """TensorFlow's masked CRC-32C: rotated, so that a checksum of checksums stays one."""
        crc: int = self._checksum(data)
        return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFF_FFFF

    def _broken(self, path: Path, at: int, what: str) -> IntegrationError:
        remedy = "Move the file away; what was read of it is kept."
        return IntegrationError(self.name, f"{path.name} has {what} near byte {at}.", remedy, permanent=True)


def _measured_in(environment: str, folders: Sequence[str]) -> bool:
    named = [folder for folder in folders if folder in (DEV, "prod") or folder == environment]
    return environment in named or (not named and environment == DEV)


def _scalars_of(record: bytes) -> Iterator[Scalar]:
    """Event {1: wall_time, 2: step, 5: Summary {1: Value {1: tag, 2: simple_value, 8: tensor}}}"""
    wall_time, step, summaries = 0.0, 0, list[bytes]()
    for number, wire, value in _fields(record):
        if number == 1 and wire == FIXED64:
            (wall_time,) = struct.unpack("<d", value)  # type: ignore[arg-type]
        elif number == 2 and wire == VARINT:
            step = int(value)
        elif number == 5 and wire == BYTES:
            summaries.append(value)  # type: ignore[arg-type]
    for summary in summaries:
        for number, _, value in _fields(summary):
            if number == 1:
                tag, scalar = _value(value)  # type: ignore[arg-type]
                if scalar is not None:
                    yield wall_time, step, tag, scalar


def _value(message: bytes) -> tuple[str, float | None]:
    tag, scalar = "", None
    for number, wire, value in _fields(message):
        if number == 1 and wire == BYTES:
            tag = value.decode(errors="replace")  # type: ignore[union-attr]
        elif number == 2 and wire == FIXED32:
            (scalar,) = struct.unpack("<f", value)  # type: ignore[arg-type]
        elif number == 8 and wire == BYTES:
            scalar = _tensor(value)  # type: ignore[arg-type]
    return tag, scalar


def _tensor(message: bytes) -> float | None:
    """TensorProto {1: dtype, 4: tensor_content, 5: float_val, 6: double_val}: the one number in it, or None."""
    kind, packed = DT_FLOAT, b""
    for number, wire, value in _fields(message):
        if number == 1 and wire == VARINT:
            kind = int(value)
        elif number in (4, 5, 6) and isinstance(value, bytes):
            packed += value
    form = {DT_FLOAT: "<f", DT_DOUBLE: "<d"}.get(kind)
    if form is None or len(packed) != struct.calcsize(form):
        return None
    return float(struct.unpack(form, packed)[0])


def _fields(message: bytes) -> Iterator[Field]:
    """A message's fields in order; the bytes of fixed and length-delimited ones as they are."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, at = _varint(message, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, at = _varint(message, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > len(message):
            raise ValueError("a field longer than its message")
        yield number, wire, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends); negative numbers come as 64-bit two's complement."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            value &= (1 << 64) - 1
            return (value - (1 << 64) if value >> 63 else value), at
        if shift > 63:
            raise ValueError("a number without end")
