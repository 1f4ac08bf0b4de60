"""``saree-cosface demo``: the whole way from drawn sarees to a report and the app, by commands that one could type."""

import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from jsonargparse import ArgumentParser, Namespace

from saree_cosface.commands import app, calibrate, data, evaluate, loom, predict, report, train
from saree_cosface.commands.common import Command, Subcommands, new_parser
from saree_cosface.commands.recipes import config_file
from saree_cosface.console import console
from saree_cosface.loom.options import LoomOptions

_NAMED = 40  # of the held-out photos every fortieth is named before the report is written

Call = tuple[ModuleType, str]
"""A command: its module, and what is typed after ``saree-cosface``, quoted as for a shell."""


@dataclass(frozen=True)
class Step:
    """A step of the demonstration, which is left out when its result is there and not older than what it is made from.

    Attributes:
        title: what is done.
        result: the file by which it is known to be done.
        sources: files that the result is made from.
        calls: its commands, asked for when its turn has come.
    """

    title: str
    result: Path
    sources: tuple[Path, ...]
    calls: Callable[[], Iterator[Call]]

    @property
    def done(self) -> bool:
        """Whether it can be left out."""
        if not self.result.is_file():
            return False
        made = self.result.stat().st_mtime_ns
        return all(source.stat().st_mtime_ns <= made for source in self.sources)


HELP = {"demo": "go the whole way on drawn sarees"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    demo = new_parser(
        "The whole way on sarees that the loom draws: draw them, check and learn from some shops, calibrate, score\n"
        "shops never seen, and write a report. A second start takes up what is there, and one that was broken off\n"
        "goes on where it stopped. The commands are shown as one would type them."
    )
    demo.add_argument("--out", type=Path, required=True, help="folder of the demonstration; remove it to begin anew")
    demo.add_argument("--serve", action="store_true", help="serve the app in the end, until interrupted")
    demo.add_argument("--port", type=int | None, help="port on 127.0.0.1 (default: the first free one from 7860)")
    demo.add_class_arguments(LoomOptions, "loom")
    subcommands.add_subcommand("demo", demo, help=HELP["demo"])
    return {"demo": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.loom.corpus import claim

    if options.port is not None and not options.serve:
        raise ValueError(f"--port {options.port} is where the app is served: add --serve, or leave it out.")
    drawn = LoomOptions(**options.loom.as_dict())
    claim(options.out / "corpus", drawn)  # before anything is left out that other options would draw
    steps = _steps(options.out, drawn)
    count = len(steps) + options.serve
    for number, step in enumerate(steps, start=1):
        done = step.done
        _say(f"Step {number} of {count}: {step.title}{' (done before)' if done else ''}", "bold")
        if done:
            continue
        for module, typed in step.calls():
            if status := _call(module, typed):
                return status
        os.utime(step.result)  # which a command that had nothing to do has left older than its sources
    _say(f"Report: {steps[-1].result.absolute()}")
    serve = _typed("app", options.out / "run", "--manifest", options.out / "corpus" / "manifest.csv")
    if not options.serve:
        _say(f"To name photos of your own on a page: saree-cosface {serve}")
        return 0
    _say(f"Step {count} of {count}: serve the app", "bold")
    return _call(app, serve + ("" if options.port is None else f" --port {options.port}"))


def _steps(out: Path, drawn: LoomOptions) -> list[Step]:
    manifest, run, cache = out / "corpus" / "manifest.csv", out / "run", ("--cache", out / "cache")
    usual = asdict(LoomOptions())
    asked = [f"--loom.{name}={value}" for name, value in asdict(drawn).items() if value != usual[name]]
    learned, calibrated = run / "run.json", run / "calibration" / "calibration.json"
    scored, page = run / "evaluation" / "source" / "evaluation.json", out / "report.html"

    def draw() -> Iterator[Call]:
        yield loom, _typed("loom", manifest.parent, *asked)

    def learn() -> Iterator[Call]:
        yield data, _typed("data", "check", manifest, *cache)
        photos = "--data.manifest", manifest, "--data.cache", out / "cache"
        yield train, _typed("train", "--config", "demo", *photos, "--out", run, "--resume")

    def find_probabilities() -> Iterator[Call]:
        yield calibrate, _typed("calibrate", run, *cache, "--folds", 3)

    def score() -> Iterator[Call]:
        yield evaluate, _typed("evaluate", run, manifest, *cache)

    def show() -> Iterator[Call]:
        yield predict, _typed("predict", run, *_held_out(run)[::_NAMED])
        yield report, _typed("report", run, manifest, *cache, "--out", page)

    recipes = tuple(Path(config_file(name)) for name in ("demo", "sarees"))  # the second says what the first does not
    return [
        Step("draw sarees, as synthetic shops photograph them", manifest, (), draw),
        Step("check the photos, and learn from some shops", learned, (manifest, *recipes), learn),
        Step("find probabilities and verdicts", calibrated, (learned,), find_probabilities),
        Step("score shops never seen", scored, (calibrated,), score),
        Step("name some of their photos, and write the report", page, (scored,), show),
    ]


def _held_out(run: Path) -> list[Path]:
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.runs.folder import MANIFEST

    used = read_manifest(run / MANIFEST, taxonomy=None)
    return used.select(used.table["split"].to_numpy(str) == "test").files()


def _typed(*words: object) -> str:
    return shlex.join(map(str, words))


def _call(module: ModuleType, typed: str) -> int:
    """Show a command and run it here; return its exit status."""
    _say(f"$ saree-cosface {typed}", "dim")
    parser = ArgumentParser(prog="saree-cosface")
    commands = module.add(parser.add_subcommands(dest="subcommand"))
    name, options = "", parser.parse_args(shlex.split(typed))
    while "subcommand" in options:
        name, options = f"{name} {options.subcommand}".strip(), options[options.subcommand]
    status: int = commands[name](options)
    return status


def _say(words: str, style: str | None = None) -> None:
    console.print(words, style=style, highlight=False, markup=False, emoji=False, soft_wrap=True)
