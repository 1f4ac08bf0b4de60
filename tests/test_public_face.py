"""The names that everybody may rely on: there, light, described, each with an example, and known to type checkers."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import saree_cosface


@pytest.mark.parametrize("name", saree_cosface.__all__)
def test_a_public_name_is_described_with_an_example(name):
    described = inspect.getdoc(getattr(saree_cosface, name))
    assert ">>>" in described
    assert name in dir(saree_cosface)


def test_importing_the_package_loads_nothing_heavy():
    program = "import sys, saree_cosface; print(sorted({'torch', 'numpy', 'pandas', 'matplotlib', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_type_checkers_see_the_names_where_they_are_loaded_from():
    folder = Path(saree_cosface.__file__).parent
    assert (folder / "py.typed").is_file()
    seen = {}
    for node in ast.walk(ast.parse((folder / "__init__.pyi").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            seen |= {alias.asname: node.module.removeprefix("saree_cosface.") for alias in node.names}
    assert seen == saree_cosface._HOMES
    assert sorted(seen) == saree_cosface.__all__


def test_another_name_is_none():
    with pytest.raises(AttributeError, match="no attribute 'embed_everything'"):
        _ = saree_cosface.embed_everything
