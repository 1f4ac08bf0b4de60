"""What the sub-commands have in common: options of one name and meaning, and how a result is handed over."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ActionSubCommands, ArgumentParser, Namespace, get_loader, set_loader

from saree_cosface.commands.recipes import ConfigFile, read_recipe, recipe_names
from saree_cosface.machine import photo_memory, threads
from saree_cosface.options import DataOptions, HeadOptions, ModelOptions, OptimOptions, Recipe, ViewOptions

Command = Callable[[Namespace], int]
"""Takes the parsed options and returns the exit status."""

Subcommands = ActionSubCommands


_read_yaml = get_loader("yaml")


def _read_value(text: str) -> Any:
    """What a text says as YAML; a file's name that is not UTF-8 can only be itself."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text
    return _read_yaml(text)


set_loader("yaml", _read_value, (yaml.YAMLError,))


def new_parser(description: str) -> ArgumentParser:
    """A parser whose options may also come from a YAML file."""
    parser = ArgumentParser(description=description)
    parser.add_argument(
        "--config",
        action=ConfigFile,
        help=f"YAML file with any of these options, or a recipe by its name: {', '.join(recipe_names())}",
    )
    parser.add_argument(
        "--threads",
        type=int | None,
        help=f"threads to compute with, also by ${threads.VARIABLE} (default: the physical cores that are free to it)",
    )
    parser.add_argument(
        "--photo-memory",
        type=str | None,
        metavar="AMOUNT",
        help=f"memory that decoding a photo may take, such as 4GB, also by ${photo_memory.VARIABLE} (default: "
        f"{photo_memory.told(photo_memory.DEFAULT)}); larger photos are left out",
    )
    return parser


def add_run(parser: ArgumentParser) -> None:
    """The run, as the first positional."""
    parser.add_argument("run", type=Path, help="folder of a run")


def add_gallery(parser: ArgumentParser, what: str, *, required: bool = False) -> None:
    """A shared gallery; ``what`` says what it is for."""
    parser.add_argument(
        "--gallery",
        type=str if required else str | None,
        required=required,
        metavar="ADDRESS",
        help=f"{what}: postgresql://USER@HOST/DATABASE, #NAME where it has several; the password in PGPASSWORD or "
        "~/.pgpass",
    )


def add_cache(parser: ArgumentParser) -> None:
    """Where features of frozen backbones are kept."""
    parser.add_argument("--cache", type=Path, default=DataOptions.cache, help="folder of features, shared by runs")


def add_embeddings(parser: ArgumentParser) -> None:
    """Embeddings made before, which are read instead of computed."""
    parser.add_argument(
        "--embeddings", type=Path | None, metavar="DIR", help="folder that `saree-cosface embed` made with this run"
    )


def add_where(parser: ArgumentParser, what: str) -> None:
    """A choice of rows; ``what`` is done with them."""
    parser.add_argument("--where", type=str | None, help=f"{what} only the rows of this pandas query, such as core")


def add_json(parser: ArgumentParser, what: str = "the result") -> None:
    """The machine-readable result, which :func:`finish` prints."""
    parser.add_argument("--json", action="store_true", help=f"{what} as one JSON document on stdout")


def add_recipe(parser: ArgumentParser) -> None:
    """How to train, except for the seed: as the recipe for photographs of sarees says, if nothing else is."""
    parser.add_class_arguments(ModelOptions, "model")
    parser.add_class_arguments(ViewOptions, "views")
    parser.add_class_arguments(HeadOptions, "head")
    parser.add_class_arguments(OptimOptions, "optim")
    usual = asdict(read_recipe("sarees"))
    del usual["seed"]
    parser.set_defaults({f"{group}.{name}": value for group, said in usual.items() for name, value in said.items()})


def add_seed(parser: ArgumentParser) -> None:
    """The seed of a training."""
    parser.add_argument("--seed", type=int, default=0, help="everything random follows from it")


def recipe_of(options: Namespace) -> Recipe:
    """How to train, as parsed; views are the usual ones where a command has none."""
    return Recipe(
        ModelOptions(**options.model.as_dict()),
        ViewOptions(**options.views.as_dict()) if "views" in options else ViewOptions(),
        HeadOptions(**options.head.as_dict()),
        OptimOptions(**options.optim.as_dict()),
        options.get("seed", 0),
    )


def finish(options: Namespace, document: Any, *, ok: bool = True) -> int:
    """Print the document, if ``--json`` asks for it and there is one, and return the exit status.

    Raises:
        ValueError: it cannot be written as JSON; nothing is printed then.
    """
    if options.json and document is not None:
        print_json(document)
    return 0 if ok else 1


def print_json(value: Any) -> None:
    """One document on stdout: all of it or, where something in it is no JSON, nothing."""
    sys.stdout.write(json_text(value) + "\n")


def json_text(value: Any) -> str:
    """A value as JSON that stdout can spell.

    Raises:
        ValueError: something in it is no JSON.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text = text.encode("utf-8", "surrogateescape").decode()  # in a locale that knows no UTF-8, names come as bytes
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeError:  # a file name that is not UTF-8, or a stream that is not
        return json.dumps(value, indent=2, allow_nan=False)
    return text
