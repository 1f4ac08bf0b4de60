"""How the time and memory of a map grow: its neighbours, its coordinates, its quality, and photos placed on it.

    python benchmarks/maps.py [--photos 100000] [--dimensions 256]

Made-up embeddings of a hundred crafts, three sources each. Each size runs in a process of its own, whose peak memory is
printed beside the seconds of each step. The last columns are the path for a collection too large to be mapped whole: a
tenth as many photos again is placed on the map that is there (`saree-cosface map --before`).
"""

import argparse
import multiprocessing
import resource
import time

import numpy as np

CRAFTS, SOURCES = 100, 3


def made(count, dimensions, seed):
    """Embeddings in clusters of clusters, as crafts and their sources are."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((CRAFTS, SOURCES, dimensions), dtype=np.float32)
    centres += 2 * centres[:, :1]
    craft, source = rng.integers(CRAFTS, size=count), rng.integers(SOURCES, size=count)
    embeddings = centres[craft, source] + 2 * rng.standard_normal((count, dimensions), dtype=np.float32)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def measured(count, dimensions, out):
    import pandas as pd

    from saree_cosface.maps.coordinates import umap_coordinates
    from saree_cosface.maps.embedding import EmbeddingMap
    from saree_cosface.metrics.neighbourhood import map_quality, nearest_neighbours

    embeddings = made(count, dimensions, 1)
    umap_coordinates(embeddings[:50], 0)  # numba compiles, once a machine
    times = [time.perf_counter()]
    near = nearest_neighbours(embeddings, 15)
    times.append(time.perf_counter())
    coordinates = umap_coordinates(embeddings, 0, near)
    times.append(time.perf_counter())
    trust, kept = map_quality(embeddings, coordinates, 15)
    times.append(time.perf_counter())
    done = EmbeddingMap(pd.DataFrame(coordinates, columns=["x", "y"]), embeddings, {})
    done.place(made(count // 10, dimensions, 2))
    times.append(time.perf_counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    out.put((np.diff(times).tolist(), peak, trust, kept))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=256)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print("| photos | neighbours, s | UMAP, s | quality, s | a tenth placed, s | peak, GiB | trustworthy | kept |")
    print("|---:|" + "---:|" * 7)
    for count in (options.photos // 100, options.photos // 10, options.photos):
        out = context.Queue()
        process = context.Process(target=measured, args=(count, options.dimensions, out))
        process.start()
        seconds, peak, trust, kept = out.get()
        process.join()
        row = " | ".join(f"{each:.1f}" for each in (*seconds, peak))
        print(f"| {count:,} | {row} | {trust:.2f} | {kept:.0%} |", flush=True)


if __name__ == "__main__":
    main()
