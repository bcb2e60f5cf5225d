"""Row ids that sort by the moment they were made."""

import os
import time
from uuid import UUID

MANY = 64
_chance: list[bytes] = []
# A child process with its parent's would make the same ids.
os.register_at_fork(after_in_child=_chance.clear)


def uuid7() -> UUID:
    """Give a UUID version 7: 48 bits of Unix milliseconds, then 74 random bits (RFC 9562, section 5.7)."""
    try:
        chance = _chance.pop()
    except IndexError:
        # Asking the system for chance costs more than all the rest, so it is asked for many at once.
        much = os.urandom(10 * MANY)
        chance, *rest = (much[start : start + 10] for start in range(0, len(much), 10))
        _chance.extend(rest)
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(chance, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
