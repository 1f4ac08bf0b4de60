"""The processor, as Linux tells of it."""

import platform

from saree_cosface.machine.processor import processor

INTEL = """processor\t: 0
model name\t: Some Processor
flags\t\t: fpu sse2 avx avx2 avx512f amx_tile amx_bf16

processor\t: 1
model name\t: Some Processor
flags\t\t: fpu sse2 avx avx2 avx512f amx_tile amx_bf16
"""


def test_machines_of_one_name_are_told_apart_by_what_they_compute_with(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text(INTEL)
    assert processor(str(path)) == "Some Processor avx2 avx512f amx_bf16"
    path.write_text(INTEL.replace(" avx512f amx_tile amx_bf16", ""))
    assert processor(str(path)) == "Some Processor avx2"


def test_where_nothing_is_told_python_is_asked(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_bytes(b"processor : 0\n\xff\n")
    assert processor(str(path)) == processor(str(tmp_path / "none")) == platform.processor() or platform.machine()
