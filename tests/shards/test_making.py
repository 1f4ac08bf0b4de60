import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.features.embedding import embed_photos
from saree_cosface.files import sha256_of
from saree_cosface.shards import part
from saree_cosface.shards.folder import PLAN, ShardError
from saree_cosface.shards.making import UNREADABLE, embed_collection
from tests.helpers.bad_photos import noise, save, textured, zero_byte


@pytest.fixture
def manifest(tmp_path):
    """Seven photos, of which the third is damaged and the fifth is empty."""
    folder = tmp_path / "photos"
    files = [save(folder / f"{seed}.png", textured(60, 50, seed)) for seed in range(7)]
    files[2], files[4] = noise(folder), zero_byte(folder)
    table = pd.DataFrame({"path": [f"photos/{file.name}" for file in files], "craft": "patola", "source": "shop"})
    table.to_csv(tmp_path / "manifest.csv", index=False)
    return read_manifest(tmp_path / "manifest.csv")


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("part-*.parquet")}


def test_every_photo_has_a_row_with_its_embedding_or_a_reason(tiny_embedder, manifest, tmp_path):
    made = embed_collection(tiny_embedder, manifest, tmp_path / "out", shard=3)
    table = pd.concat([pd.read_parquet(path) for path in sorted((tmp_path / "out").glob("*.parquet"))])
    assert table["row"].tolist() == list(range(7))
    assert table["path"].tolist() == manifest.table["path"].tolist()
    assert set(table["craft"]) == {"patola"}
    assert set(table["source"]) == {"shop"}
    bad = [2, 4]
    assert [row for row, reason in zip(table["row"], table["reason"], strict=True) if reason] == bad
    assert table["embedding"].isna().tolist() == [row in bad for row in range(7)]
    good = [row for row in range(7) if row not in bad]
    assert [table["sha256"].iloc[row] for row in good] == [sha256_of(manifest.file(row)) for row in good]
    direct = embed_photos(tiny_embedder, manifest.files(), description=None)
    for name in ("embedding", "sides", "features"):
        expected = {"embedding": direct.embeddings, "sides": direct.sides, "features": direct.features}[name]
        # Not to the last bit: many rows may be multiplied in another order than one.
        assert np.allclose(np.stack(table[name].iloc[good]), expected.reshape(len(good), -1), rtol=1e-5, atol=1e-6)
    listed = pd.read_csv(tmp_path / "out" / UNREADABLE)
    assert listed["path"].tolist() == [str(manifest.file(row)) for row in bad]
    assert [each.path for each in made.bad] == [manifest.file(row) for row in bad]
    assert made.to_json()["embedded"] == 5


def test_what_is_there_is_kept_and_what_is_damaged_or_gone_made_again(tiny_embedder, manifest, tmp_path):
    out = tmp_path / "out"
    embed_collection(tiny_embedder, manifest, out, shard=2)
    before = stamps(out)
    (out / "part-000001.parquet").unlink()
    damaged = out / "part-000002.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    shutil.copy(out / "part-000000.parquet", out / "part-000003.parquet")
    made = embed_collection(tiny_embedder, manifest, out, shard=2)
    assert (made.shards, made.kept) == (4, 1)
    assert [name for name in before if stamps(out)[name] == before[name]] == ["part-000000.parquet"]
    rows = [row for path in sorted(out.glob("*.parquet")) for row in pq.read_table(path)["row"].to_pylist()]
    assert rows == list(range(7))


@pytest.mark.parametrize("change", ["order", "fewer", "shard", "embedder"])
def test_a_folder_of_something_else_is_refused(tiny_embedder, manifest, tmp_path, change):
    out = tmp_path / "out"
    embed_collection(tiny_embedder, manifest, out, shard=4)
    before = stamps(out)
    if change == "embedder":
        tiny_embedder.neck[1].weight.data += 1
        from saree_cosface.networks.fingerprint import embedder_version

        embedder_version.cache_clear()
    other = {"order": manifest.select(np.arange(7)[::-1]), "fewer": manifest.select(np.arange(5))}.get(change, manifest)
    with pytest.raises(ShardError, match=r"out was begun with other photos or options \(.*--out"):
        embed_collection(tiny_embedder, other, out, shard=3 if change == "shard" else 4)
    assert stamps(out) == before


