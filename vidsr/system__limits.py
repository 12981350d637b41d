"""What this machine has: cores, and how large a picture may be, asked before memory is taken: to claim a size costs a
file nothing.
"""

import os
from contextlib import suppress

from vidsr.system__control import memory_limits

MOST_PIXELS = 1 << 28
"""Of one picture, read or written: about what FFmpeg holds at most, and twice a film of 16K."""
BYTES_A_PIXEL = 16
"""Memory that a picture takes at worst until it is enlarged or written (RGB, held as 10-bit 4:4:4 as well)."""
MOST_SCALE = 16  # of a network; more is a mistake, or meant to do harm
MOST_STEP = 64  # the same of what the sides of its pictures are multiples of


def most_pixels() -> int:
    """Pixels that a picture may have here: MOST_PIXELS, or what the memory there is holds where that is less."""
    memory = most_memory()
    return MOST_PIXELS if memory is None else min(MOST_PIXELS, memory // BYTES_A_PIXEL)


def most_memory() -> int | None:
    """Bytes of memory that a process may have here: the machine's, or its control group's where that is less.

    None where the system does not say.
    """
    known = []
    with suppress(AttributeError, ValueError, OSError):  # Windows does not say
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min([*known, *(limit for limit, _ in memory_limits())], default=None)


def fits(width: int, height: int) -> bool:
    """Whether a picture of that size can be held."""
    # The second is FFmpeg's own rule (av_image_check_size), which very wide or tall pictures meet first.
    return width * height <= most_pixels() and (8 * width + 1024) * (height + 128) < 1 << 31


def megapixels() -> str:
    """The limit in a sentence."""
    return f"{most_pixels() // 1_000_000} megapixels"


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
