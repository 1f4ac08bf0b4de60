"""timm, imported without torch's compiler."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch.compiler

_COMPILER, _UTILS = "torch._dynamo", "torch._dynamo.utils"


def import_timm() -> None:
    """Import timm, and torchvision with it, without torch's compiler, which takes a third of the time of all of them.

    torchvision takes one function from the compiler, which tells for which devices there is one; the compiler is loaded
    when that is called. timm marks some functions of one network (NaFlex) as not to be compiled: they are left
    unmarked, since nothing is compiled here. The compiler itself can be imported afterwards as always.
    """
    with _compiler_later():
        importlib.import_module("torchvision")
    disable = torch.compiler.disable
    if _COMPILER not in sys.modules:
        torch.compiler.disable = _leave_alone  # type: ignore[assignment]  # whatever its parameters
    try:
        importlib.import_module("timm")
    finally:
        torch.compiler.disable = disable


@contextmanager
def _compiler_later() -> Iterator[None]:
    """Within this context the compiler is loaded only if that function is called, or anything else of it is taken."""
    if _COMPILER in sys.modules:
        yield
        return
    package, utils = ModuleType(_COMPILER), ModuleType(_UTILS)
    stand_ins = {_COMPILER: package, _UTILS: utils}

    def loads(module: str) -> Callable[[str], Any]:
        def attribute(name: str) -> Any:
            if name.startswith("__"):  # of which every module is asked, by whoever looks through them all
                raise AttributeError(name)
            leave()
            return getattr(importlib.import_module(module), name)

        return attribute

    def leave() -> None:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]

    vars(package).update(__path__=[], __getattr__=loads(_COMPILER))
    vars(utils).update(is_compile_supported=_is_compile_supported, __getattr__=loads(_UTILS))
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        leave()


def _is_compile_supported(device: str) -> bool:
    from torch._dynamo.utils import is_compile_supported

    return bool(is_compile_supported(device))


def _leave_alone(function: Any = None, *_: Any, **__: Any) -> Any:
    return (lambda found: found) if function is None else function
