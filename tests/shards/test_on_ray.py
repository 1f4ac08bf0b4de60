"""On a real cluster of two machines, as far as one machine can be two."""

import os
import signal
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.shards.folder import ShardError
from saree_cosface.shards.making import embed_collection
from tests.helpers.bad_photos import noise, save, textured

pytestmark = pytest.mark.slow

PHOTOS, SHARD = 40, 4


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """Manifest of forty photos, the eleventh of which is damaged."""
    folder = tmp_path_factory.mktemp("collection")
    for number in range(PHOTOS):
        save(folder / f"{number:02d}.png", textured(300, 200, number))
    noise(folder).rename(folder / "10.png")
    lines = [f"{number:02d}.png,patola" for number in range(PHOTOS)]
    (folder / "manifest.csv").write_text("\n".join(["path,craft", *lines]) + "\n")
    return read_manifest(folder / "manifest.csv")


@pytest.fixture(scope="module")
def cluster():
    """A head and a second node of Ray, each with a processor; gives their address."""
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'saree-cosface[ray]'")
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    yield nodes.address
    if ray.is_initialized():
        ray.shutdown()
    nodes.shutdown()


def rows_of(folder):
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("part-*.parquet"))], ignore_index=True)


def test_a_worker_that_is_killed_loses_and_doubles_nothing(tiny_embedder, collection, cluster, tmp_path):
    killed = []

    def kill_one():
        """As soon as something is finished, kill a worker that computes."""
        while not list((tmp_path / "ray").glob("part-*.parquet")):
            time.sleep(0.05)
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and "ray::" in (name := command_of(folder)) and "_Worker" in name:
                os.kill(int(folder.name), signal.SIGKILL)
                killed.append(name)
                return

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    made = embed_collection(tiny_embedder, collection, tmp_path / "ray", engine="ray", address=cluster, shard=SHARD)
    killer.join(timeout=10)
    assert killed
    assert [each.path.name for each in made.bad] == ["10.png"]
    there = rows_of(tmp_path / "ray")
    assert there["row"].tolist() == list(range(PHOTOS))
    embed_collection(tiny_embedder, collection, tmp_path / "local", shard=SHARD)
    here = rows_of(tmp_path / "local")
    assert there["sha256"].tolist() == here["sha256"].tolist()
    for one, other in zip(there["embedding"], here["embedding"], strict=True):
        assert (one is None) == (other is None)
        assert one is None or float((one * other).sum()) > 0.99999


def command_of(process):
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def test_the_command_goes_on_with_what_was_begun_locally(tiny_run, tiny_corpus, tiny_cache, cluster, tmp_path, capsys):
    out = tmp_path / "out"
    manifest = read_manifest(tiny_corpus)
    embed_collection(tiny_run.embedder, manifest, out, shard=40, cache=tiny_cache)
    (out / "part-000001.parquet").unlink()
    options = ["--shard", 40, "--engine", "ray", "--address", cluster, "--cache", tiny_cache]
    with pytest.raises(SystemExit, match="0"):
        main([str(each) for each in ("embed", tiny_run.folder, tiny_corpus, "--out", out, *options)])
    assert "2 of 3 shards are there already." in capsys.readouterr().err
    assert rows_of(out)["row"].tolist() == list(range(len(manifest)))


def test_no_cluster_at_the_address_is_told(tiny_embedder, collection, tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(ShardError, match="no Ray cluster at localhost:1"):
        embed_collection(tiny_embedder, collection, tmp_path / "out", engine="ray", address="localhost:1")
