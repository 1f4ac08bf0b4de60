"""Python in a process of its own, as a shell starts it."""

import subprocess
import sys


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options
    )
