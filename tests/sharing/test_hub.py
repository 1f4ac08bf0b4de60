import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import constants

from saree_cosface.runs.gallery import Gallery
from saree_cosface.runs.run import load_run
from saree_cosface.runs.share import SHARE, read_share
from saree_cosface.sharing.contents import checksums, require_shared
from saree_cosface.sharing.errors import ShareError
from saree_cosface.sharing.hub import pull, push
from saree_cosface.sharing.share import share
from tests.helpers.hub import TOKEN, serve_hub

NAME = "asha/museum"


@pytest.fixture(scope="module")
def given(once, tiny_run):
    """A shared run, which nobody changes."""
    return once("pushed", lambda folder: share(tiny_run.folder, folder, "CC0-1.0"))


@pytest.fixture
def hub(monkeypatch):
    """A hub that is asked instead of the public one, by somebody with a token."""
    with serve_hub() as served:
        point_at(monkeypatch, served.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield served


def point_at(monkeypatch, address):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def altered(given, hub, tmp_path):
    """Puts a copy of the shared run on the hub in which something was changed, and listed as if it were right."""

    def put(change, *, listed=True):
        folder = shutil.copytree(given, tmp_path / "altered")
        change(folder)
        files = files_of(folder)
        if listed:
            document = json.loads(files[SHARE])
            document["files"] = {"run.json": document["files"]["run.json"], **checksums(folder)}
            files[SHARE] = json.dumps(document).encode()
        hub.hold(NAME, files)

    return put


# --- there and back --------------------------------------------------------------------------------------------------


def test_there_and_back(given, hub, tmp_path):
    assert push(given, NAME) == f"{hub.address}/{NAME}"
    run = pull(NAME, tmp_path / "run")
    assert files_of(tmp_path / "run") == files_of(given)
    assert np.array_equal(run.gallery.prototypes, load_run(given).gallery.prototypes)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_a_newer_run_takes_the_place_of_the_older_one(given, tiny_run, hub, tmp_path):
    push(given, NAME)
    fewer = shutil.copytree(tiny_run.folder, tmp_path / "fewer")
    own = Gallery.load(fewer / "gallery")
    own.remove([own.references["path"][0]]).save(fewer / "gallery")
    second = share(fewer, tmp_path / "second", "CC-BY-4.0").folder
    push(second, NAME)
    first = next(name for name, files in hub.repositories[NAME].commits.items() if SHARE in files)
    assert len(pull(NAME, tmp_path / "new").gallery) == len(own) - 1
    assert len(pull(NAME, tmp_path / "old", revision=first).gallery) == len(own)
    tables = [name for name in hub.repositories[NAME].files if name.endswith((".npy", ".parquet"))]
    assert len(tables) == 2


def test_only_what_was_shared_is_pushed(given, hub, tmp_path):
    folder = shutil.copytree(given, tmp_path / "run")
    (folder / "letter.txt").write_text("dear")
    (folder / "gallery/photos").mkdir()
    (folder / "gallery/photos/a.jpg").write_text("a photo")
    push(folder, NAME, private=True)
    assert set(hub.repositories[NAME].files) == {*files_of(given), ".gitattributes"}
    assert hub.repositories[NAME].private


# --- what is not pushed ----------------------------------------------------------------------------------------------


def test_a_run_with_its_photos_is_not_pushed(tiny_run, hub):
    with pytest.raises(ShareError, match="not a run that was shared, so it may hold photos"):
        push(tiny_run.folder, NAME)
    assert hub.asked == []


def test_a_run_that_changed_since_is_not_pushed(given, hub, tmp_path):
    folder = shutil.copytree(given, tmp_path / "run")
    (folder / "README.md").write_text("Meera took them")
    with pytest.raises(ShareError, match="README.md: not as it was shared"):
        push(folder, NAME)
    assert hub.asked == []


@pytest.mark.parametrize("files", [{"letter.txt": b"dear"}, {SHARE: b"{}", "letter.txt": b"dear"}])
def test_what_else_lies_in_a_repository_is_not_touched(given, hub, files):
    hub.hold(NAME, files)
    with pytest.raises(ShareError, match="holds something else"):
        push(given, NAME)
    assert set(hub.repositories[NAME].files) == {*files, ".gitattributes"}


def test_what_was_to_be_private_is_not_put_where_all_see_it(given, hub):
    hub.hold(NAME, {})
    with pytest.raises(ShareError, match="there already, and public"):
        push(given, NAME, private=True)


def test_whoever_has_no_token_is_told_so(given, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    with pytest.raises(ShareError, match="log in with `hf auth login`"):
        push(given, NAME)
    hub.hold("asha/other", {})
    with pytest.raises(ShareError, match="this account may not do that"):
        push(given, "asha/other")


# --- what is not pulled ----------------------------------------------------------------------------------------------


def pickled(folder):
    np.save(folder / "calibration.npy", np.array([{}], dtype=object))


def pickle_in_a_table(folder):
    name = next(name for name in files_of(folder) if name.endswith(".npy"))
    np.save(folder / name, np.array([{}], dtype=object))


def thumbnail_elsewhere(folder):
    own = Gallery.load(folder / "gallery")
    Gallery(own.embeddings, own.references.assign(thumbnail="../../secret.png")).save(folder / "gallery")


def photo_elsewhere(folder):
    own = Gallery.load(folder / "gallery")
    Gallery(own.embeddings, own.references.assign(path="/home/asha/passport.jpg")).save(folder / "gallery")


def listed_elsewhere(folder):
    table = pd.read_csv(folder / "manifest.csv", dtype=str)
    table["path"] = [f"../{path}" for path in table["path"]]
    table.to_csv(folder / "manifest.csv", index=False)


def tables_elsewhere(folder):
    index = json.loads((folder / "gallery/gallery.json").read_text())
    index["references"] = f"../../given/gallery/{index['references']}"
    (folder / "gallery/gallery.json").write_text(json.dumps(index))


def cache_elsewhere(folder):
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("data:\n", "data:\n  cache: /home/asha/other\n", 1))


def no_weights(folder):
    (folder / "embedder/model.safetensors").write_bytes(b"\x80\x04.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (pickled, "has 1 files that no shared run has .the first: 'calibration.npy'"),
        (lambda folder: (folder / "embedder/model.bin").write_bytes(b"\x80\x04."), "'embedder/model.bin'"),
        (lambda folder: (folder / "gallery/a.jpg").write_bytes(b"\xff\xd8\xff"), "'gallery/a.jpg'"),
        (pickle_in_a_table, "damaged"),
        (thumbnail_elsewhere, "names a file elsewhere .'../../secret.png'"),
        (photo_elsewhere, "names a file elsewhere .'/home/asha/passport.jpg'"),
        (listed_elsewhere, "names a file elsewhere .'../"),
        (tables_elsewhere, "tables that do not belong to it"),
        (cache_elsewhere, "names a file elsewhere .'/home/asha/other'"),
        (lambda folder: (folder / "run.json").unlink(), "run.json: no such file"),
    ],
)
def test_what_is_no_shared_run_is_not_pulled(altered, tmp_path, change, said):
    altered(change)
    with pytest.raises(ShareError, match=said):
        pull(NAME, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["altered"]


def test_weights_that_are_none_are_not_put_in_place(altered, tmp_path):
    altered(no_weights)
    with pytest.raises(ValueError, match="model.safetensors: cut short"):
        pull(NAME, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_not_the_one_listed_is_not_taken(altered, tmp_path):
    altered(lambda folder: (folder / "CREDITS.md").write_text("nobody"), listed=False)
    with pytest.raises(ShareError, match="CREDITS.md: not as it was shared"):
        pull(NAME, tmp_path / "run")


def test_a_file_that_is_not_listed_is_not_taken(altered, given, hub, tmp_path):
    extra = "calibration/features.npy"
    assert extra not in read_share(given).files
    hub.hold(NAME, {**files_of(given), extra: b""})
    with pytest.raises(ShareError, match="other files than its share.json lists"):
        pull(NAME, tmp_path / "run")


@pytest.mark.parametrize("name", ["../evil.json", "/etc/evil.json", "gallery/../../evil.json", "gallery\\..\\..\\evil"])
def test_a_path_that_climbs_out_is_not_followed(given, hub, tmp_path, name):
    hub.hold(NAME, {**files_of(given), name: b"{}"})
    with pytest.raises(ShareError, match="files that no shared run has"):
        pull(NAME, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    assert not any("resolve" in asked for asked in hub.asked)


def test_nor_where_the_list_has_it(given, tmp_path):
    folder = shutil.copytree(given, tmp_path / "run")
    document = json.loads((folder / SHARE).read_text())
    document["files"]["../letter.txt"] = ""
    (folder / SHARE).write_text(json.dumps(document))
    with pytest.raises(ShareError, match="lists 1 files that no shared run has"):
        require_shared(folder)


def test_a_link_is_not_followed(given, tmp_path):
    folder = shutil.copytree(given, tmp_path / "run")
    (folder / "README.md").rename(tmp_path / "README.md")
    (folder / "README.md").symlink_to(tmp_path / "README.md")
    with pytest.raises(ShareError, match="a link"):
        require_shared(folder)


def test_what_is_missing_is_told(given, hub, tmp_path):
    with pytest.raises(ShareError, match="there is no such repository"):
        pull("asha/nothing", tmp_path / "run")
    hub.hold("asha/letters", {"letter.txt": b"dear"})
    with pytest.raises(ShareError, match="not a run that `saree-cosface share` made"):
        pull("asha/letters", tmp_path / "run")
    push(given, NAME)
    with pytest.raises(ShareError, match="no revision 'v9'"):
        pull(NAME, tmp_path / "run", revision="v9")
    with pytest.raises(ValueError, match="Repo id must"):
        pull("a name of mine", tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/letter.txt").write_text("dear")
    with pytest.raises(ShareError, match="is there already"):
        pull(NAME, tmp_path / "run")


def test_without_a_network_it_is_said(given, tmp_path, monkeypatch):
    point_at(monkeypatch, "http://127.0.0.1:9")
    for call in (lambda: pull(NAME, tmp_path / "run"), lambda: push(given, NAME)):
        with pytest.raises(ShareError, match="the hub cannot be reached: see to the network"):
            call()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ShareError, match="HF_HUB_OFFLINE is set"):
        pull(NAME, tmp_path / "run")


@pytest.mark.slow
def test_the_command_asks_the_hub_of_the_environment(given, tmp_path):
    with serve_hub() as hub:
        hub.hold(NAME, files_of(given), private=True)
        command = [sys.executable, "-m", "saree_cosface", "pull", NAME, "--out", str(tmp_path / "run"), "--json"]
        environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["licence"] == "CC0-1.0"
    assert files_of(tmp_path / "run") == files_of(given)
