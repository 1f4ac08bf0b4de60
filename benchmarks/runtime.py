"""What computes features fastest here, and how far it is from torch in single precision.

    pip install onnx onnxruntime
    python benchmarks/runtime.py [--manifest MANIFEST] [--where core] [--photos 100] [--half] [--compile] [--int8]

For 1, 10 and 100 photos, drawn ones where no manifest is given, the nine views that a prediction takes are computed by
each runtime in turns, with the threads that the program would take. Told are the seconds of the middle turn, the
shortest and the longest, the ratio to torch in single precision, the least cosine between a photo's features and
torch's, and the share of photos whose nearest other photo is the same one. ``--half`` takes bf16 with torch too, which
takes minutes where it is emulated; ``--compile`` takes ``torch.compile``, which takes a minute to compile; ``--int8``
takes eight bits, as ``saree-cosface export --int8`` makes them, calibrated on as many other photos (128 at most).
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import openvino
import torch

from saree_cosface.data.images import decode
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.views import LARGEST, PyramidViews
from saree_cosface.loom.corpus import draw_corpus
from saree_cosface.loom.options import LoomOptions
from saree_cosface.machine import threads
from saree_cosface.machine.processor import processor
from saree_cosface.metrics.neighbourhood import unit
from saree_cosface.networks import converted
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.export import loaded
from saree_cosface.networks.int8 import quantise
from saree_cosface.networks.precision import autocast

TURNS = 5


def runtimes(backbone, options, others):
    """A function of views ``(9, 3, S, S)`` for each; ``others`` are views of photos to calibrate on."""

    def by_torch(precision, network=backbone):
        def run(views):
            with torch.inference_mode(), autocast("cpu", precision):
                return network(torch.from_numpy(views)).numpy()

        return run

    def by_openvino(precision):
        settings = {**converted.settings(), "INFERENCE_PRECISION_HINT": precision}
        compiled = openvino.Core().compile_model(
            converted.converted_model(backbone, (3, *backbone.preprocessing.shape)), "CPU", settings
        )
        return lambda views: compiled(views)[0]

    found = {"torch, fp32": by_torch("fp32")}
    if options.half:
        found["torch, bf16"] = by_torch("bf16")
    if options.compile:
        found["torch.compile, fp32"] = by_torch("fp32", torch.compile(backbone))
    found["ONNX Runtime, fp32"] = by_onnx_runtime(backbone)
    native = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for name, precision in {"fp32": "f32", "fp16": "f16", "bf16": "bf16"}.items():
        if name == "fp32" or name.upper() in native:
            found[f"OpenVINO, {name}"] = by_openvino(precision)
    if options.int8:
        found["OpenVINO, int8"] = by_int8(backbone, others)
    return found


def by_int8(backbone, others):
    model = converted.converted_model(backbone, (3, *backbone.preprocessing.shape))
    model.inputs[0].set_names({"views"})
    with tempfile.TemporaryDirectory() as folder:
        exact, written = (Path(folder) / f"{name}.xml" for name in ("exact", "int8"))
        openvino.save_model(model, exact, compress_to_fp16=False)
        quantise(exact, others, written)
        return loaded(written)


def by_onnx_runtime(backbone):
    import onnxruntime

    class Features(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = backbone

        def forward(self, views):
            return self.backbone(views)

    views = torch.zeros(2, 3, *backbone.preprocessing.shape, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/network.onnx"
        names = {"input_names": ["views"], "dynamic_axes": {"views": {0: "count"}}}
        torch.onnx.export(Features(), (views,), path, dynamo=False, **names)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads.count()
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    return lambda views: session.run(None, {"views": views})[0]


def photos(options, size, folder):
    """Views of each photo, and of others to calibrate on."""
    count = options.photos + options.int8 * min(128, options.photos)
    if options.manifest:
        files = read_manifest(options.manifest, where=options.where, on_unknown="keep").files()
        rows = np.random.default_rng(0).permutation(len(files))[:count]
        files = [files[row] for row in rows]
    else:
        drawn = LoomOptions(pieces_per_craft=9 * (1 + options.int8), photos_per_piece=1, shops=4, size=672)
        files = read_manifest(draw_corpus(folder, drawn)).files()[:count]
    cut = PyramidViews(size, brief=True)
    shown = (cut(decode(path, shrink_to=round(LARGEST * size)), "") for path in files)
    found = [np.ascontiguousarray(views.transpose(0, 3, 1, 2)) for views in shown]
    return found[: options.photos], found[options.photos :]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--where")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--int8", action="store_true")
    options = parser.parse_args()
    backbone = create_backbone("lite0").eval()
    torch.set_num_threads(threads.count())
    with tempfile.TemporaryDirectory() as folder:
        shown, others = photos(options, backbone.preprocessing.size, Path(folder) / "drawn")
    ways = runtimes(backbone, options, others)
    print(f"{processor()}, {threads.count()} threads, {len(shown)} photos of {len(shown[0])} views\n")
    features = {name: np.stack([way(views) for views in shown]).mean(axis=1) for name, way in ways.items()}
    exact = unit(features["torch, fp32"])
    print("| runtime | photos | seconds, middle of turns | least to most | ratio | least cosine | same neighbour |")
    print("|---|---:|---:|---|---:|---:|---:|")
    for count in sorted({1, 10, len(shown)}):
        seconds = {name: [] for name in ways}
        for _ in range(TURNS if count < 100 else 3):
            for name, way in ways.items():
                start = time.perf_counter()
                for views in shown[:count]:
                    way(views)
                seconds[name].append(time.perf_counter() - start)
        for name, found in seconds.items():
            ratio = np.median(seconds["torch, fp32"]) / np.median(found)
            vectors = unit(features[name])
            cosine = (vectors * exact).sum(axis=1).min()
            same = np.mean(nearest(vectors) == nearest(exact))
            print(
                f"| {name} | {count} | {np.median(found):.2f} | {min(found):.2f} to {max(found):.2f} | {ratio:.2f} | "
                f"{cosine:.5f} | {same:.3f} |",
                flush=True,
            )


def nearest(vectors):
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    return cosines.argmax(axis=1)


if __name__ == "__main__":
    main()
