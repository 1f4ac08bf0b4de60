"""Runtimes: the same features from each, the faster one found once, and torch where the other cannot."""

import json

import numpy as np
import pytest
import torch

from saree_cosface.networks import converted, runtime
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.runtime import VARIABLE, RuntimeNameError, runner, runtime_of


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """No test finds what another has kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(converted, "_loaded", {})
    monkeypatch.setattr(runtime, "_found", {})
    return tmp_path / "cache" / "saree-cosface"


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return create_backbone("test_resnet", pretrained=False).eval()


def views(backbone, count=4):
    shape = (count, *backbone.preprocessing.shape, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def by(name, backbone, shown, monkeypatch):
    monkeypatch.setenv(VARIABLE, name)
    return runner(backbone)(shown)


def cosines(one, other):
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pooling", "count"),
    [
        *(("lite0", "mean", 1), ("test_resnet", "mean", 1), ("test_vit", "mean", 1)),
        *(("test_vit", "token+mean", 0), ("test_vit@64+test_resnet", "mean", 0), ("test_vit", "second_order", 1)),
    ],
)
def test_both_give_the_same(name, pooling, count, monkeypatch):
    torch.manual_seed(0)
    backbone = create_backbone(name, pretrained=name == "lite0", pooling=pooling)
    shown = views(backbone, 2)
    (one, maps), (other, as_well) = (by(each, backbone, shown, monkeypatch) for each in ("torch", "openvino"))
    assert cosines(one, other).min() > 0.9999
    assert len(maps) == len(as_well) == count
    for mine, theirs in zip(maps, as_well, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)
    with torch.inference_mode():
        torch.testing.assert_close(backbone.eval()(torch.from_numpy(shown).permute(0, 3, 1, 2)).numpy(), one)


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_what_is_computed_for_a_view_does_not_depend_on_the_others(name, backbone, monkeypatch):
    shown = views(backbone, 22)
    monkeypatch.setenv(VARIABLE, name)
    every, (maps,) = runner(backbone)(shown)
    first, (first_maps,) = runner(backbone)(shown[:9])
    assert every.shape[0] == maps.shape[0] == 22
    assert np.array_equal(every[:9], first)
    assert np.array_equal(maps[:9], first_maps)


def test_views_of_another_size_are_computed_too(backbone, monkeypatch):
    wide = np.zeros((1, 32, 64, 3), np.uint8)
    (one, (maps,)), (other, (as_well,)) = (by(name, backbone, wide, monkeypatch) for name in ("torch", "openvino"))
    assert np.array_equal(one, other)
    assert np.array_equal(maps, as_well)


@pytest.mark.parametrize("training", [False, True])
def test_a_backbone_stays_in_its_mode(training, backbone, monkeypatch):
    backbone.train(training)
    by("openvino", backbone, views(backbone, 1), monkeypatch)
    by("torch", backbone, views(backbone, 1), monkeypatch)
    assert backbone.training == training


def test_weights_that_have_changed_are_converted_anew(backbone, own_cache, monkeypatch):
    shown = views(backbone)
    before, _ = by("openvino", backbone, shown, monkeypatch)
    with torch.no_grad():
        for each in backbone.parameters():
            each.mul_(0.5)
    after, _ = by("openvino", backbone, shown, monkeypatch)
    expected, _ = by("torch", backbone, shown, monkeypatch)
    assert cosines(after, expected).min() > 0.9999
    assert not np.allclose(before, after)
    assert len(list(own_cache.rglob("*.blob"))) == 2


@pytest.mark.slow
def test_a_converted_network_is_kept_and_one_that_is_damaged_is_made_again(backbone, own_cache, monkeypatch):
    shown = views(backbone)
    first, _ = by("openvino", backbone, shown, monkeypatch)
    (kept,) = own_cache.rglob("*.blob")
    with monkeypatch.context() as patch:
        patch.setattr(converted, "converted_model", lambda *_: pytest.fail("it was converted again"))
        converted._loaded.clear()
        assert np.array_equal(by("openvino", backbone, shown, patch)[0], first)
    whole = kept.read_bytes()
    middle = len(whole) // 2
    for damage in (b"", b"no network", whole[:middle], whole[:middle] + bytes(1000) + whole[middle + 1000 :]):
        kept.write_bytes(damage)
        converted._loaded.clear()
        assert np.array_equal(by("openvino", backbone, shown, monkeypatch)[0], first)
        assert converted._read(kept) is not None


@pytest.mark.slow
def test_the_networks_that_are_kept_do_not_grow_without_end(own_cache, monkeypatch):
    monkeypatch.setattr(converted, "_KEPT", 2)
    for seed in range(3):
        torch.manual_seed(seed)
        network = create_backbone("test_resnet", pretrained=False)
        by("openvino", network, views(network, 1), monkeypatch)
    assert len(list(own_cache.rglob("*.blob"))) == 2


def test_a_full_disk_makes_it_slow_and_no_more(backbone, full_disk, monkeypatch):
    with full_disk(1000):
        found, _ = by("openvino", backbone, views(backbone), monkeypatch)
    assert np.array_equal(found, by("openvino", backbone, views(backbone), monkeypatch)[0])


def test_the_faster_is_found_once_for_a_machine(backbone, own_cache, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    found = runtime_of(backbone)
    ((machine, networks),) = json.loads((own_cache / "runtimes.json").read_text()).items()
    assert "threads, torch " in machine
    (said,) = networks.values()
    assert said["runtime"] == found == min(said["seconds"], key=said["seconds"].get)
    assert said["cosine"] > 0.9999
    monkeypatch.setattr(runtime, "_tried", lambda _: pytest.fail("it was tried again"))
    assert runtime_of(backbone) == found
    runtime._found.clear()
    assert runtime_of(backbone) == found
    monkeypatch.setattr(runtime, "processor", lambda: "another processor")
    monkeypatch.setattr(runtime, "_tried", lambda _: {"runtime": "torch"})
    assert runtime_of(backbone) == "torch"
    assert len(json.loads((own_cache / "runtimes.json").read_text())) == 2


@pytest.mark.parametrize("damage", ["", "[]", '{"a": 1}', "{", '{"MACHINE": []}', '{"MACHINE": {"NETWORK": 1}}'])
def test_what_was_found_is_found_again_where_it_is_damaged(damage, backbone, own_cache, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    with monkeypatch.context() as patch:
        patch.setattr(runtime, "_tried", lambda _: {"runtime": "torch"})
        runtime_of(backbone)
    ((machine, networks),) = json.loads((own_cache / "runtimes.json").read_text()).items()
    damage = damage.replace("MACHINE", machine).replace("NETWORK", next(iter(networks)))
    runtime._found.clear()
    (own_cache / "runtimes.json").write_text(damage)
    monkeypatch.setattr(runtime, "_tried", lambda _: {"runtime": "openvino"})
    assert runtime_of(backbone) == "openvino"


def test_torch_computes_what_the_other_cannot_or_makes_something_else_of(backbone, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    with monkeypatch.context() as patch:

        def unknown(*_):
            raise RuntimeError("no such layer")

        patch.setattr(converted, "converted_model", unknown)
        assert runtime._tried(backbone) == {"runtime": "torch", "why": "no such layer"}
    monkeypatch.setattr(runtime, "_by_openvino", lambda _: lambda shown: (np.ones((len(shown), 96), np.float32), None))
    assert runtime._tried(backbone)["runtime"] == "torch"
    monkeypatch.setattr(runtime, "find_spec", lambda _: None)
    assert runtime_of(backbone) == "torch"


def test_the_environment_names_one_that_there_is(backbone, monkeypatch):
    monkeypatch.setenv(VARIABLE, "onnx")
    with pytest.raises(RuntimeNameError, match="SAREE_COSFACE_RUNTIME is onnx; it must be openvino or torch"):
        runner(backbone)


def test_nothing_is_told_over_the_network(backbone, monkeypatch):
    telemetry = pytest.importorskip("openvino_telemetry")
    monkeypatch.setattr(telemetry.Telemetry, "__init__", lambda *_, **__: pytest.fail("its makers would be told"))
    by("openvino", backbone, views(backbone), monkeypatch)
