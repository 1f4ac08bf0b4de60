"""timm, imported without torch's compiler."""

import importlib
import sys
from types import ModuleType
from typing import Any

import torch.compiler

_COMPILER = "torch._dynamo"


def import_timm() -> None:
    """Import timm, and torchvision with it, without torch's compiler, which takes a third of the time of all of them.

    torchvision takes one function from the compiler, which tells for which devices there is one; the compiler is loaded
    when that is called. timm marks some functions of one network (NaFlex) as not to be compiled: they are left
    unmarked, since nothing is compiled here. The compiler itself can be imported afterwards as always.
    """
    if _COMPILER in sys.modules:
        importlib.import_module("timm")
        return
    package, utils = ModuleType(_COMPILER), ModuleType(f"{_COMPILER}.utils")
    package.__path__ = []
    utils.is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
    disable = torch.compiler.disable
    sys.modules |= {package.__name__: package, utils.__name__: utils}
    torch.compiler.disable = _leave_alone  # type: ignore[assignment]
    try:
        importlib.import_module("torchvision")
        del sys.modules[package.__name__], sys.modules[utils.__name__]
        importlib.import_module("timm")
    finally:
        torch.compiler.disable = disable
        for module in (package, utils):
            if sys.modules.get(module.__name__) is module:
                del sys.modules[module.__name__]


def _is_compile_supported(device: str) -> bool:
    from torch._dynamo.utils import is_compile_supported

    return bool(is_compile_supported(device))


def _leave_alone(function: Any = None, *_: Any, **__: Any) -> Any:
    return (lambda found: found) if function is None else function
