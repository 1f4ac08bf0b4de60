"""Configurations of a training: printed, read back, shipped with the package, and wrong."""

from pathlib import Path

import pytest
import yaml

from tests.helpers.tiny import SOME


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
