"""The recipe of ``tiny_run``, and a call that makes it or goes on with it."""

from saree_cosface.options import DataOptions, ModelOptions, OptimOptions, Recipe
from saree_cosface.runs.create import create_run
from tests.helpers.tiny import SOME

RECIPE = Recipe(
    model=ModelOptions(embedding_dim=32, precision="fp32"), optim=OptimOptions(epochs=6, batch_size=16, lr=5e-3)
)


def again(corpus, cache, out, recipe=RECIPE, *, resume=True, **data):
    """As ``tiny_run`` was made."""
    options = {"where": SOME, "folds": 4, "cache": cache, **data}
    return create_run(DataOptions(corpus, **options), recipe, out, resume=resume)
