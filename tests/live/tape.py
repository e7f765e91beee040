"""Tapes read and forged without the program: "BWTAPE01", then frames of length, chained CRC-32 and payload."""

import struct
import zlib
from pathlib import Path

MAGIC = b"BWTAPE01"
# A file that goes on begins with so many bytes that are no frame.
SEGMENT_HEAD = 24
# The places of the variants of `Record` in src/tape/record.rs.
START, TRADE, STOP, RESUME, EFFECT, END, VENUE = 0, 1, 11, 12, 13, 14, 15


def framed(data, at, check):
    """The payloads of the whole frames from a place on, each with the check up to it; a torn tail is left out."""
    while len(data) - at >= 8:
        length, said = struct.unpack_from("<II", data, at)
        payload = data[at + 8 : at + 8 + length]
        if len(payload) < length:
            return
        check = zlib.crc32(payload, check)
        assert said == check, f"the frame at {at}: check {said:08x}, bytes give {check:08x}"
        yield payload, check
        at += 8 + length


def frames(data):
    """The payloads of a tape of one file."""
    assert MAGIC.startswith(data[:8]), data[:8]
    return [payload for payload, _ in framed(data, 8, zlib.crc32(MAGIC))]


def payloads(path):
    """The payloads of a tape with all its files; of what is too much for memory none is kept."""
    check, number, file, at = zlib.crc32(MAGIC), 0, Path(path), 8
    while file.exists():
        data = file.read_bytes()
        assert number > 0 or data[:8] == MAGIC, data[:8]
        for payload, check in framed(data, at, check):
            yield payload
        number, at = number + 1, SEGMENT_HEAD
        file = Path(f"{path}.{number:04d}")


def offsets(data):
    """Where each frame begins, and behind the last one."""
    at, found = 8, [8]
    while len(data) - at >= 8:
        at += 8 + struct.unpack_from("<I", data, at)[0]
        found.append(at)
    return found


def written(payloads):
    """A tape of these payloads, with checks that hold."""
    check, out = zlib.crc32(MAGIC), bytearray(MAGIC)
    for payload in payloads:
        check = zlib.crc32(payload, check)
        out += struct.pack("<II", len(payload), check) + payload
    return bytes(out)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def as_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def session_of(start):
    """The upper half of the session's client order ids, of the tape's first payload."""
    kind, at = varint(start, 0)
    assert kind == START
    _, at = varint(start, at)
    return varint(start, at)[0]


def text(payload, at):
    length, at = varint(payload, at)
    return payload[at : at + length].decode(), at + length


def effects(payloads):
    """What the session did, with the numbers of the records."""
    return [(n, text(p, 1)[0]) for n, p in enumerate(payloads) if p[0] == EFFECT]


def fill_ids(payloads):
    """By order: the venue's ids of its fills."""
    ids = {}
    for payload in payloads:
        if payload[0] == VENUE and payload[1] == 1:
            order, at = varint(payload, 2)
            ids.setdefault(order, []).append(text(payload, at)[0])
    return ids


def trades(payloads):
    """When each trade was heard, nanoseconds, and the mantissa of its price."""
    for payload in payloads:
        if payload[0] == TRADE:
            numbers, at = [], 1
            for _ in range(3):
                coded, at = varint(payload, at)
                numbers.append((coded >> 1) ^ -(coded & 1))
            yield numbers[0], numbers[2]


def with_price(payload, factor):
    """A trade's record with its price times a factor."""
    assert payload[0] == TRADE
    at = 1
    for _ in range(2):
        _, at = varint(payload, at)
    coded, end = varint(payload, at)
    price = (coded >> 1) ^ -(coded & 1)
    return payload[:at] + as_varint(round(price * factor) << 1) + payload[end:]
