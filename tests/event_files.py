"""Writes TensorBoard's event files as TensorFlow's own writer would, byte by byte."""

import struct
from pathlib import Path

import google_crc32c


def masked(data: bytes) -> int:
    """The checksum that stands beside each part of a record."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFF_FFFF


def record(data: bytes) -> bytes:
    """One record of the chain."""
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked(head)) + data + struct.pack("<I", masked(data))


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def scalar(tag: str, wall_time: float, step: int, value: float, tensor: bool = False) -> bytes:
    """An event with one scalar: `simple_value` as TensorFlow 1 and PyTorch write it, or TensorFlow 2's tensor."""
    number = struct.pack("<f", value)
    kept = field(8, b"\x08\x01" + field(4, number)) if tensor else b"\x15" + number
    summary = field(1, field(1, tag.encode()) + kept)
    return record(b"\x09" + struct.pack("<d", wall_time) + b"\x10" + varint(step) + field(5, summary))


def write_events(path: Path, *events: bytes) -> Path:
    """A whole file with its opening record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    opening = record(b"\x09" + struct.pack("<d", 1.0) + field(3, b"brain.Event:2"))
    path.write_bytes(opening + b"".join(events))
    return path
