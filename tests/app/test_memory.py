import os
import subprocess
import sys

import pytest

HEAPS = """
import ctypes, sys, threading
from app.memory import share_arenas
if "few" in sys.argv and not share_arenas():
    sys.exit(3)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
meeting = threading.Barrier(8)
def take():
    meeting.wait()
    libc.malloc(5000)
    meeting.wait()
threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def heaps(*arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    ended = subprocess.run(
        [sys.executable, "-c", HEAPS, *arguments], capture_output=True, text=True, timeout=60, env=environment
    )
    if ended.returncode == 3:
        pytest.skip("this C library has no arenas")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.count("<heap nr=")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no arenas")
def test_threads_share_two_arenas():
    assert heaps("few") <= 2 < heaps()
