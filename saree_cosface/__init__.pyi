"""The public names, for type checkers; ``__init__.py`` loads them when they are used."""

from saree_cosface.answers.prediction import predict as predict
from saree_cosface.data.manifest_file import read_manifest as read_manifest
from saree_cosface.features.embedding import embed_photos as embed_photos
from saree_cosface.heads import ArcFace as ArcFace
from saree_cosface.heads import CosFace as CosFace
from saree_cosface.heads import NormalizedSoftmax as NormalizedSoftmax
from saree_cosface.heads import SphereFace as SphereFace
from saree_cosface.networks.embedder import Embedder as Embedder
from saree_cosface.options import DataOptions as DataOptions
from saree_cosface.options import HeadOptions as HeadOptions
from saree_cosface.options import ModelOptions as ModelOptions
from saree_cosface.options import OptimOptions as OptimOptions
from saree_cosface.options import Recipe as Recipe
from saree_cosface.options import ViewOptions as ViewOptions
from saree_cosface.runs.create import create_run as create_run
from saree_cosface.runs.gallery import Gallery as Gallery
from saree_cosface.runs.run import load_run as load_run
from saree_cosface.scoring.calibrate import calibrate as calibrate
from saree_cosface.scoring.evaluation import evaluate as evaluate
from saree_cosface.taxonomy import load_taxonomy as load_taxonomy

__version__: str
__all__: list[str]
