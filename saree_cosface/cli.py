"""The command ``saree-cosface``: each sub-command parses its options, imports what it needs, and calls one function.

Results go to stdout as one document where ``--json`` or ``--csv`` asks for it; everything for people goes to stderr.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from saree_cosface import __version__
from saree_cosface.console import console
from saree_cosface.curation.commands import LOG, add_curate_commands
from saree_cosface.faces.commands import add_commands
from saree_cosface.loom.options import LoomOptions
from saree_cosface.maps.commands import map_parser, run_map
from saree_cosface.options import DataOptions, HeadOptions, ModelOptions, OptimOptions, Recipe, ViewOptions
from saree_cosface.review.commands import review_parser, run_review

Command = Callable[[Namespace], int]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the job could not be done, 2 the call was wrong."""
    parser, commands = _parser()
    options = parser.parse_args(arguments)
    name = options.subcommand
    chosen = options[name]
    while "subcommand" in chosen:
        name, outer, chosen = f"{name} {chosen.subcommand}", chosen, chosen[chosen.subcommand]
        if LOG in outer:  # which stands before the sub-command
            chosen[LOG] = outer[LOG]
    try:
        code = commands[name](chosen)
        sys.stdout.flush()  # here, where a reader who has left can be dealt with
    except KeyboardInterrupt:
        console.print("Interrupted; what was finished is kept.")
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (OSError, ValueError) as error:  # the errors of this package are ValueErrors
        console.print(
            f"saree-cosface: {error}", style="red", highlight=False, markup=False, emoji=False, soft_wrap=True
        )
        code = 1
    sys.exit(code)


