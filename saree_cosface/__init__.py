"""Names the craft tradition of a saree from photographs, by cosine similarity.

    from pathlib import Path
    import saree_cosface as sc

    run = sc.create_run(sc.DataOptions(Path("manifest.csv")), sc.Recipe(), Path("runs/first"))
    print(sc.evaluate(run, Path("manifest.csv")).document["metrics"]["top1"])
    print(sc.predict(run, [Path("photo.jpg")]).attributions[0].traditions[0])

The names in ``__all__`` are for everybody; everything else may move from one version to the next. Importing this
package is light: torch and its kin are loaded by the names that need them, when they are first used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from saree_cosface.threads import prepare

if TYPE_CHECKING:
    from saree_cosface.answers.prediction import predict
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.features.embedding import embed_photos
    from saree_cosface.heads import ArcFace, CosFace, NormalizedSoftmax, SphereFace
    from saree_cosface.networks.embedder import Embedder
    from saree_cosface.options import DataOptions, HeadOptions, ModelOptions, OptimOptions, Recipe, ViewOptions
    from saree_cosface.runs.create import create_run
    from saree_cosface.runs.gallery import Gallery
    from saree_cosface.runs.run import load_run
    from saree_cosface.scoring.calibrate import calibrate
    from saree_cosface.scoring.evaluation import evaluate
    from saree_cosface.taxonomy import load_taxonomy

__version__ = "0.1.0"

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
prepare()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
