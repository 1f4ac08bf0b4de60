"""``saree-cosface faces ...``: the sub-commands of the benchmark on faces. Nothing heavy is imported until one runs."""

from argparse import SUPPRESS
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from saree_cosface.console import console
from saree_cosface.options import FaceOptions, HeadOptions, ModelOptions, OptimOptions, Recipe

Command = Callable[[Namespace], Any]


def add_commands(parser: ArgumentParser) -> dict[str, Command]:
    """Add the sub-commands; each takes the parsed options and returns the document to print as JSON, if any."""
    commands: dict[str, Command] = {}
    subcommands = parser.add_subcommands(dest="subcommand", metavar="COMMAND")

    def add(name: str, command: Command, parser: ArgumentParser, help: str) -> ArgumentParser:
        parser.add_argument("--json", action="store_true", help="the result as one JSON document on stdout")
        subcommands.add_subcommand(name, parser, help=help)
        commands[f"faces {name}"] = command
        return parser

    align = _new(
        "Find the face in each photo of a folder and align it to the template of the papers. Photos without a face\n"
        "and unreadable ones are listed in skipped.csv. Goes on where it was interrupted."
    )
    align.add_argument("folder", type=Path, help="folder of photos, with sub-folders")
    align.add_argument("--out", type=Path, required=True, help="folder of the aligned photos, named as before")
    align.add_argument("--size", type=str, choices=("112x112", "112x96"), default="112x112", help="height x width")
    align.add_argument("--landmarks", type=Path | None, help="CSV with five points a photo, instead of a detector")
    align.add_argument("--detector", choices=("yunet", "mtcnn"), default="yunet", help="who finds the faces")
    align.add_argument("--model", type=Path | None, help="YuNet's file face_detection_yunet_2023mar.onnx")
    add("align", _align, align, "align faces by five points")

    train = _new("Train an embedder on a folder of people (a folder a person, aligned faces).")
    _add_training(train)
    train.add_argument("--seed", type=int, default=0, help="everything random follows from it")
    train.add_argument("--out", type=Path, required=True, help="folder of the run")
    train.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    add("train", _train, train, "train an embedder on faces")

    lfw = _new(
        "The verification protocol of Labeled Faces in the Wild: 6,000 pairs, ten folds, each with the threshold that\n"
        "is best on the other nine; mean and standard error, as shares from 0 to 1 in the JSON.\n"
        "Either of a run (--run and --images) or of vectors computed elsewhere (--embeddings)."
    )
    _add_encoder(lfw)
    lfw.add_argument("--pairs", type=Path, required=True, help="pairs.txt of View 2")
    _add_out(lfw)
    add("lfw", _lfw, lfw, "verification on LFW")

    pairs = _new(
        "Verification on any list of pairs: two paths and 0 or 1 (1: one person) a row, and perhaps a fold. The lists\n"
        "of CALFW and CPLFW are recognised by --format, CFP by its folder, the .bin files of insightface by suffix."
    )
    _add_encoder(pairs)
    pairs.add_argument("--pairs", type=Path, required=True, help="the list; for CFP the folder of the data set")
    formats = ("plain", "agedb", "calfw", "cplfw", "cfp-ff", "cfp-fp")
    pairs.add_argument("--format", choices=formats, default="plain", help="of the list")
    pairs.add_argument("--unequal-folds", action="store_true", help="score folds of different sizes, and say so")
    add("pairs", _pairs, pairs, "verification on another list of pairs")

    ytf = _new("Verification of videos: YouTube Faces, 5,000 pairs, a video being the mean of its frames' features.")
    ytf.add_argument("--run", type=Path, required=True, help="folder of a run")
    ytf.add_argument("--images", type=Path, required=True, help="aligned frames: person/video/frame.jpg")
    ytf.add_argument("--splits", type=Path, required=True, help="splits.txt")
    ytf.add_argument("--allow-missing", action="store_true", help="leave out pairs whose videos are absent")
    _add_out(ytf)
    _add_cache(ytf)
    add("ytf", _ytf, ytf, "verification on YouTube Faces")

    identify = _new(
        "Identification against distractors. With --images or --embeddings, a smaller MegaFace: each person with two\n"
        "or more photos is sought among all people with one; and the open-set rate, where those with one are\n"
        "strangers who must not be named. With --devkit, Challenge 1 of MegaFace itself."
    )
    identify.add_argument("--run", type=Path | None, help="folder of a run")
    identify.add_argument("--images", type=Path | None, help="aligned photos, a folder a person")
    identify.add_argument("--embeddings", type=Path | None, help=".npz with names and embeddings, instead of a run")
    identify.add_argument("--devkit", type=Path | None, help="MegaFace's devkit, with its templatelists")
    identify.add_argument("--probes", type=Path | None, help="aligned photos of FaceScrub or FG-NET")
    identify.add_argument("--probe_set", choices=("facescrub", "fgnet"), default="facescrub", help="which of the two")
    identify.add_argument("--distractors", type=Path | None, help="aligned photos of MegaFace")
    identify.add_argument("--count", type=int, default=1_000_000, help="how many distractors: 10, 100, ... 1000000")
    identify.add_argument("--subset", type=int, default=1, help="which of the devkit's draws of so many")
    identify.add_argument("--noises", type=Path, nargs="*", default=[], help="lists of wrong photos to leave out")
    identify.add_argument("--allow-missing", action="store_true", help="leave out listed photos that are absent")
    _add_out(identify)
    _add_cache(identify)
    add("megaface", _megaface, identify, "identification among distractors")

    for name, command, help in (
        ("losses", _losses, "nine losses on the same faces and budget (Table 2)"),
        ("sweep", _sweep, "the margin from 0 to 0.45 at one scale, and the scale (Figure 5)"),
        ("normalization", _normalization, "LMCL with and without normalised features (Table 1)"),
    ):
        experiment = _new(
            f"{help[0].upper()}{help[1:]}.\n"
            "Every training is a run below OUT/runs; a second call trains what is missing, also beside the first:\n"
            "several calls at once, each with OMP_NUM_THREADS=1, are faster than one on all processor cores."
        )
        _add_training(experiment)
        experiment.add_argument("--out", type=Path, required=True, help="folder for runs, tables and figures")
        experiment.add_argument("--seeds", type=int, default=3, help="how many seeds")
        if name == "losses":
            experiment.add_argument(
                "--only", nargs="+", metavar="LOSS", help="train and tabulate these rows only, such as LMCL"
            )
        add(name, command, experiment, help)

    margins = _new("Draw the decision boundaries of softmax, NSL, A-Softmax and LMCL (Figure 2).")
    margins.add_argument("--out", type=Path, required=True, help="folder for the figure and its numbers")
    _let_pass(margins, "data", "model", "head", "optim")
    add("margins", _margins, margins, "decision boundaries (Figure 2)")

    toy = _new(
        "Eight classes in two dimensions under softmax, and under LMCL with margins of 0, 0.1 and 0.2 (Figure 4): the\n"
        "eight people of data.images with most photos, or, where no data are given, handwritten digits. A few\n"
        "minutes; goes on where it was interrupted."
    )
    toy.add_argument("--data", type=FaceOptions | None, default=None, help="faces; --data.images FOLDER is enough")
    _let_pass(toy, "model", "head", "optim")
    toy.add_argument("--epochs", type=int, default=40, help="passes over the images")
    toy.add_argument("--seed", type=int, default=0, help="everything random follows from it")
    toy.add_argument("--out", type=Path, required=True, help="folder for the figure and its numbers")
    add("toy", _toy, toy, "eight classes in two dimensions (Figure 4)")

    report = _new(
        "One page (report.md, report.html, report.png) of the experiments in a folder: what was measured beside what\n"
        "the paper published, and what has not been run yet."
    )
    _let_pass(report, "data", "model", "head", "optim")
    report.add_argument("--out", type=Path, required=True, help="folder that the experiments wrote to")
    add("report", _report, report, "our numbers beside the published ones")

    return commands


