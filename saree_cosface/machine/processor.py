"""Which processor this is, in words: what was measured on one says little of another."""

import platform
import re
from pathlib import Path

_CPUINFO = "/proc/cpuinfo"
_VECTORS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def processor(cpuinfo: str = _CPUINFO) -> str:
    """Its name, and those of its vector instructions that decide how fast a network runs.

    Virtual machines of many kinds bear one name, so the name alone would not do.

    Args:
        cpuinfo: the file in which Linux tells; elsewhere Python is asked.

    >>> processor("/nowhere") == (platform.processor() or platform.machine())
    True
    """
    try:
        told = Path(cpuinfo).read_text(encoding="utf-8", errors="replace")
    except OSError:
        told = ""
    fields = dict(re.findall(r"^(model name|flags|Features|CPU part)\s*: *(.*)$", told, re.MULTILINE))
    flags = fields.get("flags", "").split()
    name = fields.get("model name", "").strip() or platform.processor() or platform.machine()
    return " ".join([name, *(flag for flag in _VECTORS if flag in flags)])
