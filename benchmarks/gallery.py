"""What a gallery of up to a million references costs: to save, to load, and to ask, against faiss's exact index.

    pip install faiss-cpu
    python benchmarks/gallery.py [--references 1000000] [--dimensions 256] [--queries 40]

Sizes grow tenfold up to the one asked for. A query is answered in turns by the gallery (the five nearest pieces of some
four photos each) and by ``faiss.IndexFlatIP`` (the twenty nearest photos), in the same process and with the same
threads; each gives the time of the middle query and that of the slowest of twenty. Both must name the same photo
first. Memory is that of the embeddings and of the table.
"""

import argparse
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
import pandas as pd

from saree_cosface.machine import threads
from saree_cosface.runs.gallery import Gallery


def made(count, dimensions, rng):
    """References in a hundred crafts, four photos a piece."""
    embeddings = np.empty((count, dimensions), np.float32)
    for start in range(0, count, 100_000):
        block = embeddings[start : start + 100_000]
        block[:] = rng.standard_normal(block.shape, dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    number = np.arange(count)
    table = pd.DataFrame(
        {
            "craft": pd.Series(number // 4 % 100).map("craft_{:02d}".format),
            "piece": pd.Series(number // 4).map(str),
            "source": pd.Series(number // 4 % 500).map("shop {}".format),
            "view": "",
            "path": pd.Series(number).map("/collection/photos/{:07d}.jpg".format),
            "sha256": pd.Series(number).map("{:064x}".format),
            "thumbnail": "",
            "shared_piece": "",
        }
    )
    return Gallery(embeddings, table)


def timed(what):
    start = time.perf_counter()
    result = what()
    return result, time.perf_counter() - start


def middle_and_slow(seconds):
    return f"{np.median(seconds) * 1000:.1f} | {np.quantile(seconds, 0.95) * 1000:.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--queries", type=int, default=40)
    options = parser.parse_args()
    faiss.omp_set_num_threads(threads.count())
    print(f"{threads.count()} threads, {options.dimensions} dimensions; milliseconds a query, seconds otherwise\n")
    print(
        "| references | save | on disk, MB | load | first answer | memory, MB | p50 | p95 | faiss p50 | p95 | ratio |"
    )
    print("|---|" + "---:|" * 10)
    for count in (options.references // 100, options.references // 10, options.references):
        rng = np.random.default_rng(0)
        gallery = made(count, options.dimensions, rng)
        queries = gallery.embeddings[rng.integers(count, size=options.queries)]
        queries = queries + 0.05 * rng.standard_normal(queries.shape, dtype=np.float32)
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        with tempfile.TemporaryDirectory() as folder:
            _, saving = timed(lambda gallery=gallery, folder=folder: gallery.save(Path(folder)))
            size = sum(path.stat().st_size for path in Path(folder).iterdir())
            del gallery
            gallery, loading = timed(lambda folder=folder: Gallery.load(Path(folder)))
        _, first = timed(lambda gallery=gallery, query=queries[0]: (gallery.prototypes, gallery.nearest(query, 5)))
        held = gallery.embeddings.nbytes + gallery.references.memory_usage(deep=True).sum()
        index = faiss.IndexFlatIP(options.dimensions)
        index.add(gallery.embeddings)
        ours, theirs = [], []
        for query in queries:
            found, seconds = timed(lambda gallery=gallery, query=query: gallery.nearest(query, 5))
            ours.append(seconds)
            (_, peers), seconds = timed(lambda index=index, query=query: index.search(query[None], 20))
            theirs.append(seconds)
            assert found[0][0] == peers[0, 0], "another photo is nearest"
        ratio = np.median(ours) / np.median(theirs)
        print(
            f"| {count:,} | {saving:.1f} | {size / 1e6:.0f} | {loading:.1f} | {first:.1f} | {held / 1e6:.0f} | "
            f"{middle_and_slow(ours)} | {middle_and_slow(theirs)} | {ratio:.2f} |",
            flush=True,
        )
        del index, gallery


if __name__ == "__main__":
    main()
