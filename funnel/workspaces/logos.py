"""A business's logo: a PNG or JPEG, judged by what is in it, kept under its fingerprint, served as what it is."""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path
from uuid import UUID

from django.conf import settings

BIGGEST = 512 * 1024
WIDEST = 3000
PNG = b"\x89PNG\r\n\x1a\n"
NAME = re.compile(r"[0-9a-f]{64}\.(?:png|jpg)")
TYPES = {"png": "image/png", "jpg": "image/jpeg"}
# Frames of a JPEG that say its size: SOF0 to SOF15 without the tables between them.
SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class NoPicture(ValueError):
    """Bytes that we don't take as a logo; the sentence says why."""


def folder_of(workspace_id: UUID) -> Path:
    """Where a workspace's files are."""
    return Path(settings.MEDIA_ROOT) / str(workspace_id)


def judge(content: bytes) -> str:
    """Tell "png" or "jpg" by what is in it; raise NoPicture."""
    if len(content) > BIGGEST:
        raise NoPicture("This file is bigger than 512 kB; save it smaller.")
    if content.startswith(PNG) and content[12:16] == b"IHDR" and len(content) > 33:
        kind, size = "png", struct.unpack(">II", content[16:24])
    elif content.startswith(b"\xff\xd8\xff"):
        kind, size = "jpg", _jpeg_size(content)
    else:
        raise NoPicture("This is no PNG or JPEG picture.")
    if not 1 <= size[0] <= WIDEST or not 1 <= size[1] <= WIDEST:
        raise NoPicture(f"This picture is larger than {WIDEST} pixels a side; save it smaller.")
    return kind


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Walk the segments to the frame that says width and height."""
    place = 2
    while place + 9 < len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        (length,) = struct.unpack(">H", content[place + 2 : place + 4])
        if marker in SIZES:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        place += 2 + length
    raise NoPicture("This JPEG can’t be read; save it again.")


def keep(workspace_id: UUID, content: bytes) -> str:
    """Keep a logo and give its name; raise NoPicture. The same picture has the same name, and none is ever changed."""
    kind = judge(content)
    name = f"{hashlib.sha256(content).hexdigest()}.{kind}"
    folder = folder_of(workspace_id)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / name).exists():
        # A name that is there is whole: it appears only when all of it is written.
        (folder / f".{name}").write_bytes(content)
        (folder / f".{name}").replace(folder / name)
    return name
