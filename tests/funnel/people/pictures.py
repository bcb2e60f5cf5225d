"""Pictures for tests, made by hand."""

from __future__ import annotations

import struct
import zlib


def png(width: int, height: int, *, says: tuple[int, int] | None = None) -> bytes:
    """A grey PNG; `says` is the size that its head claims instead."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", *(says or (width, height)), 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\x00" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


# The head of a JPEG of 60 × 20: a start, one table, the frame that says its size.
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0000b080014003c01011100ffd9") + b"\x00" * 8
