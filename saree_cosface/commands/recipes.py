"""Recipes that are shipped, by name: ``demo`` is ``configs/demo.yaml``, in a checkout and in an installed package."""

from functools import cache
from pathlib import Path

import yaml
from jsonargparse import ActionConfigFile, ArgumentParser, Namespace  # type: ignore[attr-defined]  # it is documented

from saree_cosface.options import HeadOptions, ModelOptions, OptimOptions, Recipe, ViewOptions


class ConfigFile(ActionConfigFile):
    """The option ``--config``: a YAML file, or a recipe by its name."""

    @staticmethod
    def apply_config(parser: ArgumentParser, cfg: Namespace, dest: str, value: str) -> None:
        """Take over the options that are in the file."""
        ActionConfigFile.apply_config(parser, cfg, dest, config_file(value))


def config_file(given: str) -> str:
    """The file that is meant: one that is there, or a recipe, named as ``demo`` or ``configs/demo.yaml``.

    Options written out, as in ``{optim: {epochs: 3}}``, are left as they are.

    Raises:
        TypeError: there is neither; the message lists the recipes.

    >>> Path(config_file("faces/paper")).name, config_file("seed: 1")
    ('paper.yaml', 'seed: 1')
    """
    if Path(given).is_file() or ":" in given or "\n" in given:
        return given
    name = given.removeprefix("configs/").removesuffix(".yaml")
    if name not in recipe_names():
        raise TypeError(f"there is no file {given} and no recipe of that name: recipes are {', '.join(recipe_names())}")
    return str(_folder() / f"{name}.yaml")


def read_recipe(given: str) -> Recipe:
    """The recipe of a file, or a shipped one by its name; what it does not say has the defaults of the options.

    Raises:
        TypeError: there is neither, or it names an option that there is not.

    >>> read_recipe("sarees").model.pooling
    'second_order'
    """
    groups = yaml.safe_load(Path(config_file(given)).read_text(encoding="utf-8"))
    made = {"model": ModelOptions, "views": ViewOptions, "head": HeadOptions, "optim": OptimOptions}
    said = {name: options(**groups.get(name, {})) for name, options in made.items()}
    return Recipe(**said, seed=groups.get("seed", 0))


@cache
def recipe_names() -> tuple[str, ...]:
    """All recipes, those for faces as ``faces/NAME``."""
    files = _folder().rglob("*.yaml")
    return tuple(sorted(file.relative_to(_folder()).with_suffix("").as_posix() for file in files))


def _folder() -> Path:
    package = Path(__file__).parents[1]
    inside = package / "configs"  # where a wheel has them
    return inside if inside.is_dir() else package.parent / "configs"