def _parser() -> tuple[ArgumentParser, dict[str, Command]]:
    parser = ArgumentParser(
        prog="saree-cosface",
        version=__version__,
        description="Names the craft tradition of a saree from photographs, by cosine similarity.",
        epilog="A first tour: loom corpus → data check → train → evaluate → predict; `make demo` does it all.",
    )
    commands: dict[str, Command] = {}
    subcommands = parser.add_subcommands(dest="subcommand", metavar="COMMAND")

    loom = _new("Draw a corpus of synthetic sarees, photographed by synthetic shops.")
    loom.add_argument("out", type=Path, help="folder for the photos and manifest.csv")
    loom.add_class_arguments(LoomOptions, "loom")
    subcommands.add_subcommand("loom", loom, help="draw synthetic sarees")
    commands["loom"] = _loom

    data = ArgumentParser(description="Make and check manifests: tables with a row a photo.")
    # jsonargparse takes the levels of sub-commands from the outside in.
    subcommands.add_subcommand("data", data, help="make and check manifests")
    data_commands = data.add_subcommands(dest="subcommand", metavar="COMMAND")
    importing = _new(
        "Make a manifest from a folder tree (craft/photo, craft/source/photo, craft/source/piece/photo)\n"
        "or from a spreadsheet with a column for the photo and one for the craft."
    )
    importing.add_argument("folder", type=Path, help="folder of photos, or a .csv or .xlsx table")
    importing.add_argument(
        "--out", type=Path | None, help="manifest to write (default: manifest.csv beside the photos)"
    )
    importing.add_argument("--source", type=str | None, help="who took the photos, where the tree does not tell")
    importing.add_argument("--json", action="store_true", help="report as JSON on stdout")
    data_commands.add_subcommand("import", importing, help="make a manifest")
    commands["data import"] = _data_import
    checking = _new(
        "Find unreadable, tiny, duplicate and contradictory photos, unknown labels, crafts with too few\n"
        "sources, and duplicates that straddle a split. Exit status 1 when there are errors."
    )
    checking.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    checking.add_argument("--where", type=str | None, help="check only the rows of this pandas query")
    checking.add_argument("--run", type=Path | None, help="also find near-duplicates by this run's embeddings")
    checking.add_argument("--json", action="store_true", help="findings as JSON on stdout")
    data_commands.add_subcommand("check", checking, help="find what is wrong with a manifest")
    commands["data check"] = _data_check

    train = _new(
        "Train an embedder with a margin loss, sources held out, and build its gallery.\n"
        "Interrupted runs go on with --resume and end with the same weights."
    )
    train.add_class_arguments(DataOptions, "data")
    _add_recipe(train)
    train.add_argument("--out", type=Path, required=True, help="folder of the run")
    train.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    subcommands.add_subcommand("train", train, help="train an embedder")
    commands["train"] = _train

    calibrate = _new(
        "Find probabilities and verdicts of a run: its training photos are scored by embedders that are trained\n"
        "without their source, and without their craft. Seconds to minutes where the backbone is frozen; goes on\n"
        "where it was interrupted."
    )
    calibrate.add_argument("run", type=Path, help="folder of a run")
    calibrate.add_argument(
        "--false_accepts",
        type=float,
        default=0.1,
        help="share allowed: of pieces of other traditions that are given a name, and of names that are wrong",
    )
    calibrate.add_argument("--folds", type=int, default=5, help="folds by source")
    calibrate.add_argument("--groups", type=int, default=3, help="groups of crafts, each left out once a fold")
    calibrate.add_argument("--cache", type=Path, default=DataOptions.cache, help="folder of features, shared by runs")
    calibrate.add_argument("--json", action="store_true", help="what was found as JSON on stdout")
    subcommands.add_subcommand("calibrate", calibrate, help="find probabilities and verdicts")
    commands["calibrate"] = _calibrate

    evaluate = _new("Score a run on photos it never saw: those of its held-out fold, or another manifest's.")
    evaluate.add_argument("run", type=Path, help="folder of a run")
    evaluate.add_argument("manifest", type=Path, help="the manifest trained on, or one of other photos")
    evaluate.add_argument(
        "--protocol",
        choices=("source", "piece", "random"),
        default="source",
        help="what the references may share with the photo: nothing of its source, nothing of its piece, or anything",
    )
    evaluate.add_argument(
        "--open-set", action="store_true", help="also score photos of other crafts in the manifest, and of other things"
    )
    evaluate.add_argument(
        "--others", type=Path, nargs="+", default=[], help="photos or folders of other things (default: bundled ones)"
    )
    evaluate.add_argument(
        "--before", type=Path | None, help="folder of an earlier evaluation, to see both side by side"
    )
    evaluate.add_argument("--cache", type=Path, default=DataOptions.cache, help="folder of features, shared by runs")
    evaluate.add_argument("--where", type=str | None, help="score only the rows of this pandas query")
    evaluate.add_argument("--out", type=Path | None, help="folder for the figures and the JSON (default: in the run)")
    evaluate.add_argument("--json", action="store_true", help="scores as JSON on stdout")
    subcommands.add_subcommand("evaluate", evaluate, help="score a run honestly")
    commands["evaluate"] = _evaluate

    audit = _new(
        "What could name a craft that is not the cloth: copies across the split, sources that sell one craft, what\n"
        "colours or a thumbnail alone give away, what is still named when the centre or the border of a photo is\n"
        "hidden, and how well the source can be read from the embedding. Writes a page, figures and JSON."
    )
    audit.add_argument("run", type=Path, help="folder of a run")
    audit.add_argument("manifest", type=Path, help="the manifest trained on")
    audit.add_argument("--out", type=Path | None, help="folder for the page (default: audit in the run)")
    audit.add_argument("--cache", type=Path, default=DataOptions.cache, help="folder of features, shared by runs")
    audit.add_argument("--json", action="store_true", help="what was found as JSON on stdout")
    subcommands.add_subcommand("audit", audit, help="look for shortcuts")
    commands["audit"] = _audit

    compare = _new(
        "Train and score every loss and every frozen baseline on the same folds and seeds. Resumable:\n"
        "a second call with the same --out computes only what is missing."
    )
    compare.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    compare.add_argument(
        "--out", type=Path, required=True, help="folder for results.json, table.md, table.csv, figure.png"
    )
    compare.add_argument("--where", type=str | None, help="use only the rows of this pandas query, such as core")
    compare.add_argument("--seeds", type=int, default=3, help="how many seeds, each with folds of its own")
    compare.add_argument("--folds", type=int, default=5, help="folds by source")
    compare.add_argument("--cache", type=Path, default=DataOptions.cache, help="folder of features, shared by runs")
    compare.add_argument("--json", action="store_true", help="results as JSON on stdout")
    _add_recipe(compare, seed=False)
    subcommands.add_subcommand("compare", compare, help="compare losses and baselines")
    commands["compare"] = _compare

    predict = _new(
        "Name the craft tradition of photos: ranked traditions with cosines, and the nearest reference pieces."
    )
    predict.add_argument("run", type=Path, help="folder of a run")
    predict.add_argument("photos", type=Path, nargs="+", help="photos, or folders of photos")
    predict.add_argument("--piece", action="store_true", help="all photos show one piece: one answer")
    predict.add_argument(
        "--evidence",
        type=Path | None,
        help="folder for figures: what carries the cosine, and which regions match which of the nearest reference",
    )
    predict.add_argument("--top", type=int, default=5, help="how many traditions and references to name")
    predict.add_argument("--json", action="store_true", help="answers as JSON on stdout")
    predict.add_argument("--csv", action="store_true", help="answers as CSV on stdout, a row a tradition")
    subcommands.add_subcommand("predict", predict, help="name the tradition of photos")
    commands["predict"] = _predict

    enrol = _new(
        "Add photos to the references of a run, without training: of a tradition that it knows, or of a new one.\n"
        "The next prediction finds them. 'enrolments' lists what was added, and takes it back."
    )
    enrol.add_argument("run", type=Path, help="folder of a run")
    enrol.add_argument("photos", type=Path, nargs="+", help="photos, or folders of photos")
    enrol.add_argument("--craft", type=str, required=True, help="the tradition, in any spelling")
    enrol.add_argument("--new", action="store_true", help="a tradition that the taxonomy does not know")
    enrol.add_argument("--piece", action="store_true", help="all photos show one piece")
    enrol.add_argument("--source", type=str, default="", help="who took them; evaluation leaves that source out")
    enrol.add_argument("--note", type=str, default="", help="kept with the enrolment, such as an inventory number")
    enrol.add_argument("--json", action="store_true", help="the result as JSON on stdout")
    subcommands.add_subcommand("enrol", enrol, help="add references to a run")
    commands["enrol"] = _enrol

    enrolments = _new("What was enrolled into a run, by number. --undo takes an enrolment back: its photos leave.")
    enrolments.add_argument("run", type=Path, help="folder of a run")
    enrolments.add_argument("--undo", type=int | None, help="take this enrolment back; 0 for the last")
    enrolments.add_argument("--json", action="store_true", help="all enrolments as JSON on stdout")
    subcommands.add_subcommand("enrolments", enrolments, help="list enrolments, or take one back")
    commands["enrolments"] = _enrolments

    app = _new(
        "Serve the app on this machine: name sarees, one or many, browse the traditions, and, for curators, map,\n"
        "review and enrol. It binds to 127.0.0.1 and asks nothing of the network."
    )
    app.add_argument("run", type=Path, help="folder of a run")
    app.add_argument("--port", type=int | None, help="port on 127.0.0.1 (default: the first free one from 7860)")
    app.add_argument("--auth", type=Path | None, help="file with a line name:password, or name:HASH, for each user")
    app.add_argument("--max-upload-mb", type=int, default=1000, help="megabytes of one upload, all its files together")
    app.add_argument("--manifest", type=Path | None, help="manifest of the collection that curators work on")
    app.add_argument("--log", type=Path | None, help="log of their decisions; made with the first one")
    subcommands.add_subcommand("app", app, help="serve the app")
    commands["app"] = _app

    report = _new("One page on a run: scores, figures, and examples with their nearest references. Opens offline.")
    report.add_argument("run", type=Path, help="folder of a run")
    report.add_argument("manifest", type=Path, help="the manifest trained on, or one of other photos")
    report.add_argument("--out", type=Path | None, help="HTML file (default: report.html in the run)")
    report.add_argument("--cache", type=Path, default=DataOptions.cache, help="folder of features, shared by runs")
    subcommands.add_subcommand("report", report, help="write a page about a run")
    commands["report"] = _report

    faces = ArgumentParser(description="Check the engine on the task that it was invented for: faces.")
    subcommands.add_subcommand("faces", faces, help="reproduce the CosFace paper on faces")
    commands |= {name: _printing(command) for name, command in add_commands(faces).items()}

    subcommands.add_subcommand("map", map_parser(), help="map a collection")
    subcommands.add_subcommand("review", review_parser(), help="find what to look at again")
    commands |= {"map": _printing(run_map), "review": _printing(run_review)}
    curate = ArgumentParser(
        description="Record the decisions of curators on photos, and make the next version of a manifest of them.\n"
        "Example: saree-cosface curate decisions.db relabel shop/bafta_17.jpg --craft jamdani --by 'Asha Rao'\n"
        "--why 'supplementary weft, no cut floats on the back' --manifest manifest.csv"
    )
    subcommands.add_subcommand("curate", curate, help="record decisions, and apply them")
    commands |= {name: _printing(command) for name, command in add_curate_commands(curate).items()}
    return parser, commands


