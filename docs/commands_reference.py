"""The pages of the reference that tell every command and option, written from the command line's own parser."""

import re
from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from sphinx.application import Sphinx

from saree_cosface import __version__
from saree_cosface.cli import COMMANDS, command_line
from saree_cosface.files import write_text

FOLDER = "reference/commands"

COMMON = {"--help", "--config", "--print_config", "--threads", "--photo-memory"}
"""Options that nearly all commands have; they are told once."""


def leaves(parser: ArgumentParser, name: str = "") -> Iterator[tuple[str, ArgumentParser]]:
    """Every command that does something, by its words."""
    inner = [action for action in parser._actions if hasattr(action, "_name_parser_map")]
    if not inner:
        yield name, parser
    for action in inner:
        for word, below in action._name_parser_map.items():
            yield from leaves(below, f"{name} {word}".strip())


def signature(action: Action) -> str:
    """How an argument is written: ``--top TOP``, or the name of a positional one."""
    values = action.metavar or action.dest.rpartition(".")[2].upper()
    if choices(action):  # which are listed in the description
        values = action.dest.rpartition(".")[2].upper()
    values = " ".join(values) if isinstance(values, tuple) else values
    if not action.option_strings:
        return values.lower() if action.metavar is None else values
    if action.nargs == 0:
        values = ""
    elif action.nargs in ("+", "*"):
        values = f"{values} [{values} …]" if action.nargs == "+" else f"[{values} …]"
    return f"{action.option_strings[-1]} {values}".strip()


def choices(action: Action) -> tuple[str, ...]:
    """The values that an option takes, where these are few."""
    literal = [value for value in get_args(getattr(action, "_typehint", None)) if isinstance(value, str)]
    return tuple(action.choices or literal)


def described(action: Action) -> str:
    """The help of an argument, with its values and its default, as one paragraph of Markdown."""
    said = code_in((action.help or "").strip().replace("\n", " ").replace("%%", "%").rstrip("."))
    if action.option_strings and action.required:
        said += "; required"
    if values := choices(action):
        said += "; one of " + ", ".join(f"`{value}`" for value in values)
    flag = isinstance(action.default, bool) and action.nargs == 0
    if "(default:" not in said and action.default not in (None, SUPPRESS, "", []) and not flag:
        shown = str(action.default).lower() if isinstance(action.default, bool) else action.default
        said += f" (default: `{shown}`)"
    return f"{said}."


def code_in(text: str) -> str:
    """Help as Markdown: what is marked as code there stays code, and nothing else of it is read as a mark."""
    parts = re.split(r"(``.+?``|`.+?`)", text)
    marked = (re.sub(r"([$*_<\[\]])", r"\\\1", part) if place % 2 == 0 else part for place, part in enumerate(parts))
    return "".join(marked)


def common(action: Action) -> bool:
    """Whether an option is told once for all commands."""
    return not COMMON.isdisjoint(action.option_strings)


def section(name: str, parser: ArgumentParser) -> str:
    """What one command takes."""
    told = " ".join((parser.description or "").split())
    told, example, call = told.partition("Example: ")
    lines = [f"## saree-cosface {name}", "", code_in(told.strip()), ""]
    if example:
        lines += ["```text", f"$ {call.strip()}", "```", ""]
    for group in parser._action_groups:
        shown = [action for action in group._group_actions if action.help is not SUPPRESS and not common(action)]
        if shown and group.title not in ("positional arguments", "options"):
            lines += [f"**{group.title}**", ""]
        for action in shown:
            lines += [f"`{signature(action)}`", f": {described(action)}", ""]
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """Markdown of every page, by the first word of its commands, and of the page that lists them."""
    parser, _ = command_line()
    every = dict(leaves(parser))
    made = {}
    for word in COMMANDS:
        own = {name: command for name, command in every.items() if name.split()[0] == word}
        body = "\n".join(section(name, command) for name, command in own.items())
        made[word] = f"# {word}\n\n{body}"
    return made | {"index": _index(every)}


def _index(every: dict[str, ArgumentParser]) -> str:
    shared = filter(common, every["predict"]._actions)
    told = "\n".join(f"`{signature(action)}`\n: {described(action)}\n" for action in shared)
    listed = "\n".join(COMMANDS)
    return f"""# Commands

Read off the program, version {__version__}. `saree-cosface COMMAND --help` says the same in a terminal.

Results go to stdout as one document where `--json` or `--csv` asks for it; whatever is for people goes to stderr. The
exit status is 0 where the job was done, 1 where it could not be done, 2 where the call was wrong, and 130 after an
interrupt.

Nearly all commands (`curate` is the exception) also take:

{told}
```{{toctree}}
:maxdepth: 2

{listed}
```
"""


def write_pages(app: Sphinx) -> None:
    """Write the pages into the folder of the sources, where they are ignored by git."""
    for name, text in pages().items():
        path = Path(app.srcdir) / FOLDER / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:  # else Sphinx would read it again
            write_text(path, text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx looks for what there is."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
