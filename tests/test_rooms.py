"""The house: which room may import from which, how large a module may be, and where its tests lie."""

import ast
import re
import statistics
from functools import cache
from pathlib import Path

import pytest

import saree_cosface

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "saree_cosface"

ROOMS = (
    *(
        "machine",
        "root",
        "languages",
        "heads",
        "metrics",
        "figures",
        "data",
        "loom",
        "curation",
        "gathering",
        "networks",
        "features",
        "shards",
        "training",
        "runs",
    ),
    *("answers", "scoring", "html", "maps", "review", "pages", "sharing", "faces", "cards", "app", "commands", "cli"),
)
"""From the ground up: a module imports from its own room and from those before it. ``root`` is what every room uses."""

FRONT_DOOR = {"saree_cosface": "cli", "saree_cosface.__main__": "cli", "saree_cosface.cli": "cli"}

WEIGHTS_NOTHING = {"heads": {"torch"}, "metrics": {"numpy", "scipy"}}
"""Rooms that are of use by themselves: all that they import beside the standard library, and their own room."""


@cache
def modules() -> dict[str, Path]:
    """Every module of the package and the app, by its dotted name."""
    found = {}
    for folder in (PACKAGE, ROOT / "app"):
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room_of(module: str) -> str:
    parts = module.split(".")
    if module in FRONT_DOOR:
        return FRONT_DOOR[module]
    if parts[0] == "app":
        return "app"
    return parts[1] if (PACKAGE / parts[1]).is_dir() else "root"


@cache
def imported(module: str) -> tuple[str, ...]:
    """What a module imports anywhere in it, in functions too: dotted names of modules where they are ours."""
    found = []
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []  # the app's names depend on where it lies
            source = ".".join([*package, *([node.module] if node.module else [])])
            whole = [f"{source}.{alias.name}" for alias in node.names]
            found += [name if name in modules() else source for name in whole]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return tuple(
        name for name in found if name != "saree_cosface"
    )  # __version__ and the public face are nobody's arrow


def arrows() -> list[tuple[str, str]]:
    return [(module, name) for module in modules() for name in imported(module) if name in modules() and name != module]


def test_every_room_is_listed():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders | {"root", "app", "cli"} == set(ROOMS)


def test_imports_run_one_way():
    level = {room: place for place, room in enumerate(ROOMS)}
    against = [f"{one} -> {other}" for one, other in arrows() if level[room_of(one)] < level[room_of(other)]]
    assert not against


def test_no_modules_import_each_other_in_a_circle():
    waiting = {module: {other for one, other in arrows() if one == module} for module in modules()}
    # A package's face imports the modules behind it, and these may import the package's other modules, never the face.
    while free := [module for module, needs in waiting.items() if not needs & waiting.keys()]:
        for module in free:
            del waiting[module]
    assert not waiting


@pytest.mark.parametrize("room", WEIGHTS_NOTHING)
def test_heads_and_metrics_stand_by_themselves(room):
    import sys

    allowed = WEIGHTS_NOTHING[room] | set(sys.stdlib_module_names)
    for module in modules():
        if room_of(module) == room:
            foreign = [name for name in imported(module) if name.split(".")[0] not in allowed]
            assert all(name.startswith(f"saree_cosface.{room}") for name in foreign), module


def test_the_picture_for_contributors_is_this_order():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawn = re.search(r"```text\n(.*?)```", text, re.DOTALL)[1]
    assert [line.split()[0] for line in drawn.split("\n\n")[0].splitlines()] == list(reversed(ROOMS))


def test_the_root_is_small_and_no_module_is_large():
    assert len(list(PACKAGE.glob("*.py"))) <= 8
    lengths = {
        module: len(path.read_text(encoding="utf-8").splitlines())
        for module, path in modules().items()
        if path.name != "__init__.py"
    }
    assert max(lengths.values()) <= 350, max(lengths, key=lengths.__getitem__)
    assert statistics.median(lengths.values()) <= 130


def test_tests_lie_beside_their_rooms():
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        folder, name = path.relative_to(ROOT / "tests").parent, path.stem.removeprefix("test_")
        if folder == Path():
            continue
        room = ROOT / "app" if folder.parts[0] == "app" else PACKAGE / folder
        known = [module.stem for module in room.glob("*.py")]
        assert any(name == module or name.startswith(f"{module}_") for module in known), path


SCRIPTS = sorted([*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "docs").glob("*.py")])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_import_what_is_there(script):
    """A benchmark runs for hours, so that nothing runs it here: what it takes from the package must not have moved."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("saree_cosface"):
            missing = [alias.name for alias in node.names if not defines(node.module, alias.name)]
            assert not missing, f"{node.module} has no {missing}"


def defines(module: str, name: str) -> bool:
    """Whether a module has a name at its top, or is a package of a module so named."""
    if f"{module}.{name}" in modules():
        return True
    names = (
        set(saree_cosface.__all__) if module == "saree_cosface" else set()
    )  # which are found when they are asked for
    for node in ast.parse(modules()[module].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
        else:
            names |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return name in names