def _new(description: str) -> ArgumentParser:
    parser = ArgumentParser(description=description)
    parser.add_argument("--config", action="config", help="YAML file with any of these options (see configs/faces/)")
    return parser


def _add_training(parser: ArgumentParser) -> None:
    parser.add_class_arguments(FaceOptions, "data")
    parser.add_class_arguments(ModelOptions, "model")
    parser.add_class_arguments(HeadOptions, "head")
    parser.add_class_arguments(OptimOptions, "optim")


def _let_pass(parser: ArgumentParser, *groups: str) -> None:
    """Accept groups of a recipe that this command does not use: one YAML file serves all experiments."""
    for group in groups:
        parser.add_argument(f"--{group}", type=dict, help=SUPPRESS)


def _add_encoder(parser: ArgumentParser) -> None:
    parser.add_argument("--run", type=Path | None, help="folder of a run")
    parser.add_argument("--images", type=Path | None, help="folder of aligned photos, to which names are relative")
    parser.add_argument(
        "--embeddings",
        type=Path | None,
        help=".npz with names (N,), embeddings (N, D) and perhaps mirrored (N, D), instead of a run",
    )
    parser.add_argument("--allow-missing", action="store_true", help="leave out pairs whose images are absent")
    _add_cache(parser)


def _add_out(parser: ArgumentParser) -> None:
    parser.add_argument("--out", type=Path | None, help="folder to keep the scores in, for 'faces report'")


