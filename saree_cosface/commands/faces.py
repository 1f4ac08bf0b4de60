"""``saree-cosface faces``: the benchmark on faces; its protocols have their own file."""

from argparse import SUPPRESS
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from saree_cosface.commands.common import Command, Subcommands, add_json, add_seed, finish, new_parser, recipe_of
from saree_cosface.commands.faces_protocols import add_protocols
from saree_cosface.console import console
from saree_cosface.options import FaceOptions, HeadOptions, ModelOptions, OptimOptions

HELP = {"faces": "reproduce the CosFace paper on faces"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command with its sub-commands."""
    faces = ArgumentParser(description="Check the engine on the task that it was invented for: faces.")
    # jsonargparse takes the levels of sub-commands from the outside in.
    subcommands.add_subcommand("faces", faces, help=HELP["faces"])
    inner = faces.add_subcommands(dest="subcommand", metavar="COMMAND")
    commands: dict[str, Command] = {}

    def add_one(name: str, command: Command, parser: ArgumentParser, help: str) -> None:
        add_json(parser)
        inner.add_subcommand(name, parser, help=help)
        commands[f"faces {name}"] = command

    align = new_parser(
        "Find the face in each photo of a folder and align it to the template of the papers. Photos without a face\n"
        "and unreadable ones are listed in skipped.csv. Goes on where it was interrupted."
    )
    align.add_argument("folder", type=Path, help="folder of photos, with sub-folders")
    align.add_argument("--out", type=Path, required=True, help="folder of the aligned photos, named as before")
    align.add_argument("--size", choices=("112x112", "112x96"), default="112x112", help="height x width")
    align.add_argument("--landmarks", type=Path | None, help="CSV with five points a photo, instead of a detector")
    align.add_argument("--detector", choices=("yunet", "mtcnn"), default="yunet", help="who finds the faces")
    align.add_argument("--model", type=Path | None, help="YuNet's file face_detection_yunet_2023mar.onnx")
    add_one("align", _align, align, "align faces by five points")

    train = new_parser("Train an embedder on a folder of people (a folder a person, aligned faces).")
    _add_training(train)
    add_seed(train)
    train.add_argument("--out", type=Path, required=True, help="folder of the run")
    train.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    add_one("train", _train, train, "train an embedder on faces")

    add_protocols(add_one)

    for name, command, help in (
        ("losses", _losses, "nine losses on the same faces and budget (Table 2)"),
        ("sweep", _sweep, "the margin from 0 to 0.45 at one scale, and the scale (Figure 5)"),
        ("normalization", _normalization, "LMCL with and without normalised features (Table 1)"),
    ):
        experiment = new_parser(
            f"{help[0].upper()}{help[1:]}.\n"
            "Every training is a run below OUT/runs; a second call trains what is missing, also beside the first:\n"
            "several calls at once, each with --threads 1, are faster than one on all processor cores."
        )
        _add_training(experiment)
        experiment.add_argument("--out", type=Path, required=True, help="folder for runs, tables and figures")
        experiment.add_argument("--seeds", type=int, default=3, help="how many seeds")
        if name == "losses":
            experiment.add_argument(
                "--only", nargs="+", metavar="LOSS", help="train and tabulate these rows only, such as LMCL"
            )
        add_one(name, command, experiment, help)

    margins = new_parser("Draw the decision boundaries of softmax, NSL, A-Softmax and LMCL (Figure 2).")
    margins.add_argument("--out", type=Path, required=True, help="folder for the figure and its numbers")
    _let_pass(margins, "data", "model", "head", "optim")
    add_one("margins", _margins, margins, "decision boundaries (Figure 2)")

    toy = new_parser(
        "Eight classes in two dimensions under softmax, and under LMCL with margins of 0, 0.1 and 0.2 (Figure 4): the\n"
        "eight people of data.images with most photos, or, where no data are given, handwritten digits. A few\n"
        "minutes; goes on where it was interrupted."
    )
    toy.add_argument("--data", type=FaceOptions | None, default=None, help="faces; --data.images FOLDER is enough")
    _let_pass(toy, "model", "head", "optim")
    toy.add_argument("--epochs", type=int, default=40, help="passes over the images")
    add_seed(toy)
    toy.add_argument("--out", type=Path, required=True, help="folder for the figure and its numbers")
    add_one("toy", _toy, toy, "eight classes in two dimensions (Figure 4)")

    report = new_parser(
        "One page (report.md, report.html, report.png) of the experiments in a folder: what was measured beside what\n"
        "the paper published, and what has not been run yet."
    )
    _let_pass(report, "data", "model", "head", "optim")
    report.add_argument("--out", type=Path, required=True, help="folder that the experiments wrote to")
    add_one("report", _report, report, "our numbers beside the published ones")

    return commands


def _add_training(parser: ArgumentParser) -> None:
    parser.add_class_arguments(FaceOptions, "data")
    parser.add_class_arguments(ModelOptions, "model")
    parser.add_class_arguments(HeadOptions, "head")
    parser.add_class_arguments(OptimOptions, "optim")


def _let_pass(parser: ArgumentParser, *groups: str) -> None:
    """Accept groups of a recipe that this command does not use: one YAML file serves all experiments."""
    for group in groups:
        parser.add_argument(f"--{group}", type=dict, help=SUPPRESS)


def _data(options: Namespace) -> FaceOptions:
    return FaceOptions(**options.data.as_dict())


def _align(options: Namespace) -> int:
    from saree_cosface.faces.align import align_folder, read_landmarks
    from saree_cosface.faces.detect import detect_mtcnn, detect_yunet

    landmarks = detector = None
    if options.landmarks is not None:
        landmarks = read_landmarks(options.landmarks)
    else:
        detector = detect_yunet(options.model) if options.detector == "yunet" else detect_mtcnn()
    size = (112, 96) if options.size == "112x96" else (112, 112)
    found = align_folder(options.folder, options.out, size=size, detector=detector, landmarks=landmarks)
    found.print_table(console)
    if not found.aligned + found.kept:
        raise ValueError(f"{options.folder}: not one photo could be aligned; {options.out / 'skipped.csv'} says why.")
    return finish(options, found.to_json())


def _train(options: Namespace) -> int:
    from saree_cosface.faces.training import train_faces
    from saree_cosface.training.loop import first_process

    embedder = train_faces(_data(options), recipe_of(options), options.out, resume=options.resume)
    if not first_process():
        return 0
    console.print(f"Run: {options.out}", highlight=False)
    return finish(options, {"run": str(options.out), **embedder.card.metrics})


def _margins(options: Namespace) -> int:
    from saree_cosface.faces.margins import draw_margins

    return finish(options, draw_margins(options.out))


def _toy(options: Namespace) -> int:
    from saree_cosface.faces.toy import digits, faces, print_table, run_toy

    images = digits() if options.data is None else faces(FaceOptions(**options.data.as_dict()))
    document = run_toy(options.out, images, epochs=options.epochs, seed=options.seed)
    print_table(document, console)
    return finish(options, document)


def _report(options: Namespace) -> int:
    from saree_cosface.faces.report import write_report

    found = write_report(options.out)
    for name, command in found["missing"].items():
        console.print(f"Not yet run: {name} ({command} --out {options.out})", style="yellow", highlight=False)
    console.print(f"Report: {options.out / 'report.html'}", highlight=False)
    return finish(options, found)


def _losses(options: Namespace) -> int:
    from saree_cosface.faces.settings import losses, only

    return finish(options, _experiment("losses", lambda head: only(losses(head), options.only), options))


def _normalization(options: Namespace) -> int:
    from saree_cosface.faces.settings import normalization

    return finish(options, _experiment("normalization", normalization, options))


def _sweep(options: Namespace) -> int:
    from saree_cosface.faces.settings import margins, scales

    return finish(
        options,
        {
            "margins": _experiment("sweep_margins", margins, options),
            "scales": _experiment("sweep_scales", scales, options),
        },
    )


def _experiment(name: str, settings: Any, options: Namespace) -> Any:
    from saree_cosface.faces.experiments import run_experiment
    from saree_cosface.training.loop import first_process

    recipe = recipe_of(options)
    found = run_experiment(name, settings(recipe.head), _data(options), recipe, options.out, seeds=options.seeds)
    if not first_process():
        return None
    found.print_table(console)
    return found.to_json()
