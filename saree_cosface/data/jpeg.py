"""What the markers of a JPEG tell before and after it is decoded."""

import struct
from typing import BinaryIO

_SCAN = 0xDA
_BARE = {0x01, 0xD8, *range(0xD0, 0xD8)}  # markers without a segment


def interleaved(file: BinaryIO, colours: int) -> bool:
    """Whether the first scan of a JPEG has all its colours, so that it can be decoded line by line."""
    file.seek(0)
    while len(marker := file.read(2)) == 2 and marker[0] == 0xFF:
        if marker[1] in _BARE:
            continue
        if marker[1] == 0xFF:  # padding
            file.seek(-1, 1)
            continue
        length = file.read(2)
        if len(length) < 2:
            break
        if marker[1] == _SCAN:
            return file.read(1) == bytes([colours])
        file.seek(struct.unpack(">H", length)[0] - 2, 1)
    return False
