"""Gradio, imported without the stubs that it writes for editors."""

import importlib
import inspect
from typing import Any


def import_gradio() -> None:
    """Import gradio without what it does for editors, which takes it one to two seconds.

    For every class of a component gradio reads the source anew, and compares what an editor would be told of it with a
    file among its own, which it writes where it may. It passes over a class whose file is not to be found.
    """
    getfile = inspect.getfile

    def unless_component(of: Any) -> str:
        if type(of).__name__ == "ComponentMeta":
            raise OSError(f"{of}: no stub is wanted")
        return getfile(of)

    inspect.getfile = unless_component  # type: ignore[assignment]  # its parameter has another name
    try:
        importlib.import_module("gradio")
    finally:
        inspect.getfile = getfile