def _printing(command: Callable[[Namespace], Any]) -> Command:
    """A command that prints the document it returns, if ``--json`` asks for it."""

    def run(options: Namespace) -> int:
        document = command(options)
        if options.json and document is not None:
            _print_json(document)
        return 0

    return run


def _new(description: str) -> ArgumentParser:
    parser = ArgumentParser(description=description)
    parser.add_argument("--config", action="config", help="YAML file with any of these options (see configs/)")
    return parser


def _add_recipe(parser: ArgumentParser, *, seed: bool = True) -> None:
    parser.add_class_arguments(ModelOptions, "model")
    parser.add_class_arguments(ViewOptions, "views")
    parser.add_class_arguments(HeadOptions, "head")
    parser.add_class_arguments(OptimOptions, "optim")
    if seed:
        parser.add_argument("--seed", type=int, default=0, help="everything random follows from it")


def _recipe(options: Namespace) -> Recipe:
    return Recipe(
        ModelOptions(**options.model.as_dict()),
        ViewOptions(**options.views.as_dict()),
        HeadOptions(**options.head.as_dict()),
        OptimOptions(**options.optim.as_dict()),
        options.get("seed", 0),
    )


def _print_json(value: Any) -> None:
    # All of it or nothing: what cannot be written as JSON raises before the first character is out.
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a file name that is not UTF-8, or a terminal that is not
        text = json.dumps(value, indent=2, allow_nan=False)
    sys.stdout.write(text + "\n")


