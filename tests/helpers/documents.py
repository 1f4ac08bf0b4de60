"""Blocks of code in the documents: found, run, and compared with what stands below them.

``console`` is what is typed after ``$ `` and what is printed then: it is run, and compared where anything is printed.
``sh`` is commands whose output is not shown: they are run (:mod:`tests.helpers.stage` says what stands in for what a test
has not), as is the script of a ``slurm`` block and what a ``systemd`` unit starts. With ``nginx`` and ``caddy`` web servers
are started (:mod:`tests.helpers.web_servers`). ``python`` is run; what it prints is a ``text`` block that follows at once.
Of what is printed, a line ``…`` stands for any lines, ``…`` within a line for any text.
"""

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from saree_cosface.cli import command_line, main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WIDTH = 88
"""Columns of the terminal in which everything is printed."""

RUN, READ, SHOWN = (
    ("console", "sh", "python", "slurm", "systemd"),
    ("sh", "slurm", "systemd", "yaml"),
    ("text", "json", "csv", "bibtex", "nginx", "caddy"),
)
"""Languages of blocks that are run in their page, read by a parser, and neither."""

FENCE = re.compile(r"^ *```(?P<language>[^\n]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?![\w])")
LOOSE, SMALL = 0.05, 0.02
"""By how much a number with decimals, or a percentage, may differ: the larger of a share and a difference."""


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        start, end: where its text lies in that of the page.
        line: of its first line of text, from 1.
    """

    page: Path
    language: str
    text: str
    start: int
    end: int
    line: int

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """README.md and everything written in docs/; what is made by the build is not."""
    made = [DOCS / "_build", *(DOCS / "reference" / name for name in ("commands", "repository", "python.md"))]
    written = (path for path in DOCS.rglob("*.md") if not any(path.is_relative_to(each) for each in made))
    return [ROOT / "README.md", *sorted(written)]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in their order; directives of the site are none."""
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in FENCE.finditer(text):
        if fence["language"].startswith("{"):
            continue
        line = text.count("\n", 0, fence.start("text")) + 1
        found.append(Block(page, fence["language"], fence["text"], fence.start("text"), fence.end("text"), line))
    return found