def _add_cache(parser: ArgumentParser) -> None:
    parser.add_argument("--cache", type=Path, default=FaceOptions.cache, help="folder of decoded photos")


def _recipe(options: Namespace) -> Recipe:
    return Recipe(
        model=ModelOptions(**options.model.as_dict()),
        head=HeadOptions(**options.head.as_dict()),
        optim=OptimOptions(**options.optim.as_dict()),
        seed=options.get("seed", 0),
    )


def _data(options: Namespace) -> FaceOptions:
    return FaceOptions(**options.data.as_dict())


def _align(options: Namespace) -> Any:
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
    return found.to_json()


def _train(options: Namespace) -> Any:
    from saree_cosface.faces.training import train_faces
    from saree_cosface.training import first_process

    embedder = train_faces(_data(options), _recipe(options), options.out, resume=options.resume)
    if not first_process():
        return None
    console.print(f"Run: {options.out}", highlight=False)
    return {"run": str(options.out), **embedder.card.metrics}


def _kept(options: Namespace, name: str, found: Any) -> Any:
    """Show scores, and write them where the report finds them."""
    from saree_cosface.faces.verification import described
    from saree_cosface.files import write_json

    found.print_table(console)
    document = found.to_json()
    if options.out is not None:
        encoder = described(options.run) if options.run is not None else f"vectors of {options.embeddings.name}"
        write_json(options.out / f"{name}.json", {"experiment": name, "encoder": encoder, **document})
    return document


def _verified(options: Namespace, pairs: Any, *, unequal: bool = False) -> Any:
    from saree_cosface.faces.embeddings import read_embeddings
    from saree_cosface.faces.verification import load_encoder, verify_embeddings, verify_images

    if (options.embeddings is None) == (options.run is None):
        raise ValueError("give either --embeddings FILE.npz, or --run RUN and --images FOLDER.")
    if options.embeddings is not None:
        found = verify_embeddings(
            read_embeddings(options.embeddings), pairs, allow_missing=options.allow_missing, unequal=unequal
        )
    elif options.images is None:
        raise ValueError("--run needs --images FOLDER, the aligned photos that the pairs name.")
    else:
        found = verify_images(
            load_encoder(options.run),
            options.images,
            pairs,
            cache=options.cache.expanduser(),
            allow_missing=options.allow_missing,
            unequal=unequal,
        )
    return found


def _lfw(options: Namespace) -> Any:
    from saree_cosface.faces.datasets import LFW, require
    from saree_cosface.faces.pair_lists import read_lfw_pairs, suffix_there

    pairs = read_lfw_pairs(options.pairs)
    if options.images is not None:
        images = require(options.images, LFW, "the folder of aligned photos, person/person_0001.jpg")
        pairs = read_lfw_pairs(options.pairs, suffix=suffix_there(images, pairs))
    return _kept(options, "lfw", _verified(options, pairs))


def _pairs(options: Namespace) -> Any:
    from saree_cosface.faces.bins import read_bin
    from saree_cosface.faces.datasets import AGEDB, CALFW, CFP, CPLFW, require
    from saree_cosface.faces.pair_lists import read_calfw_pairs, read_cfp_pairs, read_cplfw_pairs, read_pair_list

    if options.pairs.suffix == ".bin":
        return _verified_bin(options, read_bin(options.pairs))
    owners = {"agedb": AGEDB, "calfw": CALFW, "cplfw": CPLFW, "cfp-ff": CFP, "cfp-fp": CFP}
    if options.images is not None and options.format in owners:
        require(options.images, owners[options.format], "the folder of aligned photos")
    match options.format:
        case "agedb":
            pairs = read_pair_list(options.pairs, AGEDB)
        case "calfw":
            pairs = read_calfw_pairs(options.pairs)
        case "cplfw":
            pairs = read_cplfw_pairs(options.pairs)
        case "cfp-ff":
            pairs = read_cfp_pairs(options.pairs, "FF")
        case "cfp-fp":
            pairs = read_cfp_pairs(options.pairs, "FP")
        case _:
            pairs = read_pair_list(options.pairs)
    found = _verified(options, pairs, unequal=options.unequal_folds)
    found.print_table(console)
    return found.to_json()


