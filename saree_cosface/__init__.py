"""Names the craft tradition of a saree from photographs, by cosine similarity.

    from pathlib import Path
    import saree_cosface as sc

    run = sc.create_run(sc.DataOptions(Path("manifest.csv")), sc.Recipe(), Path("runs/first"))
    print(sc.evaluate(run, Path("manifest.csv")).document["metrics"]["top1"])
    print(sc.predict(run, [Path("photo.jpg")]).attributions[0].traditions[0])

The names in ``__all__`` are for everybody; everything else may move from one version to the next. Importing this
package is light: torch and its kin are loaded by the names that need them, when they are first used. Type checkers find
them in ``__init__.pyi``.
"""

import os
from importlib import import_module
from typing import Any

from saree_cosface.machine import caches, threads

__version__ = "0.2.0"
"""Written here alone: pyproject.toml reads it, and tests hold what else names it to it."""

__all__ = [
    "ArcFace",
    "CosFace",
    "DataOptions",
    "Embedder",
    "Gallery",
    "HeadOptions",
    "ModelOptions",
    "NormalizedSoftmax",
    "OptimOptions",
    "Recipe",
    "SphereFace",
    "ViewOptions",
    "calibrate",
    "create_run",
    "embed_photos",
    "evaluate",
    "load_run",
    "load_taxonomy",
    "predict",
    "read_manifest",
]

_HOMES = {
    "ArcFace": "heads",
    "CosFace": "heads",
    "DataOptions": "options",
    "Embedder": "networks.embedder",
    "Gallery": "runs.gallery",
    "HeadOptions": "options",
    "ModelOptions": "options",
    "NormalizedSoftmax": "heads",
    "OptimOptions": "options",
    "Recipe": "options",
    "SphereFace": "heads",
    "ViewOptions": "options",
    "calibrate": "scoring.calibrate",
    "create_run": "runs.create",
    "embed_photos": "features.embedding",
    "evaluate": "scoring.evaluation",
    "load_run": "runs.run",
    "load_taxonomy": "taxonomy",
    "predict": "answers.prediction",
    "read_manifest": "data.manifest_file",
}
"""The module, below this package, that each public name is loaded from."""

# albumentations asks a server for its newest version on import; nothing here calls home.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
caches.prepare()
threads.prepare()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
