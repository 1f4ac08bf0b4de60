import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # torch is imported anew

ALONE = """
import sys, torch
disable = torch.compiler.disable
import saree_cosface.networks.embedder
assert "torchvision" in sys.modules
assert not [name for name in sys.modules if name.startswith("torch._dynamo")]
assert torch.compiler.disable is disable
from torchvision.ops import roi_align
pooled = roi_align(torch.ones(1, 1, 4, 4), torch.tensor([[0.0, 0.0, 0.0, 4.0, 4.0]]), 2)
assert pooled.tolist() == [[[[1, 1], [1, 1]]]]
from torchvision.ops.roi_align import is_compile_supported
import torch._dynamo
assert is_compile_supported("cpu") == torch._dynamo.utils.is_compile_supported("cpu")
assert torch.compile(lambda x: x + 1, backend="eager")(torch.zeros(2)).tolist() == [1, 1]
"""

AFTER = """
import torch._dynamo
utils = torch._dynamo.utils
import saree_cosface.networks.embedder, timm
assert torch._dynamo.utils is utils
"""


MORE = """
import importlib.util
spec = importlib.util.spec_from_file_location("timm_alone", {file!r})
timm_alone = importlib.util.module_from_spec(spec)
spec.loader.exec_module(timm_alone)
with timm_alone._compiler_later():
    from torch._dynamo.utils import is_compile_supported, counters
import torch._dynamo
assert torch._dynamo.utils.counters is counters
"""


def ended(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)


def test_the_compiler_is_not_loaded_and_can_be():
    done = ended(ALONE)
    assert done.returncode == 0, done.stderr


def test_a_torchvision_that_takes_more_of_the_compiler_gets_it():
    done = ended(MORE.format(file=str(Path(__file__).parents[2] / "saree_cosface" / "networks" / "timm_alone.py")))
    assert done.returncode == 0, done.stderr


def test_a_compiler_that_is_loaded_stays_what_it_is():
    done = ended(AFTER)
    assert done.returncode == 0, done.stderr
