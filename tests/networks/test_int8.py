"""Exported networks in eight bits."""

import os
import subprocess
import sys

import numpy as np
import pytest

from saree_cosface.networks import int8
from saree_cosface.networks.export import ExportError, export, loaded
from saree_cosface.networks.int8 import quantise, require_packages

KINDS = {"onnx": ".onnx", "openvino": ".xml"}


def views_of(count, seed=0):
    """Nine views of each of some photos, of smooth colours."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 9, 4, 4, 3), dtype=np.uint8)
    return list(coarse.repeat(8, axis=2).repeat(8, axis=3))


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_quantised_file_takes_any_number_of_views_and_is_the_same_each_time(kind, tiny_embedder, tmp_path):
    exact = export(tiny_embedder, tmp_path, kind).files[-1]
    for name in ("one", "other"):
        quantise(exact, views_of(5), tmp_path / f"{name}{KINDS[kind]}")
    run, again, of_exact = (loaded(tmp_path / f"{name}{KINDS[kind]}") for name in ("one", "other", "embedder"))
    for count in (1, 3, 10):
        views = np.concatenate(views_of(2, seed=count))[:count]
        found = run(views)
        assert found.shape == (count, 8)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-4)
        np.testing.assert_array_equal(found, again(views))
        cosines = (found * of_exact(views)).sum(axis=1)
        assert cosines.min() > 0.9
        assert cosines.max() < 1 - 1e-7, "nothing was quantised"
    weights = ".bin" if kind == "openvino" else ".onnx"
    assert (tmp_path / f"one{weights}").stat().st_size < 0.6 * (tmp_path / f"embedder{weights}").stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_moments_and_their_roots_stay_in_single_precision(kind, tiny_moments, tmp_path):
    exact = export(tiny_moments, tmp_path, kind).files[-1]
    quantise(exact, views_of(5), tmp_path / f"int8{KINDS[kind]}")
    run, of_exact = loaded(tmp_path / f"int8{KINDS[kind]}"), loaded(exact)
    cosines = [float((run(views) * of_exact(views)).sum()) for views in views_of(4, seed=1)]
    assert min(cosines) > 0.9
    assert max(cosines) < 1 - 1e-7, "nothing was quantised"


@pytest.mark.slow
def test_what_cannot_be_quantised(tiny_embedder, tmp_path):
    exact = export(tiny_embedder, tmp_path, "openvino").files[-1]
    with pytest.raises(ExportError, match="the network cannot be quantised: .+"):
        quantise(exact, [each[:, :16] for each in views_of(5)], tmp_path / "int8.xml")
    assert not (tmp_path / "int8.xml").exists()


@pytest.mark.parametrize(("kind", "named"), [("openvino", "nncf must"), ("onnx", "nncf and onnx and onnxruntime must")])
def test_what_is_missing_is_named(kind, named, monkeypatch):
    require_packages(kind)
    monkeypatch.setattr(int8, "find_spec", lambda _: None)
    with pytest.raises(ExportError, match=rf"{named} be installed for --int8: pip install 'saree-cosface\[export\]'"):
        require_packages(kind)


QUIET = """
import socket
from pathlib import Path
import numpy as np
import openvino
from openvino import opset13
from saree_cosface.networks.int8 import quantise

asked = []
socket.getaddrinfo = lambda *asking, **_: asked.append(asking)
images = openvino.op.Parameter(openvino.Type.f32, openvino.PartialShape([-1, 3, 8, 8]))
images.output(0).set_names({"views"})
kernel = openvino.op.Constant(np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32))
found = opset13.convolution(images, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
openvino.save_model(openvino.Model([found], [images], "network"), "network.xml")
quantise(Path("network.xml"), [np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)], Path("int8.xml"))
from nncf.telemetry import wrapper
assert not hasattr(wrapper, "Telemetry")
assert not asked, asked
"""


@pytest.mark.slow
def test_nobody_is_told_of_it_and_stdout_is_left_alone(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", QUIET], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (tmp_path / "int8.xml").is_file()
    assert not list(home.rglob("*telemetry*")), "a number for whoever uses it was left in the home folder"