def test_a_folder_of_other_things_is_left_alone(tiny_embedder, manifest, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("Dear")
    with pytest.raises(ShardError, match=r"out holds other things \(letter.txt\)"):
        embed_collection(tiny_embedder, manifest, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', '{"format": 1, "photos": 3}', "[1]"])
def test_a_damaged_plan_is_told(tiny_embedder, manifest, tmp_path, text):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / PLAN).write_text(text)
    with pytest.raises(ShardError, match=r"embeddings.json: damaged or foreign"):
        embed_collection(tiny_embedder, manifest, tmp_path / "out")


def test_a_shard_holds_a_photo_at_least(tiny_embedder, manifest, tmp_path):
    with pytest.raises(ShardError, match="a shard of 0 photos holds none"):
        embed_collection(tiny_embedder, manifest, tmp_path / "out", shard=0)


@pytest.mark.slow
def test_a_command_that_was_killed_goes_on(tiny_run, tiny_corpus, tmp_path, capsys):
    out = tmp_path / "out"
    call = ["embed", str(tiny_run.folder), str(tiny_corpus), "--out", str(out), "--where", "craft == 'jamdani'"]
    call += ["--shard", "1", "--json"]
    begun = [sys.executable, "-m", "saree_cosface", *call]
    process = subprocess.Popen(begun, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(stamps(out)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = stamps(out)
    assert 2 <= len(before) < 8
    with pytest.raises(SystemExit, match="0"):
        main(call)
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["photos"] == document["embedded"] == 8
    assert document["kept"] >= 2
    assert {name: when for name, when in stamps(out).items() if name in before} == before
    assert len(stamps(out)) == 8
    assert f"{document['kept']} of 8 shards are there already." in said.err


def test_an_address_is_one_of_ray(tiny_run, tiny_corpus, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["embed", str(tiny_run.folder), str(tiny_corpus), "--out", str(tmp_path / "out"), "--address", "auto"])
    assert "--address is of a Ray cluster: add --engine ray." in capsys.readouterr().err


def test_a_shard_without_a_readable_photo_is_one_too(tiny_embedder, manifest, tmp_path):
    made = embed_collection(tiny_embedder, manifest, tmp_path / "out", shard=1)
    assert (made.shards, len(made.bad)) == (7, 2)
    table = pq.read_table(tmp_path / "out" / "part-000002.parquet")
    assert table["embedding"].to_pylist() == [None]


def test_what_could_not_be_read_is_tried_again(tiny_embedder, manifest, tmp_path):
    out = tmp_path / "out"
    embed_collection(tiny_embedder, manifest, out, shard=3)
    before = stamps(out)
    embed_collection(tiny_embedder, manifest, out, shard=3)
    assert stamps(out) == before  # nothing was written: they are as bad as they were
    save(manifest.file(4).with_suffix(".png"), textured(60, 50, 4)).replace(manifest.file(4))
    made = embed_collection(tiny_embedder, manifest, out, shard=3)
    assert [each.path for each in made.bad] == [manifest.file(2)]
    assert [name for name in before if stamps(out)[name] != before[name]] == ["part-000001.parquet"]
    table = pd.read_parquet(out / "part-000001.parquet")
    assert table["row"].tolist() == [3, 4, 5]
    direct = embed_photos(tiny_embedder, [manifest.file(4)], description=None)
    assert np.allclose(table["embedding"].iloc[1], direct.embeddings[0], rtol=1e-5, atol=1e-6)
    assert table["sha256"].iloc[1] == sha256_of(manifest.file(4))


def test_a_photo_that_changes_meanwhile_has_no_embedding(tiny_embedder, manifest, tmp_path, monkeypatch):
    first = manifest.file(0)

    def changing(*arguments, **options):
        found = embed_photos(*arguments, **options)
        save(first, textured(70, 50, 99))
        return found

    monkeypatch.setattr(part, "embed_photos", changing)
    made = embed_collection(tiny_embedder, manifest, tmp_path / "out")
    assert {each.path: each.reason for each in made.bad}[first] == "changed while it was embedded"
    assert pd.read_parquet(tmp_path / "out" / "part-000000.parquet")["embedding"].isna().tolist()[:2] == [True, False]
