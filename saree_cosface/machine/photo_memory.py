"""How much memory decoding one photo may take: one number for every command.

The number is, in this order: what ``--photo-memory`` or :func:`use` says, the environment variable
``SAREE_COSFACE_PHOTO_MEMORY``, and 2 GB. Pictures that need more are refused from their header
(:mod:`saree_cosface.data.memory`), so that no file, however small it is, fills the machine.
"""

import os
import re

VARIABLE = "SAREE_COSFACE_PHOTO_MEMORY"
DEFAULT = 2_000_000_000
LEAST = 1_000_000
"""With less not even a telephone's photo could be decoded at a fraction: who says 4 means 4 GB."""

_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000, "t": 1_000_000_000_000}


class PhotoMemoryError(ValueError):
    """The amount of memory that is asked for is none; the message says where."""


def use(amount: str | None = None) -> None:
    """Allow so much from now on, such as "4GB"; None for what the environment variable says.

    Raises:
        PhotoMemoryError: it is no amount of memory.
    """
    if amount is not None:
        _bytes(amount, "--photo-memory")
        os.environ[VARIABLE] = amount  # which worker processes see too
    limit()


def limit() -> int:
    """Bytes that decoding a photo may take.

    Raises:
        PhotoMemoryError: the environment variable holds no amount of memory.
    """
    return _bytes(os.environ[VARIABLE], VARIABLE) if VARIABLE in os.environ else DEFAULT


def told(amount: int) -> str:
    """An amount of bytes in words.

    >>> told(2_000_000_000), told(1_340_000_000), told(72_500_000), told(800)
    ('2 GB', '1.3 GB', '72 MB', '1 MB')
    """
    if amount >= 1_000_000_000:
        return f"{amount / 1e9:.1f}".removesuffix(".0") + " GB"
    return f"{max(1, round(amount / 1e6))} MB"


def _bytes(amount: str, where: str) -> int:
    found = _AMOUNT.fullmatch(amount)
    size = int(float(found[1]) * _UNITS[found[2].lower()]) if found else 0
    if size < LEAST:
        least = f", at least {told(LEAST)}" if found else ""
        raise PhotoMemoryError(f"{where} is {amount}; it must be an amount of memory, such as 500MB or 4GB{least}.")
    return size