def calls(text: str) -> list[tuple[str, str]]:
    """What is typed in a console block, lines that go on included, and what is printed after each.

    >>> calls(chr(10).join(["$ one", "said", "$ two", ""]))
    [('one', 'said\\n'), ('two', '')]
    """
    typed = re.finditer(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
    return [(found[1], found[2]) for found in typed]


def joined(text: str) -> str:
    """Commands with each on one line."""
    return re.sub(r"\\\n\s*", "", text)


def written(block: Block) -> list[str]:
    """The commands of a block that is read: a line each, without comments and the lines of a script."""
    if block.language == "yaml":
        options = ["--config", block.text, "--data.manifest", "m.csv", "--out", "run"]
        return [shlex.join(["saree-cosface", "train", *options])]
    if block.language == "systemd":
        return [started(block.text)]
    lines = joined(block.text).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def started(unit: str) -> str:
    """What a unit of systemd starts."""
    (command,) = re.findall(r"^ExecStart=(.*)$", joined(unit), re.MULTILINE)
    return command


# --- what is printed -------------------------------------------------------------------------------------------------


def alike(expected: str, printed: str) -> bool:
    """Whether a printed line is the expected one: the same words, and numbers that differ by little.

    Whole numbers are the same; those with decimals, and percentages, may differ by a twentieth or 0.02 (of 1, or of 100 %).

    >>> alike("top1 │ 0.93 │ …", "top1 │  0.95 │ 0.91 – 0.99"), alike("96 photos, 0.93", "97 photos, 0.93")
    (True, False)
    """
    pattern, numbers, end = "", [], 0
    for found in NUMBER.finditer(expected):
        pattern += _words(expected[end : found.start()]) + r"([-+]?\d+(?:\.\d+)?)"
        numbers.append((found[0], expected[found.end() : found.end() + 2].lstrip().startswith("%")))
        end = found.end()
    match = re.fullmatch(pattern + _words(expected[end:]), printed.strip())
    return match is not None and all(
        _near(number, share, said) for (number, share), said in zip(numbers, match.groups(), strict=True)
    )


def _words(text: str) -> str:
    return "".join(map(_pattern, re.split(r"(…|\s+|[─━┄]+)", text)))


def _pattern(part: str) -> str:
    if part == "…":
        return ".*?"
    if part.isspace():
        return r"\s*"
    return f"[{part[0]}]+" if part and set(part) <= set("─━┄") else re.escape(part)


def _near(expected: str, share: bool, printed: str) -> bool:
    if not share and "." not in expected:
        return expected == printed
    small = SMALL * 100 if share else SMALL
    return abs(float(expected) - float(printed)) <= max(small, LOOSE * abs(float(expected)))


def differs(expected: str, printed: str) -> str:
    """Where what is printed leaves what is expected, in words; "" where it does not.

    >>> differs("a\\n…\\nz 1.00\\n", "a\\nb\\n\\nc\\nz 1.01\\n"), differs("a\\nb\\n", "a\\nc\\n")
    ('', "expected 'b', printed 'c'")
    """
    wanted, said = ([line.strip() for line in text.splitlines() if line.strip()] for text in (expected, printed))
    place, anywhere = 0, False
    for line in wanted:
        if line == "…":
            anywhere = True
            continue
        here = [at for at in range(place, len(said)) if alike(line, said[at])]
        if not here or (here[0] != place and not anywhere):
            return f"expected {line!r}, printed {said[place] if place < len(said) else 'nothing more'!r}"
        place, anywhere = here[0] + 1, False
    return "" if anywhere or place == len(said) else f"printed {said[place]!r}, which is not expected"


# --- what is run -----------------------------------------------------------------------------------------------------


def shim(folder: Path) -> Path:
    """A folder with the program, for what only a shell can do."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "saree-cosface"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m saree_cosface "$@"\n')
    program.chmod(0o755)
    return folder


def run(command: str, programs: Path) -> tuple[int, str]:
    """Type a command in the current folder: its exit status, and what it says on both streams.

    A plain call of saree-cosface is run in this process, which spares it the import of everything; else a shell runs it,
    as it does a training that starts further processes like its own.
    """
    command, quiet = joined(command).removesuffix(" 2>/dev/null"), command.endswith(" 2>/dev/null")
    if not command.startswith("saree-cosface ") or re.search(r"[|><;&$*]|devices", command):
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "COLUMNS": str(WIDTH)}
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL if quiet else subprocess.STDOUT}
        done = subprocess.run(["bash", "-c", command], env=environment, text=True, timeout=300, **both)
        return done.returncode, done.stdout
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    aside = io.TextIOWrapper(io.BytesIO(), encoding="utf-8") if quiet else stream
    with redirect_stdout(stream), redirect_stderr(aside), pytest.raises(SystemExit) as stopped:
        main(shlex.split(command, comments=True)[1:])
    return stopped.value.code or 0, stream.buffer.getvalue().decode()


def run_python(text: str, names: dict[str, object]) -> str:
    """Run a block of Python among the names that the page's blocks before it have made; what it prints."""
    stream = io.StringIO()
    with redirect_stdout(stream):
        exec(compile(text, "<block>", "exec"), names)
    return stream.getvalue()


# --- what is read ----------------------------------------------------------------------------------------------------


def read(command: str) -> None:
    """Read a command without running it.

    Raises:
        ValueError: it is no command that these documents may show, or it has an option that is not there.
    """
    for part in _parts(command):
        while part and re.fullmatch(r"\w+=.*", part[0]):
            part = part[1:]
        if part:
            _read_one(part)


def _parts(command: str) -> Iterator[list[str]]:
    part: list[str] = []
    words = shlex.shlex(command, posix=True, punctuation_chars="|&;")
    words.whitespace_split = True
    for word in words:
        if set(word) <= set("|&;"):
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _read_one(words: list[str]) -> None:
    program, rest = words[0].rpartition("/")[2], words[1:]
    if "saree_cosface" in rest:  # as a module, behind whatever starts several of it
        _parse(rest[rest.index("saree_cosface") + 1 :])
    elif "saree-cosface" in (program, *rest):
        _parse(words[[word.rpartition("/")[2] for word in words].index("saree-cosface") + 1 :])
    elif program == "make":
        rules = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        _require({word for word in rest if "=" not in word} <= set(rules), words)
    elif program in ("pip", "uv"):
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        extras = [extra for word in rest for part in re.findall(r"\[(.*?)\]", word) for extra in part.split(",")]
        _require(all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras), words)
    elif program.startswith("python") and rest and rest[0].endswith(".py"):
        source = (ROOT / rest[0]).read_text(encoding="utf-8")
        given = {word for word in rest if word.startswith("--")}
        _require(all(f'"{option}"' in source or "parse_known" in source for option in given), words)
    else:
        _require(program in PROGRAMS, words)


PROGRAMS = {
    "cat",
    "cd",
    "cp",
    "curl",
    "docker",
    "export",
    "git",
    "head",
    "ls",
    "locust",
    "mkdir",
    "psql",
    "python",
    "python3",
}
PROGRAMS |= {"pybabel", "ray", "source", "ssh", "systemctl", "tensorboard", "unzip"}
"""Programs of others that documents may show."""


def _parse(arguments: list[str]) -> None:
    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            command_line(arguments[0])[0].parse_args(arguments)
    except SystemExit as stopped:
        if stopped.code:
            raise ValueError(f"{shlex.join(arguments)}: {said.getvalue().strip().splitlines()[-1]}") from None


def _require(known: bool, words: list[str]) -> None:
    if not known:
        raise ValueError(f"{shlex.join(words)}: not known here")
