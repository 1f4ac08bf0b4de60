"""``saree-cosface faces lfw|pairs|ytf|megaface``: verification and identification, of a run or of vectors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from saree_cosface.commands.common import Command, finish, new_parser
from saree_cosface.console import console
from saree_cosface.options import FaceOptions


def add_protocols(add_one: Callable[[str, Command, ArgumentParser, str], None]) -> None:
    """Add the protocols, each with ``add_one``."""
    lfw = new_parser(
        "The verification protocol of Labeled Faces in the Wild: 6,000 pairs, ten folds, each with the threshold that\n"
        "is best on the other nine; mean and standard error, as shares from 0 to 1 in the JSON.\n"
        "Either of a run (--run and --images) or of vectors computed elsewhere (--embeddings)."
    )
    _add_encoder(lfw)
    lfw.add_argument("--pairs", type=Path, required=True, help="pairs.txt of View 2")
    _add_out(lfw)
    add_one("lfw", _lfw, lfw, "verification on LFW")

    pairs = new_parser(
        "Verification on any list of pairs: two paths and 0 or 1 (1: one person) a row, and perhaps a fold. The lists\n"
        "of CALFW and CPLFW are recognised by --format, CFP by its folder, the .bin files of insightface by suffix."
    )
    _add_encoder(pairs)
    pairs.add_argument("--pairs", type=Path, required=True, help="the list; for CFP the folder of the data set")
    formats = ("plain", "agedb", "calfw", "cplfw", "cfp-ff", "cfp-fp")
    pairs.add_argument("--format", choices=formats, default="plain", help="of the list")
    pairs.add_argument("--unequal-folds", action="store_true", help="score folds of different sizes, and say so")
    add_one("pairs", _pairs, pairs, "verification on another list of pairs")

    ytf = new_parser(
        "Verification of videos: YouTube Faces, 5,000 pairs, a video being the mean of its frames' features."
    )
    ytf.add_argument("--run", type=Path, required=True, help="folder of a run")
    ytf.add_argument("--images", type=Path, required=True, help="aligned frames: person/video/frame.jpg")
    ytf.add_argument("--splits", type=Path, required=True, help="splits.txt")
    ytf.add_argument("--allow-missing", action="store_true", help="leave out pairs whose videos are absent")
    _add_out(ytf)
    _add_cache(ytf)
    add_one("ytf", _ytf, ytf, "verification on YouTube Faces")

    identify = new_parser(
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
    add_one("megaface", _megaface, identify, "identification among distractors")


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


def _kept(options: Namespace, name: str, found: Any) -> int:
    """Show scores, and write them where the report finds them."""
    from saree_cosface.faces.encoder import described
    from saree_cosface.files import write_json

    found.print_table(console)
    document = found.to_json()
    if options.out is not None:
        encoder = described(options.run) if options.run is not None else f"vectors of {options.embeddings.name}"
        write_json(options.out / f"{name}.json", {"experiment": name, "encoder": encoder, **document})
    return finish(options, document)


def _verified(options: Namespace, pairs: Any, *, unequal: bool = False) -> Any:
    from saree_cosface.faces.embeddings import read_embeddings
    from saree_cosface.faces.encoder import load_encoder
    from saree_cosface.faces.verification import verify_embeddings, verify_images

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
            cache=options.cache,
            allow_missing=options.allow_missing,
            unequal=unequal,
        )
    return found


def _lfw(options: Namespace) -> int:
    from saree_cosface.faces.datasets import LFW, require
    from saree_cosface.faces.pair_lists import read_lfw_pairs, suffix_there

    pairs = read_lfw_pairs(options.pairs)
    if options.images is not None:
        images = require(options.images, LFW, "the folder of aligned photos, person/person_0001.jpg")
        pairs = read_lfw_pairs(options.pairs, suffix=suffix_there(images, pairs))
    return _kept(options, "lfw", _verified(options, pairs))


def _pairs(options: Namespace) -> int:
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
    return finish(options, found.to_json())


def _verified_bin(options: Namespace, packed: Any) -> int:
    from saree_cosface.faces.encoder import load_encoder
    from saree_cosface.faces.verification import verify_packed

    if options.run is None:
        raise ValueError(f"{options.pairs} brings its own images: give --run RUN to embed them.")
    found = verify_packed(
        load_encoder(options.run),
        packed,
        cache=options.cache,
        allow_missing=options.allow_missing,
    )
    found.print_table(console)
    return finish(options, found.to_json())


def _ytf(options: Namespace) -> int:
    from saree_cosface.faces.encoder import load_encoder
    from saree_cosface.faces.verification import verify_videos
    from saree_cosface.faces.youtube import read_ytf_pairs

    pairs = read_ytf_pairs(options.splits)
    found = verify_videos(
        load_encoder(options.run),
        options.images,
        pairs,
        cache=options.cache,
        allow_missing=options.allow_missing,
    )
    return _kept(options, "ytf", found)


def _megaface(options: Namespace) -> int:
    from saree_cosface.faces.embeddings import read_embeddings
    from saree_cosface.faces.encoder import embed_folder, load_encoder
    from saree_cosface.faces.identification import identify

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
            cache=options.cache,
            allow_missing=options.allow_missing,
        )
    return _kept(options, "megaface", identify(embeddings))


def _challenge(options: Namespace) -> int:
    from saree_cosface.faces.challenge import run_challenge
    from saree_cosface.faces.datasets import FACESCRUB, FGNET, MEGAFACE, require
    from saree_cosface.faces.encoder import load_encoder
    from saree_cosface.faces.megaface import read_distractors, read_noise_list, read_probes

    if options.run is None or options.probes is None or options.distractors is None:
        raise ValueError("--devkit needs --run RUN, --probes FOLDER and --distractors FOLDER.")
    require(options.probes, FGNET if options.probe_set == "fgnet" else FACESCRUB, "the folder of aligned probes")
    require(options.distractors, MEGAFACE, "the folder of aligned distractors")
    found = run_challenge(
        load_encoder(options.run),
        (options.probes, read_probes(options.devkit, options.probe_set)),
        (options.distractors, read_distractors(options.devkit, options.count, options.subset)),
        noise={path.name: read_noise_list(path) for path in options.noises},
        cache=options.cache,
        allow_missing=options.allow_missing,
    )
    return _kept(options, "challenge", found)