def _loom(options: Namespace) -> int:
    from saree_cosface.loom.corpus import draw_corpus

    manifest = draw_corpus(options.out, LoomOptions(**options.loom.as_dict()))
    console.print(f"Manifest: {manifest}", highlight=False)
    return 0


def _data_import(options: Namespace) -> int:
    from saree_cosface.data.importing import import_folder, import_spreadsheet

    folder: Path = options.folder
    if folder.is_dir():
        out = options.out or folder / "manifest.csv"
        report = import_folder(folder, out, source=options.source)
    else:
        out = options.out or folder.with_name("manifest.csv")
        report = import_spreadsheet(folder, out, source=options.source)
    report.print_table(console)
    if options.json:
        _print_json(report.to_json())
    return 0


def _data_check(options: Namespace) -> int:
    from saree_cosface.data.check import check_manifest
    from saree_cosface.data.manifest import read_manifest

    manifest = read_manifest(options.manifest, where=options.where, on_unknown="keep")
    embeddings = None
    if options.run is not None:
        from saree_cosface.embedding import embeddings_with_gaps
        from saree_cosface.runs import load_run

        embeddings = embeddings_with_gaps(load_run(options.run).embedder, manifest.files())
    report = check_manifest(manifest, embeddings=embeddings)
    report.print_table(console)
    if options.json:
        _print_json(report.to_json())
    return 0 if report.ok else 1


