import math
from pathlib import Path

import pytest

from saree_cosface.options import DataOptions, HeadOptions, ModelOptions, OptimOptions, Recipe, ViewOptions


@pytest.mark.parametrize(
    ("group", "options", "said"),
    [
        (OptimOptions, {"epochs": 0}, r"optim\.epochs is 0; it must be at least 1"),
        (OptimOptions, {"batch_size": 1}, r"optim\.batch_size is 1"),  # a batch norm has nothing to normalise over
        (OptimOptions, {"lr": -1e-3}, r"optim\.lr"),
        (OptimOptions, {"lr": math.nan}, r"optim\.lr is nan"),
        (OptimOptions, {"ema": 1.0}, r"optim\.ema is 1\.0; it must be from 0 to"),
        (OptimOptions, {"patience": -1}, r"optim\.patience"),
        (OptimOptions, {"balance_power": 2}, r"optim\.balance_power"),
        (ModelOptions, {"dropout": 1.0}, r"model\.dropout"),
        (ModelOptions, {"embedding_dim": 1}, r"model\.embedding_dim"),
        (ModelOptions, {"pretrained": False}, r"random weights that stays as it is tells nothing"),
        (ModelOptions, {"trainable_stages": -1}, r"model\.trainable_stages"),
        (ViewOptions, {"random": -1}, r"views\.random"),
        (ViewOptions, {"colour_jitter": 1.5}, r"views\.colour_jitter"),
        (HeadOptions, {"margin_warmup": 1.1}, r"head\.margin_warmup"),
        (HeadOptions, {"sharded": True, "sample": 0.0}, r"head\.sample is 0\.0"),
        (HeadOptions, {"sample": 0.1}, r"head\.sample is 0\.1, which needs head\.sharded"),
        (
            HeadOptions,
            {"name": "softmax", "sharded": True},
            r"head\.sharded: softmax cannot be; use one of cosface, .*arcface",
        ),
        (DataOptions, {"manifest": Path("m.csv"), "folds": 1}, r"data\.folds"),
        (DataOptions, {"manifest": Path("m.csv"), "test_fold": -2}, r"data\.test_fold"),
        (DataOptions, {"manifest": Path("m.csv"), "test_fold": 1}, "cannot be the one that scores"),
        (Recipe, {"seed": -1}, "seed is -1"),
        (Recipe, {"seed": 2**32}, "seed"),
    ],
)
def test_values_out_of_range_are_refused_by_name(group, options, said):
    with pytest.raises(ValueError, match=said):
        group(**options)


def test_defaults_and_no_held_out_folds_are_fine():
    assert Recipe() == Recipe(ModelOptions(), ViewOptions(), HeadOptions(), OptimOptions(), 0)
    assert DataOptions(Path("m.csv"), test_fold=-1, validation_fold=-1).folds == 5