def _verified_bin(options: Namespace, packed: Any) -> Any:
    from saree_cosface.faces.verification import load_encoder, verify_packed

    if options.run is None:
        raise ValueError(f"{options.pairs} brings its own images: give --run RUN to embed them.")
    found = verify_packed(
        load_encoder(options.run),
        packed,
        cache=options.cache.expanduser(),
        allow_missing=options.allow_missing,
    )
    found.print_table(console)
    return found.to_json()


def _ytf(options: Namespace) -> Any:
    from saree_cosface.faces.verification import load_encoder, verify_videos
    from saree_cosface.faces.youtube import read_ytf_pairs

    pairs = read_ytf_pairs(options.splits)
    found = verify_videos(
        load_encoder(options.run),
        options.images,
        pairs,
        cache=options.cache.expanduser(),
        allow_missing=options.allow_missing,
    )
    return _kept(options, "ytf", found)


def _megaface(options: Namespace) -> Any:
    from saree_cosface.faces.embeddings import read_embeddings
    from saree_cosface.faces.identification import identify
    from saree_cosface.faces.verification import embed_folder, load_encoder

    if options.devkit is not None:
        return _challenge(options)
    if (options.embeddings is None) == (options.run is None):
        raise ValueError("give either --embeddings FILE.npz, or --run RUN and --images FOLDER.")
    if options.embeddings is not None:
        embeddings = read_embeddings(options.embeddings)
    elif options.images is None:
        raise ValueError("--run needs --images FOLDER, aligned photos, a folder a person.")
    else:
        embeddings = embed_folder(
            load_encoder(options.run),
            options.images,
            cache=options.cache.expanduser(),
            allow_missing=options.allow_missing,
        )
    return _kept(options, "megaface", identify(embeddings))


def _challenge(options: Namespace) -> Any:
    from saree_cosface.faces.challenge import run_challenge
    from saree_cosface.faces.datasets import FACESCRUB, FGNET, MEGAFACE, require
    from saree_cosface.faces.megaface import read_distractors, read_noise_list, read_probes
    from saree_cosface.faces.verification import load_encoder

    if options.run is None or options.probes is None or options.distractors is None:
        raise ValueError("--devkit needs --run RUN, --probes FOLDER and --distractors FOLDER.")
    require(options.probes, FGNET if options.probe_set == "fgnet" else FACESCRUB, "the folder of aligned probes")
    require(options.distractors, MEGAFACE, "the folder of aligned distractors")
    found = run_challenge(
        load_encoder(options.run),
        (options.probes, read_probes(options.devkit, options.probe_set)),
        (options.distractors, read_distractors(options.devkit, options.count, options.subset)),
        noise={path.name: read_noise_list(path) for path in options.noises},
        cache=options.cache.expanduser(),
        allow_missing=options.allow_missing,
    )
    return _kept(options, "challenge", found)


def _margins(options: Namespace) -> Any:
    from saree_cosface.faces.margins import draw_margins

    return draw_margins(options.out)


def _toy(options: Namespace) -> Any:
    from saree_cosface.faces.toy import digits, faces, print_table, run_toy

    images = digits() if options.data is None else faces(FaceOptions(**options.data.as_dict()))
    document = run_toy(options.out, images, epochs=options.epochs, seed=options.seed)
    print_table(document, console)
    return document


def _report(options: Namespace) -> Any:
    from saree_cosface.faces.report import write_report

    found = write_report(options.out)
    for name, command in found["missing"].items():
        console.print(f"Not yet run: {name} ({command} --out {options.out})", style="yellow", highlight=False)
    console.print(f"Report: {options.out / 'report.html'}", highlight=False)
    return found


def _losses(options: Namespace) -> Any:
    from saree_cosface.faces.experiments import losses, only

    return _experiment("losses", lambda head: only(losses(head), options.only), options)


def _normalization(options: Namespace) -> Any:
    from saree_cosface.faces.experiments import normalization

    return _experiment("normalization", normalization, options)


def _sweep(options: Namespace) -> Any:
    from saree_cosface.faces.experiments import margins, scales

    return {
        "margins": _experiment("sweep_margins", margins, options),
        "scales": _experiment("sweep_scales", scales, options),
    }


def _experiment(name: str, settings: Any, options: Namespace) -> Any:
    from saree_cosface.faces.experiments import run_experiment
    from saree_cosface.training import first_process

    recipe = _recipe(options)
    found = run_experiment(name, settings(recipe.head), _data(options), recipe, options.out, seeds=options.seeds)
    if not first_process():
        return None
    found.print_table(console)
    return found.to_json()
