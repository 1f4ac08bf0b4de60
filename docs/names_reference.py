"""The page of the reference on the public names of the package, and what references in their docstrings lead to."""

import inspect
import re
import sys
from dataclasses import is_dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import saree_cosface
from saree_cosface.files import write_text
from saree_cosface.heads import Head

OURS = "saree_cosface"
PAGE = "reference/python.md"

BEGINNING = """# Python

These names are for everybody, and typed; everything else may move from one version to the next. They are loaded when
they are first used, so that `import saree_cosface` is light. Shapes are written as `(N, D)`, cosines lie between −1 and
1, and an error says which file is wrong, and what to do. What `run_folder`, `manifest_file` and the like are in the
examples is made by the tests that run them: a small trained run, and the manifest of its photos.

"""

LOSSES = """All losses are called alike: `loss = head(embeddings, labels)`, with embeddings `(B, D)` of any length and
labels `(B,)`. The other losses of the comparisons, `Softmax`, `LargeMarginSoftmax`, `SoftmaxContrastive`,
`SoftmaxCenter` and `Triplet`, are in `saree_cosface.heads`, each with the options of its paper."""


def kind(name: str) -> str:
    """Under which heading a name stands."""
    public = getattr(saree_cosface, name)
    if inspect.isfunction(public):
        return "What is done"
    if is_dataclass(public) and public.__module__ == "saree_cosface.options":
        return "Options"
    return "Losses" if issubclass(public, Head) else "What it is done with"


def returned() -> list[type]:
    """The classes of this package that public functions return, which are reached by no public name."""
    functions = [getattr(saree_cosface, name) for name in saree_cosface.__all__ if kind(name) == "What is done"]
    classes = {get_type_hints(function)["return"] for function in functions}
    ours = [each for each in classes if each.__module__.startswith(OURS)]
    return sorted(ours, key=lambda each: each.__name__)


def page() -> str:
    """The page, as Markdown around what autodoc reads."""
    parts = [BEGINNING]
    for heading in ("What is done", "What it is done with", "Losses", "Options"):
        names = [name for name in saree_cosface.__all__ if kind(name) == heading]
        told = "\n".join(_directive(f"saree_cosface.{name}", getattr(saree_cosface, name)) for name in names)
        note = f"{LOSSES}\n\n" if heading == "Losses" else ""
        parts.append(f"## {heading}\n\n{note}```{{eval-rst}}\n{told}```\n\n")
    told = "\n".join(_directive(f"{each.__module__}.{each.__qualname__}", each) for each in returned())
    return "".join([*parts, f"## What is returned\n\n```{{eval-rst}}\n{told}```\n"])


def _directive(name: str, public: Any) -> str:
    if inspect.isfunction(public):
        return f".. autofunction:: {name}\n"
    own = is_dataclass(public) and public.__module__ == "saree_cosface.options"
    inherited = "\n   :inherited-members: Module" if issubclass(public, Head) else ""
    return f".. autoclass:: {name}\n" + ("" if own else f"   :members:{inherited}\n")


def write_page(app: Sphinx) -> None:
    """Write the page into the folder of the sources, where it is ignored by git."""
    path = Path(app.srcdir) / PAGE
    if not path.is_file() or path.read_text(encoding="utf-8") != page():
        write_text(path, page())


def there(dotted: str) -> bool:
    """Whether a dotted name is a module, or something in one, of ours or of another library.

    >>> there("saree_cosface.heads.scale.minimum_scale"), there("saree_cosface.heads.scale.maximum_scale")
    (True, False)
    """
    parts = dotted.split(".")
    if len(parts) == 1:  # as it is known where the docstring stands
        return any(hasattr(module, dotted) for name, module in tuple(sys.modules.items()) if name.startswith(OURS))
    if parts[0] != OURS:
        return find_spec(parts[0]) is not None
    for end in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None) or getattr(found, "__annotations__", {}).get(part)
        return found is not None
    return False


def not_linked(
    app: Sphinx, environment: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """What has no place on these pages stands as text, if it is there at all; else Sphinx warns."""
    if node["refdomain"] != "py":
        return None
    return content if there(node["reftarget"]) else None


def bars(app: Sphinx, what: str, name: str, public: Any, options: Any, lines: list[str]) -> None:
    """Lengths such as |x| stand as they are, where reStructuredText would look for something to put in their place."""
    for place, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            lines[place] = re.sub(r"(``.*?``)|\|", lambda found: found[1] or r"\|", line)


def whole(app: Sphinx, what: str, name: str, public: Any, options: Any, lines: list[str]) -> None:
    """What a property is, up to a colon, which napoleon takes for its type, stands before the rest again."""
    if what == "property" and (said := next((line for line in lines if line.startswith(":type: ")), "")):
        lines.remove(said)
        lines[0] = f"{said.removeprefix(':type: ')}: {lines[0]}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the page before Sphinx looks for what there is."""
    app.connect("builder-inited", write_page)
    app.connect("missing-reference", not_linked)
    app.connect("autodoc-process-docstring", bars)
    app.connect("autodoc-process-docstring", whole, priority=600)  # after napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
