"""The folder of a training: who may write there, and with which options it was begun."""

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from saree_cosface.files import require_utf8
from saree_cosface.machine.caches import located
from saree_cosface.networks.precision import resolved_precision
from saree_cosface.options import DataOptions, HeadOptions, ModelOptions, OptimOptions, Recipe, ViewOptions

CONFIG, SPLIT, MANIFEST = "config.yaml", "split.json", "manifest.csv"


class RunError(ValueError):
    """A run cannot be made or used; the message names the folder and the remedy."""


def settings_of(data: Any, recipe: Recipe) -> dict[str, Any]:
    """The options as they are written to config.yaml."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(entry) for key, entry in value.items()}
        if isinstance(value, tuple):
            return list(value)
        return str(value) if isinstance(value, Path) else value

    settings: dict[str, Any] = plain({"data": asdict(data), **asdict(recipe)})
    return settings


def recorded_recipe(folder: Path) -> Recipe:
    """The recipe of a run.

    Raises:
        RunError: its config.yaml is missing, damaged, or of another version.
    """
    settings = _recorded(folder)
    try:
        optim = {**settings["optim"], "milestones": tuple(settings["optim"]["milestones"])}
        return Recipe(
            ModelOptions(**settings["model"]),
            ViewOptions(**settings["views"]),
            HeadOptions(**settings["head"]),
            OptimOptions(**optim),
            settings["seed"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{folder / CONFIG}: not the options of a run of this version ({error}): train again."
        ) from error


def recorded_cache(folder: Path) -> Path:
    """The folder of features that a run was trained with, where those of its photos still are; the default one if it is
    gone.

    Raises:
        RunError: its config.yaml is missing or damaged.
    """
    cache = located(str(_recorded(folder)["data"].get("cache", DataOptions.cache)))
    return cache if cache.is_dir() else located(DataOptions.cache)


def settings_without_names(folder: Path) -> dict[str, Any]:
    """The options of a run without what names a file, a folder or a photo of this machine.

    Raises:
        RunError: as in :func:`recorded_recipe`.
    """
    recipe, said = recorded_recipe(folder), _recorded(folder)["data"]
    folds = {name: int(said[name]) for name in ("folds", "test_fold", "validation_fold") if name in said}
    settings = settings_of(DataOptions(Path(MANIFEST)), recipe)
    data = {name: value for name, value in settings["data"].items() if name != "cache"}  # each machine has its own
    return {**settings, "data": {**data, **folds}}


def with_precision(recipe: Recipe, out: Path) -> Recipe:
    """The recipe with "auto" decided, as it was when the run began: a resumed run must compute as before."""
    if recipe.model.precision != "auto":
        return recipe
    precision = _recorded(out)["model"]["precision"] if (out / CONFIG).is_file() else resolved_precision(recipe.model)
    return replace(recipe, model=replace(recipe.model, precision=precision))


def _recorded(out: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load((out / CONFIG).read_text(encoding="utf-8"))
        complete = {"data", "model", "optim"} <= set(settings) and "precision" in settings["model"]
        complete = complete and "batch_size" in settings["optim"]
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise RunError(f"{out / CONFIG}: cannot be read ({error}): choose another --out.") from error
    if not complete:
        raise RunError(f"{out / CONFIG}: not the options of a run: choose another --out.")
    return dict(settings)


def check_folder(out: Path, settings: dict[str, Any], resume: bool) -> None:
    """Whether a run can be made there: in a new folder, or in one where it was begun with the same options."""
    require_utf8(os.path.abspath(out))  # noqa: PTH100  # Path.absolute keeps ".."
    if (out / CONFIG).is_file():
        if not resume:
            raise RunError(f"{out} holds a run already: go on with --resume, or choose another --out.")
        if _lasting(_recorded(out)) != _lasting(settings):
            raise RunError(
                f"{out} was begun with other options than these (see {out / CONFIG}): use those, or another --out."
            )
    # What begins with a dot is what a killed process left of a file that it was writing.
    elif out.exists() and (not out.is_dir() or any(not path.name.startswith(".") for path in out.iterdir())):
        raise RunError(f"{out} exists and is no run: choose another --out.")


def _lasting(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options that decide the result; the others may change between a run and its resumption.

    Of several processes the whole batch does, however it is shared by them. What an older version knew nothing of is as
    it is by default.
    """
    passing = ("cache", "log", "workers", "lfw_images", "lfw_pairs", "devices", "nodes")
    data = {"confirmed": False, **{name: each for name, each in settings["data"].items() if name not in passing}}
    processes = settings["data"].get("devices", 1) * settings["data"].get("nodes", 1)
    batch = settings["optim"]["batch_size"] * processes
    head = {**asdict(HeadOptions()), **settings["head"]}
    return {**settings, "data": data, "head": head, "optim": {**settings["optim"], "batch_size": batch}}
