"""The command line: what it loads, the words that messages name, wrong calls, and JSON."""

import ast
import io
import json
import re
import resource
from pathlib import Path

import pytest

import saree_cosface
from saree_cosface import __version__, cli
from saree_cosface.cli import command_line
from saree_cosface.commands.common import print_json
from tests.helpers.processes import python


def parsers(parser):
    yield parser
    for action in parser._actions:
        for inner in getattr(action, "_name_parser_map", {}).values():
            yield from parsers(inner)


@pytest.mark.slow
def test_every_option_and_command_that_a_message_names_is_there():
    parser, commands = command_line()
    options = {name for each in parsers(parser) for action in each._actions for name in action.option_strings}
    options |= {"--no-deps", "--nproc-per-node"}  # of pip and torchrun
    words = {*commands, *(command.split()[0] for command in commands)}
    root = Path(saree_cosface.__file__).parent
    said = [
        (file.relative_to(root), node.value)
        for file in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    named = [
        (file, found) for file, text in said for found in re.findall(r"(?<![^\s`'])--[a-z][a-z0-9_.-]*[a-z0-9]", text)
    ]
    assert len(named) > 60
    assert [each for each in named if each[1] not in options] == []
    called = [
        (file, found) for file, text in said for found in re.findall(r"`saree-cosface ([a-z]+(?: [a-z]+)?)", text)
    ]
    assert len(called) > 15
    assert [each for each in called if each[1] not in words and each[1].split()[0] not in words] == []


@pytest.mark.slow
def test_a_command_is_known_by_its_module_alone():
    _, commands = command_line()
    assert {name.split()[0] for name in commands} == set(cli.COMMANDS)
    for name in commands:
        assert name in command_line(name.split()[0])[1]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["predict", "--help"]])
def test_help_and_version_are_light(arguments):
    program = f"""
import sys
from saree_cosface.cli import main
from saree_cosface.commands.common import print_json
try:
    main({arguments!r})
except SystemExit as stopped:
    heavy = {{"torch", "gradio", "umap", "timm", "lightning", "pandas", "matplotlib", "sklearn", "cv2", "numpy"}}
    print("loaded:", sorted(heavy & set(sys.modules)), stopped.code, file=sys.stderr)
"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = python("-c", program)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "loaded: [] 0" in result.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0  # seconds of one core
    assert "saree-cosface" in result.stdout


def test_the_module_is_the_command():
    result = python("-m", "saree_cosface", "--version")
    assert (result.returncode, result.stdout.strip().split()[-1]) == (0, __version__)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["data"],
        ["predict"],
        ["train"],
        ["train", "--out", "run"],
        ["train", "--data.manifest", "m.csv", "--out", "run", "--optim.epochs", "many"],
        ["train", "--data.manifest", "m.csv", "--out", "run", "--head.name", "cosine"],
        ["train", "--data.manifest", "m.csv", "--out", "run", "--optim.epocs", "3"],
        ["evaluate", "run"],
        ["evaluate", "run", "m.csv", "--protocol", "shop"],
        ["predict", "run"],
        ["predict", "run", "a.jpg", "--top", "0"],
        ["predict", "run", "a.jpg", "--top", "-3"],
    ],
)
def test_a_wrong_call_is_told_with_status_2(call, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert "error" in err.lower()
    assert not list(tmp_path.iterdir())


def test_two_documents_on_stdout_are_refused(call):
    code, out, err = call("predict", "run", "a.jpg", "--json", "--csv")
    assert (code, out) == (1, "")
    assert "ask for one of them" in err


def test_json_is_whole_or_not_at_all(capsys, monkeypatch):
    with pytest.raises(ValueError, match="JSON"):
        print_json({"a": [1, 2], "b": float("nan")})
    assert capsys.readouterr().out == ""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    print_json({"path": "साड़ी \udcff.jpg"})
    stream.flush()
    assert json.loads(stream.buffer.getvalue()) == {"path": "साड़ी \udcff.jpg"}
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stdout", stream)
    print_json({"path": "साड़ी".encode().decode("ascii", "surrogateescape")})  # as Python reads it in the locale C
    stream.flush()
    assert json.loads(stream.buffer.getvalue()) == {"path": "साड़ी"}
