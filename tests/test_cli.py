import ast
import csv
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

import saree_cosface
from saree_cosface import __version__, cli
from saree_cosface.cli import command_line, main, outline
from saree_cosface.commands.common import print_json
from saree_cosface.data.manifest_file import read_manifest
from tests.helpers import altered
from tests.helpers.bad_photos import BAD, save, textured, zero_byte
from tests.helpers.tiny import CRAFTS, SOME

COMMANDS = (
    "loom",
    "data import",
    "data check",
    "train",
    "evaluate",
    "compare",
    "predict",
    "enrol",
    "enrolments",
    "export",
)
COMMANDS += ("demo", "backbones", "calibrate", "curve", "next", "audit", "report", "app", "accounts")


@pytest.fixture
def call(capsys):
    """Runs a command; returns its exit status, stdout and stderr (in one line)."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return stopped.value.code or 0, out, " ".join(err.split())

    return run


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options
    )


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


# --- light -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_command_is_known_by_its_module_alone():
    _, commands = command_line()
    assert {name.split()[0] for name in commands} == set(cli.COMMANDS)
    for name in commands:
        assert name in command_line(name.split()[0])[1]


def test_the_help_says_of_each_command_what_its_module_says():
    assert outline().format_help() == command_line()[0].format_help()


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


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(call, command):
    code, out, _ = call(*command.split(), "--help")
    assert code == 0
    assert "--" in out
    assert len(out.splitlines()) > 8
    assert "None)" not in out.replace("default: null", "")


def test_help_describes_every_option_of_training(call):
    _, out, _ = call("train", "--help")
    out = out.split("options:", 1)[1]  # after the usage, which names them all
    for option in ("--data.manifest", "--optim.patience", "--head.margin", "--model.trainable_stages", "--resume"):
        described = out.split(option, 1)[1][:200]
        assert len(described.split("\n  --")[0].split()) > 5, option


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


# --- configuration ---------------------------------------------------------------------------------------------------


def test_a_printed_configuration_is_read_back(call, tmp_path):
    flags = ["--head.margin", "0.2", "--optim.balance", "piece", "--data.where", SOME, "--model.dropout", "0.1"]
    arguments = ["train", "--data.manifest", "some.csv", "--out", "run", *flags]
    code, printed, _ = call(*arguments, "--print_config")
    assert code == 0
    settings = yaml.safe_load(printed)
    assert settings["head"] == {
        "name": "cosface",
        "scale": 16.0,
        "margin": 0.2,
        "balance": -1.0,
        "margin_warmup": 0.0,
        "sharded": False,
        "sample": 1.0,
    }
    assert settings["data"]["where"] == SOME
    (tmp_path / "config.yaml").write_text(printed)
    code, again, _ = call("train", "--config", tmp_path / "config.yaml", "--print_config")
    assert (code, again) == (0, printed)
    _, changed, _ = call("train", "--config", tmp_path / "config.yaml", "--head.margin", "0.3", "--print_config")
    assert yaml.safe_load(changed)["head"]["margin"] == 0.3


def test_the_configuration_of_a_run_is_one_for_the_command(call, tiny_run):
    config = tiny_run.folder / "config.yaml"
    code, printed, _ = call("train", "--config", config, "--out", "other", "--print_config")
    assert code == 0
    settings = yaml.safe_load(printed)
    for group, values in yaml.safe_load(config.read_text()).items():
        assert settings[group] == values, group


@pytest.mark.parametrize("path", sorted(Path("configs", "faces").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configurations_for_faces_are_valid(call, path):
    code, printed, _ = call("faces", "train", "--config", path, "--out", "run", "--print_config")
    assert code == 0
    assert yaml.safe_load(printed)["model"]["backbone"] in ("laptop12", "laptop12_stride4", "sphereface64")


def test_the_recipe_of_the_paper_is_the_published_one(call):
    """Section 4.1 of arXiv:1801.09414."""
    _, printed, _ = call(
        "faces", "train", "--config", Path("configs", "faces", "paper.yaml"), "--out", "run", "--print_config"
    )
    options = yaml.safe_load(printed)
    assert options["model"]["backbone"] == "sphereface64"
    assert options["model"]["embedding_dim"] == 512
    assert not options["model"]["batch_norm"]
    assert (options["head"]["name"], options["head"]["scale"], options["head"]["margin"]) == ("cosface", 64.0, 0.35)
    optim = options["optim"]
    assert (optim["optimizer"], optim["lr"], optim["backbone_lr"], optim["layer_decay"]) == ("sgd", 0.1, 0.1, 1.0)
    assert (optim["momentum"], optim["weight_decay"], optim["warmup"]) == (0.9, 5e-4, 0.0)
    assert (optim["steps"], list(optim["milestones"])) == (30_000, [16_000, 24_000, 28_000])
    assert optim["batch_size"] * options["data"]["devices"] == 512
    changes = ("shift", "rotation", "zoom", "colour_jitter", "cover")
    assert not any(options["data"][change] for change in changes)  # photos are mirrored, and that is all


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configurations_are_valid(call, path):
    code, printed, err = call("train", "--config", path, "--data.manifest", "m.csv", "--out", "run", "--print_config")
    assert code == 0, err
    given, read = yaml.safe_load(path.read_text()), yaml.safe_load(printed)
    for group, values in given.items():
        if isinstance(values, dict):
            assert {name: read[group][name] for name in values} == values


@pytest.mark.parametrize(
    ("text", "said"), [("optim: {epoch: 3}", "epoch"), ("optim: [", "config"), ("optim: {epochs: few}", "epochs")]
)
def test_a_wrong_configuration_is_told(call, tmp_path, text, said):
    (tmp_path / "config.yaml").write_text(text)
    code, _, err = call("train", "--config", tmp_path / "config.yaml", "--data.manifest", "m.csv", "--out", "run")
    assert code == 2
    assert said in err


def test_an_option_out_of_range_is_named(call, tmp_path):
    (tmp_path / "m.csv").write_text("path,craft\na.jpg,kasavu\n")
    arguments = ("--data.manifest", tmp_path / "m.csv", "--out", tmp_path / "run")
    code, out, err = call("train", *arguments, "--optim.epochs", "0")
    assert code in (1, 2)
    assert out == ""
    assert "optim.epochs is 0; it must be at least 1" in err
    assert not (tmp_path / "run").exists()


# --- data ------------------------------------------------------------------------------------------------------------


def collection(folder):
    """Photos in folders by craft and source."""
    for row, place in enumerate(["Banaras/shop a", "Banaras/shop b", "kasavu/shop a", "kasavu/shop b"]):
        for number in range(2):
            save(folder / place / f"साड़ी {number}.png", textured(96, 72, 2 * row + number))
    return folder


def test_import_then_check(call, tmp_path):
    folder = collection(tmp_path / "photos")
    code, out, err = call("data", "import", folder, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["crafts"] == {"banarasi": 4, "kasavu": 4}
    assert "8 photos from 2 sources" in err
    code, out, _ = call("data", "check", document["manifest"], "--crops", "false", "--json")
    assert code == 0
    assert json.loads(out)["ok"] is True
    code, out, err = call("data", "check", document["manifest"], "--crops", "false", "--where", "craft == 'kasavu'")
    assert (code, out) == (0, "")
    assert "4 of 4 photos readable" in err


def test_import_lists_what_it_leaves_out(call, tmp_path):
    folder = collection(tmp_path / "photos")
    save(folder / "organza" / "a.png", textured())
    (folder / "kasavu" / "[red].jpg").write_bytes(b"")
    for number in range(12):
        (folder / "kasavu" / f"notes {number}.txt").write_text("")
    code, out, err = call("data", "import", folder, "--out", tmp_path / "m.parquet")
    assert (code, out) == (0, "")
    for wanted in ("banarasi", "organza (1 photo): ", "[red].jpg: empty", "Left out, 13 files", "… and 3 more"):
        assert wanted in err
    assert len(read_manifest(tmp_path / "m.parquet")) == 8


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "check", "caf\udce9.csv"],
        ["data", "import", "photos", "--out", "caf\udce9.csv"],
        ["train", "--data.manifest", "caf\udce9.csv", "--out", "run"],
        ["train", "--data.manifest", "manifest.csv", "--out", "caf\udce9"],
    ],
)
def test_a_name_that_is_not_utf8_is_told(arguments, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collection(tmp_path / "photos")
    code, out, err = call(*arguments)
    assert (code, out) == (1, "")
    assert "caf\\xe9" in err
    assert "is not UTF-8 text; rename it" in err
    assert [each.name for each in tmp_path.iterdir()] == ["photos"]


@pytest.mark.slow
def test_a_photo_of_such_a_name_does_not_cost_the_others(call, tiny_run, tmp_path):
    photos = [tmp_path / "caf\udce9" / "a.png", tmp_path / "ajrakh" / "b\udce9.png", tmp_path / "ajrakh" / "c.png"]
    for number, path in enumerate(photos):
        save(path, textured(seed=number))
    code, out, _ = call("predict", tiny_run.folder, *photos, "--json")
    assert code == 0
    assert [answer["photos"] for answer in json.loads(out)["answers"]] == [[str(path)] for path in photos]
    imported = python("-m", "saree_cosface", "data", "import", tmp_path, "--json")
    assert (imported.returncode, json.loads(imported.stdout)["photos"]) == (0, 1)
    assert "b\\udce9.png: a name with a backslash" in imported.stderr


def test_import_of_a_spreadsheet(call, tmp_path):
    folder = collection(tmp_path)
    (tmp_path / "list.csv").write_text("Image;Label;Shop\nkasavu/shop a/साड़ी 0.png;Kerala saree;a\n", encoding="utf-8")
    code, out, _ = call("data", "import", folder / "list.csv", "--json")
    assert code == 0
    assert json.loads(out)["crafts"] == {"kasavu": 1}
    for wrong in (tmp_path / "missing", tmp_path / "missing.csv", tmp_path / "kasavu" / "shop a"):
        code, out, err = call("data", "import", wrong)
        assert (code, out) == (1, "")
        assert err.startswith("saree-cosface: ")


def test_check_finds_bad_photos_and_says_so_in_the_exit_status(call, tmp_path):
    bad = [make(tmp_path) for make in BAD]
    save(tmp_path / "good.png", textured())
    rows = [f"{path.name},kasavu,shop {row % 2}" for row, path in enumerate([*bad, tmp_path / "good.png"])]
    (tmp_path / "m.csv").write_text("path,craft,source\n" + "\n".join(rows) + "\n")
    code, out, _ = call("data", "check", tmp_path / "m.csv", "--crops", "false", "--json")
    assert code == 1
    document = json.loads(out)
    unreadable = {
        path for finding in document["findings"] if finding["kind"] == "unreadable" for path in finding["paths"]
    }
    assert unreadable == {path.name for path in bad}
    assert document["readable"] == 1


@pytest.mark.slow
def test_check_finds_crops_of_one_photograph(call, tmp_path):
    whole = altered.photo(altered.woven("patola", 1))
    save(tmp_path / "whole.jpg", whole, quality=90)
    save(tmp_path / "shared.jpg", altered.mirrored(altered.part(whole, 0.3, 0.9)), quality=60)
    save(tmp_path / "other.jpg", altered.photo(altered.woven("patola", 1), seed=1), quality=90)
    rows = ("whole.jpg,patola,shop a,4", "shared.jpg,banarasi,shop b,", "other.jpg,patola,shop b,4")
    (tmp_path / "m.csv").write_text("path,craft,source,piece\n" + "\n".join(rows) + "\n")
    code, out, err = call("data", "check", tmp_path / "m.csv", "--cache", tmp_path / "cache", "--json")
    assert code == 1  # one photograph, two labels
    said = {finding["kind"]: finding for finding in json.loads(out)["findings"]}
    assert said["contradictory"]["paths"] == said["crop"]["paths"] == ["whole.jpg", "shared.jpg"]
    assert said["crop"]["message"].startswith(
        "the same photograph, mirrored: whole.jpg (shop a, 4, patola) and shared.jpg (shop b, banarasi); "
    )
    assert "the same photograph" in err


def test_check_with_the_embeddings_of_a_run(call, tiny_run, tmp_path):
    photo = tiny_run.gallery.references["path"][0]
    shutil.copy(photo, tmp_path / "a.jpg")
    zero_byte(tmp_path)
    (tmp_path / "m.csv").write_text("path,craft,source\na.jpg,chanderi,x\nzero_byte.jpg,chanderi,y\n")
    code, out, _ = call("data", "check", tmp_path / "m.csv", "--run", tiny_run.folder, "--crops", "false", "--json")
    assert code == 1
    assert json.loads(out)["readable"] == 1


BAD_MANIFESTS = {
    "no craft column": (b"path,label\na.jpg,kasavu\n", "column craft is missing"),
    "no path column": (b"file,craft\na.jpg,kasavu\n", "column path is missing"),
    "a longer row": (b"path;craft\na;b.jpg;kasavu\n", "line 2 has 3 fields and the header 2"),
    "a path that is empty": (b"path,craft\n,kasavu\n", "line 2 without a path"),
    "an unknown craft": (b"path,craft\na.jpg,knjivaram\n", "anjivaram"),
    "a material": (b"path,craft\na.jpg,organza\n", "organza"),
    "no label": (b"path,craft\na.jpg,\n", "no label given"),
    "nothing": (b"", "empty; it needs a header"),
    "a header alone": (b"path,craft\n", "lists no photo"),
    "not text": (b"path,craft\n\xff\xfe.jpg,kasavu\n", "not UTF-8"),
    "contradictory rows": (b"path,craft\na.jpg,kasavu\na.jpg,tant\n", "different craft"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD_MANIFESTS)
def test_a_bad_manifest_is_told_by_training_and_leaves_nothing(call, tmp_path, case):
    content, said = BAD_MANIFESTS[case]
    (tmp_path / "m.csv").write_bytes(content)
    code, out, err = call("train", "--data.manifest", tmp_path / "m.csv", "--out", tmp_path / "run")
    assert (code, out) == (1, "")
    assert said in err
    assert "m.csv" in err
    assert not (tmp_path / "run").exists()


def test_marks_and_line_ends_of_windows_are_no_matter(call, tmp_path):
    folder = collection(tmp_path)
    rows = ["path,craft,source"] + [
        f"{path.relative_to(folder)},{path.parts[-3]},{path.parts[-2]}" for path in folder.rglob("*.png")
    ]
    (tmp_path / "m.csv").write_bytes("\r\n".join(rows).replace("/", "\\").encode("utf-8-sig"))
    code, out, _ = call("data", "check", tmp_path / "m.csv", "--crops", "false", "--json")
    assert code == 0
    assert json.loads(out)["photos"] == 8


def test_the_loom_draws_from_the_command_line(call, tmp_path, monkeypatch):
    from saree_cosface.loom import corpus

    asked = {}
    monkeypatch.setattr(corpus, "draw_corpus", lambda out, options: asked.update(out=out, options=options) or out / "m")
    code, out, err = call("loom", tmp_path, "--loom.shops", "5", "--loom.seed", "7")
    assert (code, out) == (0, "")
    assert asked["out"] == tmp_path
    assert (asked["options"].shops, asked["options"].seed) == (5, 7)
    assert str(tmp_path / "m") in err.replace(" ", "") or "Manifest:" in err
    code, _, err = call("loom", tmp_path, "--loom.shops", "0")
    assert code in (1, 2)
    assert "shops is 0" in err


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_evaluate_and_predict_in_processes_of_their_own(tiny_run, tiny_corpus, tiny_cache, tmp_path):
    """As a user calls them: only --json puts anything on stdout, and nothing clutters stderr."""
    run = shutil.copytree(tiny_run.folder, tmp_path / "run")
    evaluated = python(
        "-m", "saree_cosface", "evaluate", run, tiny_corpus, "--where", SOME, "--cache", tiny_cache, "--json"
    )
    assert evaluated.returncode == 0, evaluated.stderr
    document = json.loads(evaluated.stdout)
    assert document == json.loads((run / "evaluation" / "source" / "evaluation.json").read_text())
    photos = [entry["path"] for entry in document["photos"]]
    predicted = python("-m", "saree_cosface", "predict", run, *photos, "--json")
    assert predicted.returncode == 0, predicted.stderr
    answers = json.loads(predicted.stdout)["answers"]
    assert [answer["traditions"][0]["craft"] for answer in answers] == [entry["answer"] for entry in document["photos"]]
    for clutter in ("Warning", "INFO", "GPU"):
        assert clutter not in evaluated.stderr + predicted.stderr


def test_training_from_the_command_line_resumes(call, tiny_run, tiny_corpus, tiny_cache):
    config = tiny_run.folder / "config.yaml"
    code, out, err = call("train", "--config", config, "--out", tiny_run.folder)
    assert (code, out) == (1, "")
    assert "--resume" in err
    code, out, err = call("train", "--config", config, "--out", tiny_run.folder, "--resume")
    assert (code, out) == (0, "")
    assert "3 crafts)" in err


@pytest.mark.parametrize("form", ["--json", "--csv", None])
def test_predict(call, tiny_run, form):
    photos = tiny_run.gallery.references["path"][:2].tolist()
    code, out, err = call("predict", tiny_run.folder, *photos, "--top", "2", *([form] if form else []))
    assert code == 0
    if form == "--json":
        document = json.loads(out)
        assert [answer["photos"] for answer in document["answers"]] == [[photo] for photo in photos]
        assert all(len(answer["traditions"]) == 2 for answer in document["answers"])
    elif form == "--csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [row["rank"] for row in rows] == ["1", "2"] * 2
        assert rows[0]["craft"] in CRAFTS
    else:
        assert out == ""
        assert "tradition" in err


def test_predict_with_bad_photos_answers_the_rest_and_fails(call, tiny_run, tmp_path):
    bad = [make(tmp_path) for make in BAD if make.__name__ != "folder_named_jpg"]
    good = tiny_run.gallery.references["path"][0]
    code, out, _ = call("predict", tiny_run.folder, *bad, good, tmp_path / "missing.jpg", "--json")
    assert code == 1
    document = json.loads(out)
    assert [answer["photos"] for answer in document["answers"]] == [[good]]
    assert len(document["skipped"]) == len(bad) + 1
    code, out, err = call("predict", tiny_run.folder, *bad[:2], "--piece")
    assert (code, out) == (1, "")
    assert "Skipped" in err


def test_predict_and_evaluate_without_a_run(call, tmp_path, tiny_corpus):
    for arguments in (["predict", tmp_path, "a.jpg"], ["evaluate", tmp_path, tiny_corpus], ["predict", "no/run", "a"]):
        code, out, err = call(*arguments, "--json")
        assert (code, out) == (1, "")
        assert "not a run; give the folder" in err


@pytest.mark.slow
def test_evaluate(call, tiny_run, tiny_corpus, tmp_path):
    code, out, err = call(
        "evaluate", tiny_run.folder, tiny_corpus, "--where", SOME, "--out", tmp_path, "--cache", tmp_path, "--json"
    )
    assert code == 0
    assert json.loads(out)["protocol"] == "source"
    assert "top1" in err
    code, out, err = call("evaluate", tiny_run.folder, tmp_path / "missing.csv")
    assert (code, out) == (1, "")
    assert "no such file" in err


def test_evaluate_on_bad_photos_alone_writes_nothing(call, tiny_run, tiny_cache, tmp_path):
    for make in BAD:
        make(tmp_path)
    rows = [f"{path.name},chanderi,other" for path in sorted(tmp_path.iterdir())]
    (tmp_path / "m.csv").write_text("path,craft,source\n" + "\n".join(rows) + "\n")
    code, out, err = call(
        "evaluate", tiny_run.folder, tmp_path / "m.csv", "--out", tmp_path / "out", "--cache", tiny_cache, "--json"
    )
    assert (code, out) == (1, "")
    assert "could be read" in err
    assert not (tmp_path / "out").exists()


def test_train_on_bad_photos_alone(call, tmp_path, tiny_cache):
    bad = [make(tmp_path) for make in BAD]
    rows = [f"{path.name},{('kasavu', 'tant')[row % 2]},shop {row % 5}" for row, path in enumerate(bad)]
    (tmp_path / "m.csv").write_text("path,craft,source\n" + "\n".join(rows) + "\n")
    options = ("--data.manifest", tmp_path / "m.csv", "--data.cache", tiny_cache, "--model.precision", "fp32")
    code, out, err = call("train", *options, "--out", tmp_path / "run")
    assert (code, out) == (1, "")
    assert "not one of the photos could be read" in err
    assert not (tmp_path / "run" / "run.json").exists()
    assert not (tmp_path / "run" / "embedder").exists()


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    call, tiny_run, tiny_corpus, tiny_cache, tmp_path, tmp_path_factory, full_disk
):
    command = ("evaluate", tiny_run.folder, tiny_corpus, "--where", SOME, "--cache", tiny_cache)
    assert call(*command, "--out", tmp_path_factory.mktemp("before"))[0] == 0  # which fills the cache
    with full_disk(100):
        code, out, err = call(*command, "--out", tmp_path / "out")
        assert (code, out) == (1, "")
        assert "evaluation.json" in err
        data = ("--data.manifest", tiny_corpus, "--data.where", SOME, "--data.folds", "4", "--data.cache", tiny_cache)
        code, out, err = call("train", *data, "--model.precision", "fp32", "--out", tmp_path / "run")
        assert (code, out) == (1, "")
        assert "cannot be written" in err
        code, _, err = call("data", "import", collection_of(tiny_corpus), "--out", tmp_path / "m.csv")
        assert code == 1
        assert "m.csv" in err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def collection_of(manifest):
    return manifest.parent / "photos"


def test_a_cut_checkpoint_is_told(call, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run.folder, tmp_path / "run")
    weights = run / "embedder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000_000])
    code, out, err = call("predict", run, "a.jpg", "--json")
    assert (code, out) == (1, "")
    assert "model.safetensors: cut short" in err


# --- commands that are thin ------------------------------------------------------------------------------------------


class Document:
    def to_json(self):
        return {"name": "साड़ी"}

    def print_table(self, console):
        console.print("a table")


def test_compare_passes_its_options_on(call, tmp_path, monkeypatch):
    from saree_cosface.scoring import comparison

    asked = {}

    def compare(manifest, out, recipe, **options):
        asked.update(options, manifest=manifest, out=out, recipe=recipe)
        return Document()

    monkeypatch.setattr(comparison, "compare", compare)
    code, out, err = call("compare", "m.csv", "--out", tmp_path, "--seeds", "2", "--head.scale", "20", "--json")
    assert code == 0
    assert json.loads(out) == {"name": "साड़ी"}
    assert "a table" in err
    assert (asked["seeds"], asked["folds"], asked["recipe"].head.scale) == (2, 5, 20)
    assert call("compare", "m.csv", "--out", tmp_path)[1] == ""


def test_backbones_passes_its_options_on(call, tmp_path, monkeypatch):
    from saree_cosface.networks import packaged
    from saree_cosface.scoring import backbones

    asked = {}

    def compare_backbones(manifest, names, **options):
        asked.update(options, manifest=manifest, names=names)
        return Document()

    monkeypatch.setattr(backbones, "compare_backbones", compare_backbones)
    code, out, err = call("backbones", "m.csv", "--backbones", "lite0", "lite0+lite2", "--seeds", "1", "--json")
    assert code == 0
    assert json.loads(out) == {"name": "साड़ी"}
    assert "a table" in err
    assert (asked["names"], asked["seeds"], asked["folds"], asked["where"]) == (["lite0", "lite0+lite2"], 1, 5, None)
    monkeypatch.setattr(packaged, "installed", lambda: ["lite0", "lite1"])
    assert call("backbones", "m.csv", "--where", "core")[1] == ""
    assert (asked["names"], asked["where"]) == (["lite0", "lite1"], "core")


def test_report_passes_its_options_on(call, tiny_run, tmp_path, monkeypatch):
    from saree_cosface.pages import report

    asked = []
    monkeypatch.setattr(report, "write_report", lambda *given, cache: asked.append((*given, cache)) or given[2])
    code, out, _ = call("report", tiny_run.folder, "m.csv", "--cache", tmp_path)
    assert (code, out) == (0, "")
    assert asked[0][1:] == (Path("m.csv"), tiny_run.folder / "report.html", tmp_path)


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (PermissionError(13, "no"), 1)])
def test_interrupts_and_refusals(call, monkeypatch, error, status):
    def fail(_):
        raise error

    monkeypatch.setattr("saree_cosface.commands.predict._run", fail)
    code, out, _ = call("predict", "run", "a.jpg")
    assert (code, out) == (status, "")


def test_errors_of_the_system_are_said_with_the_remedy(call, monkeypatch):
    for error, said in (
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "; set TMPDIR to a folder that can"),
        (
            OSError(28, "Error writing bytes to file", "a.parquet"),
            "a.parquet: no space left on device; make room there",
        ),
        (PermissionError(13, "Permission denied", "run"), "run: permission denied; allow this account to use it"),
        (
            OSError(30, "Read-only file system", "run/report.html"),
            "run/report.html: read-only file system; write elsew",
        ),
    ):

        def fail(_, error=error):
            raise error

        monkeypatch.setattr("saree_cosface.commands.predict._run", fail)
        code, _, err = call("predict", "run", "a.jpg")
        assert (code, said in err) == (1, True), err


@pytest.mark.slow
def test_errors_of_the_system_are_said_in_words(call, tmp_path):
    code, out, err = call("faces", "lfw", "--embeddings", tmp_path / "no.npz", "--pairs", tmp_path / "pairs.txt")
    assert (code, out) == (1, "")
    assert f"{tmp_path / 'pairs.txt'}: no such file or folder; it should be a list of pairs" in err
    assert "Errno" not in err
    (tmp_path / "file").touch()
    code, out, err = call("faces", "margins", "--out", tmp_path / "file")
    assert (code, f"saree-cosface: {tmp_path / 'file'}: file exists" in err) == (1, True)


def test_two_documents_on_stdout_are_refused(call):
    code, out, err = call("predict", "run", "a.jpg", "--json", "--csv")
    assert (code, out) == (1, "")
    assert "ask for one of them" in err


@pytest.mark.slow
def test_a_reader_who_left_is_no_crash(tmp_path):
    folder = collection(tmp_path)
    table = pd.DataFrame({"path": [str(path) for path in folder.rglob("*.png")], "craft": "kasavu", "source": "x"})
    table.to_csv(tmp_path / "m.csv", index=False)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        process = subprocess.run(
            [
                sys.executable,
                "-m",
                "saree_cosface",
                "data",
                "check",
                str(tmp_path / "m.csv"),
                "--crops",
                "false",
                "--json",
            ],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert "Exception ignored" not in process.stderr


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
