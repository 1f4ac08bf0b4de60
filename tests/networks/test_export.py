"""Exported embedders say what the run says."""

import json

import numpy as np
import pytest
import torch

from saree_cosface.cli import main
from saree_cosface.networks import export as exporting
from saree_cosface.networks.export import ExportError, export, loaded

FILES = {"onnx": ["embedder.onnx"], "openvino": ["embedder.bin", "embedder.xml"]}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(FILES))
def test_a_file_takes_any_number_of_views_and_says_what_the_embedder_does(kind, tiny_embedder, tmp_path):
    found = export(tiny_embedder, tmp_path / "out", kind)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES[kind]
    assert found.cosine > 0.9999
    assert found.difference < 1e-3
    run = loaded(tmp_path / "out" / FILES[kind][-1])
    for count in (1, 3, 10):
        views = np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        with torch.inference_mode():
            expected = tiny_embedder(torch.from_numpy(views).permute(0, 3, 1, 2)).numpy()
        np.testing.assert_allclose(run(views), expected, atol=1e-3)
        np.testing.assert_allclose(np.linalg.norm(run(views), axis=1), 1, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(FILES))
def test_a_file_of_moments_adds_up_the_views_of_a_photo(kind, tiny_moments, tmp_path):
    found = export(tiny_moments, tmp_path, kind)
    assert found.cosine > 0.9999
    run = loaded(tmp_path / FILES[kind][-1])
    for count in (1, 9):
        views = np.random.default_rng(count).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        with torch.inference_mode():
            pixels = torch.from_numpy(views).permute(0, 3, 1, 2)
            expected = tiny_moments.fuse(tiny_moments.features(pixels)[None]).numpy()
        np.testing.assert_allclose(run(views), expected, atol=2e-3)


def test_a_file_that_says_something_else_is_not_written(tiny_embedder, tmp_path, monkeypatch):
    export(tiny_embedder, tmp_path, "openvino")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(exporting, "loaded", lambda _: lambda views: np.full((len(views), 8), 8**-0.5, np.float32))
    with pytest.raises(ExportError, match="says something else than the embedder"):
        export(tiny_embedder, tmp_path, "openvino")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_is_missing_is_named(tiny_embedder, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "find_spec", lambda _: None)
    with pytest.raises(ExportError, match=r"onnx and onnxscript must be installed for this: pip install .*\[export\]"):
        export(tiny_embedder, tmp_path, "onnx")


@pytest.mark.slow
def test_from_the_command_line(tiny_run, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tiny_run.folder), "--format", "openvino", "--out", str(tmp_path), "--json"])
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert [path.rsplit("/", 1)[1] for path in told["files"]] == FILES["openvino"]
    assert told["cosine"] > 0.9999