def _train(options: Namespace) -> int:
    from saree_cosface.runs import create_run

    run = create_run(DataOptions(**options.data.as_dict()), _recipe(options), options.out, resume=options.resume)
    console.print(f"Run: {run.folder}  ({len(run.gallery)} references of {len(run.classes)} crafts)", highlight=False)
    return 0


def _calibrate(options: Namespace) -> int:
    from saree_cosface.calibrate import calibrate_run, print_calibration
    from saree_cosface.runs import load_run

    calibration = calibrate_run(
        load_run(options.run),
        false_accepts=options.false_accepts,
        folds=options.folds,
        groups=options.groups,
        cache=options.cache,
    )
    print_calibration(calibration, console)
    if options.json:
        _print_json(calibration.to_json())
    return 0


def _evaluate(options: Namespace) -> int:
    from saree_cosface.evaluation import evaluate_run
    from saree_cosface.runs import load_run

    result = evaluate_run(
        load_run(options.run),
        options.manifest,
        protocol=options.protocol,
        where=options.where,
        open_set=options.open_set,
        others=options.others,
        before=options.before,
        cache=options.cache,
        out=options.out,
    )
    result.print_table(console)
    if options.json:
        _print_json(result.to_json())
    return 0


def _audit(options: Namespace) -> int:
    from saree_cosface.audit import audit_run
    from saree_cosface.runs import load_run

    run = load_run(options.run)
    out = run.folder / "audit" if options.out is None else options.out
    found = audit_run(run, options.manifest, out, cache=options.cache)
    found.print_findings(console)
    console.print(f"Page: {out / 'audit.html'}", highlight=False)
    if options.json:
        _print_json(found.to_json())
    return 0


def _compare(options: Namespace) -> int:
    from saree_cosface.comparison import compare

    result = compare(
        options.manifest,
        options.out,
        _recipe(options),
        where=options.where,
        seeds=options.seeds,
        folds=options.folds,
        cache=options.cache,
    )
    result.print_table(console)
    if options.json:
        _print_json(result.to_json())
    return 0


def _predict(options: Namespace) -> int:
    from saree_cosface.prediction import predict
    from saree_cosface.runs import load_run
    from saree_cosface.spreadsheet import csv_text

    answers = predict(
        load_run(options.run), options.photos, one_piece=options.piece, top=options.top, evidence=options.evidence
    )
    if options.json:
        _print_json(answers.to_json())
    elif options.csv:
        sys.stdout.write(csv_text(answers.csv_columns(), answers.csv_rows()))
    else:
        answers.print_tables(console)
    return 0 if not answers.bad else 1


def _enrol(options: Namespace) -> int:
    from saree_cosface.enrolment import enrol

    found = enrol(
        options.run,
        options.craft,
        options.photos,
        new=options.new,
        one_piece=options.piece,
        source=options.source,
        note=options.note,
    )
    found.print_table(console)
    if options.json:
        _print_json(found.to_json())
    return 0 if not found.bad else 1


def _enrolments(options: Namespace) -> int:
    from dataclasses import asdict

    from saree_cosface.enrolment import enrolments, print_log, undo

    if options.undo is not None:
        entry = undo(options.run, options.undo)
        said = f"Enrolment {entry.number} taken back: {len(entry.photos)} photos of {entry.craft}."
        console.print(said, highlight=False, markup=False)
    log = enrolments(options.run)
    print_log(log, console)
    if options.json:
        _print_json([asdict(entry) for entry in log])
    return 0


def _app(options: Namespace) -> int:
    try:
        from saree_cosface.app.__main__ import serve_run  # type: ignore[import-untyped]  # where it lies in an installed package
    except ModuleNotFoundError:
        from app.__main__ import serve_run  # in a checkout
    serve_run(options.run, options.port, options.auth, options.max_upload_mb, options.manifest, options.log)
    return 0


def _report(options: Namespace) -> int:
    from saree_cosface.report import write_report
    from saree_cosface.runs import load_run

    out = options.out or options.run / "report.html"
    page = write_report(load_run(options.run), options.manifest, out, cache=options.cache)
    console.print(f"Report: {page}", highlight=False)
    return 0
