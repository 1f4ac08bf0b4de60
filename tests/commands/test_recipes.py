from pathlib import Path

import pytest
import yaml

from saree_cosface.cli import main
from saree_cosface.commands import recipes

ROOT = Path(__file__).parents[2]


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--print_config"])
    out, err = capsys.readouterr()
    return stopped.value.code, out, " ".join(err.split())


@pytest.mark.parametrize("given", ["demo", "demo.yaml", "configs/demo.yaml"])
def test_a_recipe_is_found_by_its_name_in_any_folder(given, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()  # a folder is no file of options
    code, out, _ = printed(capsys, "train", "--config", given, "--data.manifest", "m.csv", "--out", "run")
    assert code == 0
    recipe = yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(out)["data"]["validation_fold"] == recipe["data"]["validation_fold"]


def test_a_file_comes_before_a_recipe_of_its_name(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").write_text("head: {scale: 7}\n")
    _, out, _ = printed(capsys, "train", "--config", "demo", "--data.manifest", "m.csv", "--out", "run")
    assert yaml.safe_load(out)["head"]["scale"] == 7


def test_a_name_that_is_none_lists_those_that_are(capsys):
    code, out, err = printed(capsys, "train", "--config", "sari", "--data.manifest", "m.csv", "--out", "run")
    assert (code, out) == (2, "")
    assert "no recipe of that name: recipes are demo, faces/laptop, faces/laptop_long, faces/paper, sarees" in err


def test_recipes_of_a_wheel_lie_within_the_package(tmp_path, monkeypatch):
    module = tmp_path / "site" / "saree_cosface" / "commands" / "recipes.py"
    (tmp_path / "site" / "saree_cosface" / "configs").mkdir(parents=True)
    monkeypatch.setattr(recipes, "__file__", str(module))
    assert recipes._folder() == tmp_path / "site" / "saree_cosface" / "configs"
