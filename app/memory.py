"""What the C library keeps of the memory that answers have given back."""

import ctypes
import sys

_M_ARENA_MAX = -8  # malloc.h of glibc
_ARENAS = 2


def share_arenas() -> bool:
    """Have all threads take their memory from two arenas, instead of up to eight for each core.

    An answer takes and frees hundreds of megabytes in whichever thread is free, and every arena keeps some of that:
    with 20 users at once half a gigabyte. To be called before threads are started.

    Returns:
        whether this C library is glibc, which alone has such arenas, and took it.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS))
    except (AttributeError, OSError):
        return False
