"""Commands that do no more than hand their options on to a function, and show what it returns."""

import json
from pathlib import Path


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
