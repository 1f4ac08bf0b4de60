import json
import os
import pickle
import pickletools
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saree_cosface.faces.bins import BadBin, read_bin
from saree_cosface.faces.datasets import CASIA_WEBFACE, MEGAFACE, FaceDataError, read_identities, require
from saree_cosface.faces.embeddings import NamedEmbeddings, pair_scores, read_embeddings
from saree_cosface.faces.megaface import (
    TemplateList,
    read_distractors,
    read_noise_list,
    read_probes,
    read_template_list,
    without_noise,
)
from saree_cosface.faces.pair_lists import read_lfw_pairs
from saree_cosface.faces.pairs import MissingImages, Pairs, missing
from saree_cosface.faces.youtube import read_frames, read_ytf_pairs, video_means

FACES = Path(os.environ.get("SAREE_COSFACE_DATA", "/nowhere")) / "faces"
needs_faces = pytest.mark.skipif(not FACES.is_dir(), reason="needs the folder faces in SAREE_COSFACE_DATA")


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


# --- folders of people --------------------------------------------------------------------------------------------


def test_a_missing_file_is_described_with_its_owner(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no such file.*the noise list of MegaFace.*megaface\.cs.*2020"
    ) as error:
        require(tmp_path / "noise.txt", MEGAFACE, "the noise list")
    assert error.value.filename == str(tmp_path / "noise.txt")
    assert str(tmp_path / "noise.txt") in str(error.value)
    assert require(str(tmp_path), CASIA_WEBFACE, "anything") == tmp_path


def test_people_are_folders(tmp_path):
    touch(tmp_path, "b/2.jpg", "b/1.jpg", "a b/deep/3.png", "a b/4.jpg", "c/5.webp", "b/notes.txt", ".hidden/6.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "c" / "gone.jpg").symlink_to("nowhere.jpg")
    found = read_identities(tmp_path)
    assert found.names == ("a b", "b", "c")
    assert [path.relative_to(tmp_path).as_posix() for path in found.files] == [
        *("a b/4.jpg", "a b/deep/3.png", "b/1.jpg", "b/2.jpg", "c/5.webp"),
    ]
    assert found.labels.tolist() == [0, 0, 1, 1, 2]
    assert len(found) == 5
    assert [error.path.name for error in found.bad] == ["gone.jpg"]


def test_people_with_few_photos_are_left_out_and_labels_stay_dense(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/1.jpg", "b/2.jpg", "c/1.jpg", "d/1.jpg", "d/2.jpg")
    found = read_identities(tmp_path, min_photos=2)
    assert found.names == ("b", "d")
    assert found.labels.tolist() == [0, 0, 1, 1]
    with pytest.raises(FaceDataError, match="nobody has 3 photos or more.*6 photos of 4 people"):
        read_identities(tmp_path, min_photos=3)
    with pytest.raises(ValueError, match="min_photos is 0"):
        read_identities(tmp_path, min_photos=0)


def test_folders_of_people_that_are_none(tmp_path):
    with pytest.raises(FaceDataError, match="nobody has 1 photo"):
        read_identities(tmp_path)
    with pytest.raises(FileNotFoundError, match="one sub-folder of photos a person of CASIA-WebFace"):
        read_identities(tmp_path / "nothing")
    touch(tmp_path, "a/1.jpg", "stray.jpg")
    with pytest.raises(NotADirectoryError):
        read_identities(tmp_path / "stray.jpg")
    with pytest.raises(FaceDataError, match=r"stray\.jpg: lies in no person's folder"):
        read_identities(tmp_path)


# --- insightface's .bin -------------------------------------------------------------------------------------------

IMAGES = [b"\xff\xd8 one", b"\xff\xd8" + bytes(range(256)), b"three\0\n", b"4", b"i5", b"i6"]
SAME = [True, False, True]


def store(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


def python2(images, same):
    """What Python 2 writes with protocol 2: strings of bytes, by hand."""
    body = b"\x80\x02]q\x00("
    for image in images:
        body += (
            b"U" + struct.pack("<B", len(image)) if len(image) < 256 else b"T" + struct.pack("<i", len(image))
        ) + image
    body += b"e]q\x01(" + b"".join(b"\x88" if answer else b"\x89" for answer in same) + b"e\x86q\x02."
    assert pickle.loads(body, encoding="bytes") == (images, same)  # noqa: S301
    return body


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("container", [tuple, list])
@pytest.mark.parametrize("truth", [bool, np.bool_, int])
def test_bins_of_every_protocol_and_kind_of_truth(protocol, container, truth, tmp_path):
    same = [truth(answer) for answer in SAME]
    packed = read_bin(store(tmp_path / "lfw.bin", container([IMAGES, same]), protocol))
    assert packed.images == tuple(IMAGES)
    assert packed.pairs.same.tolist() == SAME
    assert packed.pairs.first == ("0", "2", "4")
    assert packed.pairs.second == ("1", "3", "5")


def test_a_bin_of_python_2(tmp_path):
    path = tmp_path / "lfw.bin"
    path.write_bytes(python2(IMAGES, SAME))
    assert read_bin(path).images == tuple(IMAGES)


def test_numpy_truth_values_as_numpy_1_wrote_them(tmp_path):
    content = pickle.dumps((IMAGES, [np.bool_(answer) for answer in SAME]), protocol=2)
    content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "lfw.bin").write_bytes(content)
    assert read_bin(tmp_path / "lfw.bin").pairs.same.tolist() == SAME


def test_large_bins_have_their_folds_in_order(tmp_path):
    images = [bytes([i % 256]) * (200 + i) for i in range(5000)]  # more than one batch of a pickler
    packed = read_bin(store(tmp_path / "agedb_30.bin", (images, [i % 250 < 125 for i in range(2500)])))
    assert packed.images == tuple(images)
    np.testing.assert_array_equal(packed.pairs.folds, np.arange(2500) // 250)
    np.testing.assert_array_equal(packed.pairs.same, np.arange(2500) % 250 < 125)


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class WithState:
    def __init__(self):
        self.secret = 1


HOSTILE = {
    "system": (Calls(os.system, "touch HARMED"), r"names (posix|nt)\.system"),
    "eval": (Calls(eval, "open('HARMED', 'w')"), r"names (builtins|__builtin__)\.eval"),
    "exec": (Calls(exec, "open('HARMED', 'w')"), r"names (builtins|__builtin__)\.exec"),
    "getattr": (Calls(getattr, Calls(dict), "clear"), r"names (builtins|__builtin__)\.getattr"),
    "open": (Calls(open, "HARMED", "w"), r"(_io|io)\.open"),
    "state": (WithState(), "WithState|copyreg"),
    "dtype of objects": (np.array([1, "a"], dtype=object), r"_reconstruct|_frombuffer"),
    "a set": ({1, 2}, r"EMPTY_SET|names (builtins|__builtin__)\.set"),
    "a dictionary": ({"a": 1}, "EMPTY_DICT"),
    "a float": (0.5, "BINFLOAT"),
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("place", ["image", "truth", "whole"])
def test_whatever_a_bin_names_is_refused_by_name_and_never_called(what, protocol, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    value, pattern = HOSTILE[what]
    images, same = IMAGES.copy(), SAME.copy()
    if place == "image":
        images[3] = value
    elif place == "truth":
        same[1] = value
    path = store(tmp_path / "evil.bin", value if place == "whole" else (images, same), protocol)
    with pytest.raises(BadBin, match=pattern) as error:
        read_bin(path)
    assert str(path) in str(error.value)
    assert not (tmp_path / "HARMED").exists()


def pickled(*instructions):
    return b"\x80\x04" + b"".join(instructions) + b"."


def text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


EMPTY_PAIR = b"]]\x86"


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        # Nested names: a dotted attribute of a module that is allowed, in both spellings.
        (pickled(b"cnumpy\ndtype.__init__.__globals__\n"), r"numpy\.dtype\.__init__"),
        (pickled(b"c_codecs\nencode.__self__\n"), r"_codecs\.encode\.__self__"),
        (pickled(text("_codecs"), text("encode.__class__"), b"\x93"), r"_codecs\.encode\.__class__"),
        (pickled(text("os"), text("system"), b"\x93", text("touch HARMED"), b"\x85R"), r"os\.system"),
        (pickled(b"cos\nsystem\n(S'touch HARMED'\ntR"), r"os\.system"),
        (pickled(b"(S'touch HARMED'\nios\nsystem\n"), "instruction STRING"),
        (pickled(b"(ios\nsystem\n"), "instruction INST"),
        (pickled(b"c_codecs\nencode\n)\x81"), "instruction NEWOBJ"),
        (pickled(b"c_codecs\nencode\n(o"), "instruction OBJ"),
        (pickled(b"\x82\x01"), "instruction EXT1"),
        (pickled(b"Pid\n"), "instruction PERSID"),
        (pickled(b"]Q"), "instruction BINPERSID"),
        # Allowed names with arguments they are never given.
        (pickled(b"c_codecs\nencode\n", text("x"), text("zlib_codec"), b"\x86R"), "arguments"),
        (pickled(b"c_codecs\nencode\n", text("x"), b"\x85R"), "arguments"),
        (pickled(b"cnumpy\ndtype\n", text("O8"), b"\x85R"), "arguments"),
        (pickled(b"cnumpy.core.multiarray\nscalar\n", text("b1"), b"C\x01\x01\x86R"), "arguments"),
        (pickled(text("b1"), text("x"), b"\x85R"), "arguments"),
        (pickled(b"cnumpy\ndtype\n", text("b1"), b"\x85R]b"), "cut|other|state|something"),
        (pickled(b"]]b"), "sets the state"),
        (pickled(b"c_codecs\nencode\n]b"), "sets the state"),
        # Broken machinery.
        (pickled(b"e"), "damaged"),
        (pickled(b"h\x05"), "damaged"),
        (pickled(b"\x86"), "something other"),
        (pickled(b"K\x01K\x02a"), "no list"),
        (pickled(b""), "damaged"),
        (pickled(EMPTY_PAIR), "0 images for 0 pairs"),
        (pickled(b"](C\x01ae](\x88e\x86"), "1 images for 1 pairs"),
        (pickled(b"](C\x01aC\x01be](\x88\x89e\x86"), "2 images for 2 pairs"),
        (pickled(b"](C\x01aC\x01be](K\x02e\x86"), "not true or false"),
        (pickled(b"](C\x01aC\x01be](Ne\x86"), "not true or false"),
        (pickled(b"](C\x01aK\x01e](\x88e\x86"), "not bytes"),
        (pickled(b"]q\x00h\x00a]\x86"), "not bytes"),
        (pickled(b"c_codecs\nencode\n"), "something other"),
        (b"\x80\x04", "damaged|cut short"),
        (b"", "empty"),
        (b"\xff\xd8\xff\xe0 a photo", "damaged"),
        (b"PK\x03\x04", "damaged|refused|instruction"),
    ],
)
def test_crafted_and_damaged_bins(content, pattern, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    with pytest.raises(BadBin, match=pattern) as error:
        read_bin(path)
    assert str(path) in str(error.value)
    assert not (tmp_path / "HARMED").exists()


def test_a_bin_cut_anywhere_is_refused(tmp_path):
    content = store(tmp_path / "whole.bin", (IMAGES, SAME)).read_bytes()
    path = tmp_path / "cut.bin"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(BadBin):
            read_bin(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bins_are_read_or_refused_and_nothing_else(data, tmp_path):
    content = bytearray(
        pickle.dumps((IMAGES, [np.bool_(answer) for answer in SAME]), data.draw(st.sampled_from([2, 4])))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "d.bin").write_bytes(content)
    try:
        packed = read_bin(tmp_path / "d.bin")
    except BadBin:
        return
    assert all(isinstance(image, bytes) for image in packed.images)
    assert len(packed.images) == 2 * len(packed.pairs)


def test_every_instruction_outside_the_list_is_refused(tmp_path):
    allowed = set()
    for opcode in pickletools.opcodes:
        path = tmp_path / "one.bin"
        path.write_bytes(b"\x80\x04]" + opcode.code.encode("latin-1") + b"\0" * 16 + b"\n\n.")
        try:
            read_bin(path)
        except BadBin as error:
            if f"the instruction {opcode.name} " not in str(error):
                allowed.add(opcode.name)
    dangerous = {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4"}
    assert allowed.isdisjoint(dangerous)
    assert "REDUCE" in allowed


def test_an_absent_bin_is_described(tmp_path):
    with pytest.raises(FileNotFoundError, match="image pairs.*InsightFace.*github.com/deepinsight"):
        read_bin(tmp_path / "lfw.bin")


# --- YouTube Faces ------------------------------------------------------------------------------------------------

YTF_ROWS = ["1, 1, Ann/1, Ann/5, 1", "1, 2, Ann/1, Bo/0, 0", "2, 1, Bo/0, Bo/2, 1", "2, 2, Ann/5, Bo/2, 0"]


@pytest.mark.parametrize("header", [[], ["split number, pair number, first name, second name, is same"]])
def test_pairs_of_videos(header, tmp_path):
    (tmp_path / "splits.txt").write_bytes("\r\n".join(header + YTF_ROWS).encode())
    pairs = read_ytf_pairs(tmp_path / "splits.txt")
    assert pairs.first == ("Ann/1", "Ann/1", "Bo/0", "Ann/5")
    assert pairs.second == ("Ann/5", "Bo/0", "Bo/2", "Bo/2")
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.folds.tolist() == [0, 0, 1, 1]
    touch(tmp_path, "frames/Ann/1/a.jpg", "frames/Bo/0/a.jpg", "frames/Bo/2/a.jpg")
    assert missing(pairs, tmp_path / "frames") == ("Ann/5",)


@pytest.mark.parametrize(
    "row", ["1, 3, Ann/1, Bo/1", "x, 3, Ann/1, Bo/1, 1", "1, 3, Ann/1, Bo/1, 2", "1, 3, Ann/1, ../../Bo, 1"]
)
def test_malformed_rows_of_videos(row, tmp_path):
    (tmp_path / "splits.txt").write_text("\n".join([*YTF_ROWS, row]))
    with pytest.raises(FaceDataError, match="splits.txt, line 5"):
        read_ytf_pairs(tmp_path / "splits.txt")


def test_frames_of_videos(tmp_path):
    touch(tmp_path, *(f"Ann/1/aligned_detect_0.{i}.jpg" for i in range(3)), "Bo/0/f.jpg", "Bo/1/unused.jpg")
    (tmp_path / "Bo" / "0" / "gone.jpg").symlink_to("nowhere")
    frames = read_frames(tmp_path, ["Bo/0", "Ann/1"])
    assert [path.relative_to(tmp_path).as_posix() for path in frames.files] == [
        *("Bo/0/f.jpg", "Ann/1/aligned_detect_0.0.jpg", "Ann/1/aligned_detect_0.1.jpg", "Ann/1/aligned_detect_0.2.jpg"),
    ]
    assert frames.video_index.tolist() == [0, 1, 1, 1]
    assert frames.videos == ("Bo/0", "Ann/1")
    assert len(frames.bad) == 1
    with pytest.raises(FileNotFoundError, match="frames of the video Cy/3.*ytfaces"):
        read_frames(tmp_path, ["Cy/3"])
    (tmp_path / "Cy" / "3").mkdir(parents=True)
    with pytest.raises(FaceDataError, match="no frames of the video Cy/3"):
        read_frames(tmp_path, ["Cy/3"])


def test_the_mean_of_a_video_against_a_loop():
    rng = np.random.default_rng(0)
    index = np.concatenate([np.arange(7), rng.integers(0, 7, 60)])
    rng.shuffle(index)
    embeddings = rng.normal(size=(67, 5)).astype(np.float32)
    expected = [embeddings[index == video].astype(np.float64).mean(axis=0) for video in range(7)]
    np.testing.assert_allclose(video_means(embeddings, index, 7), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("embeddings", "index", "pattern"),
    [
        ([[1.0], [2.0]], [0], "shape"),
        ([1.0, 2.0], [0, 1], "shape"),
        ([[1.0], [2.0]], [0.0, 1.0], "whole numbers"),
        ([[1.0], [np.nan]], [0, 1], "not finite"),
        ([[1.0], [2.0]], [0, 2], "outside"),
        ([[1.0], [2.0]], [0, -1], "outside"),
        ([[1.0], [2.0]], [1, 1], "video 0 has no frame"),
    ],
)
def test_means_that_there_are_not(embeddings, index, pattern):
    with pytest.raises(ValueError, match=pattern):
        video_means(embeddings, index, 2)


@needs_faces
@pytest.mark.photos
def test_the_splits_of_youtube_faces():
    pairs = read_ytf_pairs(FACES / "ytf_splits.txt")
    assert len(pairs) == 5000
    for fold in range(10):
        assert np.bincount(pairs.same[pairs.folds == fold]).tolist() == [250, 250]


# --- MegaFace -----------------------------------------------------------------------------------------------------


def templates(file, /, **value):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))
    return file


def test_template_lists(tmp_path):
    path = templates(tmp_path / "list.json", path=["Adam/Adam_1.png", "Bo\\Bo_2.png"], id=["Adam", "Bo"])
    found = read_template_list(path)
    assert found.paths == ("Adam/Adam_1.png", "Bo/Bo_2.png")
    assert found.ids == ("Adam", "Bo")
    assert read_template_list(templates(tmp_path / "list.json", path=["1/a.jpg"])).ids == ()


def test_probes_and_distractors(tmp_path):
    lists = tmp_path / "templatelists"
    templates(lists / "facescrub_features_list.json", path=["A/1.png", "A/2.png"], id=["A", "A"])
    templates(lists / "fgnet_features_list.json", path=["A/1.png"])
    templates(lists / "megaface_features_list.json_10_2", path=[f"1/{i}.jpg" for i in range(10)])
    templates(lists / "megaface_features_list.json_100_1", path=["1/2.jpg"])
    assert read_probes(tmp_path, "facescrub").ids == ("A", "A")
    assert len(read_distractors(tmp_path, 10, 2)) == 10
    with pytest.raises(FaceDataError, match="names no people"):
        read_probes(tmp_path, "fgnet")
    with pytest.raises(FaceDataError, match="lists 1 distractors, not 100"):
        read_distractors(tmp_path, 100)
    with pytest.raises(FileNotFoundError, match="draw 1 of 1000000 distractors of MegaFace.*decommissioned"):
        read_distractors(tmp_path)
    with pytest.raises(ValueError, match="one of facescrub, fgnet"):
        read_probes(tmp_path, "lfw")


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["a"]', '"path"'),
        ('{"path": []}', '"path"'),
        ('{"path": [1]}', '"path"'),
        ('{"path": ["a"], "id": ["b", "c"]}', '"id" must be'),
        ('{"path": ["a"], "id": 3}', '"id" must be'),
        ('{"path": ["a/1", "b", "a/1"]}', "1 images twice"),
        ('{"path": ["../../etc/passwd"]}', "leads out"),
        ('{"path": [""]}', "no image name"),
    ],
)
def test_lists_that_are_none(content, pattern, tmp_path):
    (tmp_path / "list.json").write_text(content)
    with pytest.raises(FaceDataError, match=pattern):
        read_template_list(tmp_path / "list.json")


def test_noise_is_left_out_and_counted(tmp_path):
    (tmp_path / "facescrub_noises.txt").write_text("# by hand\nAdam_Brody_2.png\nAl Pacino_7.png\n")
    (tmp_path / "megaface_noises.txt").write_text("0/10@N00/1.jpg_0.jpg\nwhy\t1/2@N00/3.jpg_1.jpg\n")
    probes = TemplateList(
        ("Adam Brody/Adam Brody_1.png", "Adam Brody/Adam Brody_2.png", "Al/Al_Pacino_7.png"), ("A", "A", "B")
    )
    clean, removed = without_noise(probes, read_noise_list(tmp_path / "facescrub_noises.txt"))
    assert clean.paths == ("Adam Brody/Adam Brody_1.png",)
    assert clean.ids == ("A",)
    assert removed == ("Adam Brody/Adam Brody_2.png", "Al/Al_Pacino_7.png")
    distractors = TemplateList(("0/10@N00/1.jpg_0.jpg", "0/11@N00/1.jpg_0.jpg", "1/2@N00/3.jpg_1.jpg"))
    clean, removed = without_noise(distractors, read_noise_list(tmp_path / "megaface_noises.txt"))
    assert clean.paths == ("0/11@N00/1.jpg_0.jpg",)
    assert clean.ids == ()
    assert len(removed) == 2


# --- embeddings computed elsewhere --------------------------------------------------------------------------------


def archive(path, **arrays):
    np.savez(path, **arrays)
    return path


NAMES = np.array(["A/A_0001.jpg", "A/A_0002.jpg", "B/B_0001.jpg"])
VECTORS = np.array([[3.0, 0.0], [3.0, 4.0], [0.0, -2.0]])
PAIRS = Pairs(
    ("A/A_0001.jpg", "A/A_0001.jpg"), ("A/A_0002.jpg", "B/B_0001.jpg"), np.array([True, False]), np.array([0, 0])
)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_vectors_of_any_length_and_type(dtype, tmp_path):
    found = read_embeddings(archive(tmp_path / "e.npz", names=NAMES, embeddings=VECTORS.astype(dtype)))
    assert found.names == tuple(NAMES)
    assert found.embeddings.dtype == np.float32
    assert len(found) == 3
    scores, kept, absent = pair_scores(PAIRS, found)
    np.testing.assert_allclose(scores, [0.6, 0.0], atol=1e-12)
    assert (len(kept), absent) == (2, ())


def test_mirrored_vectors_are_concatenated(tmp_path):
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 3, 8)).astype(np.float32)
    found = read_embeddings(archive(tmp_path / "e.npz", names=NAMES, embeddings=one, mirrored=other))
    joined = np.hstack([one, other]).astype(np.float64)
    a, b = joined[0], joined[1]
    assert pair_scores(PAIRS, found)[0][0] == pytest.approx(a @ b / np.sqrt(a @ a * (b @ b)), abs=1e-12)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-30, 1e-10, 1.0, 1e30]))
def test_cosines_do_not_depend_on_lengths(seed, length):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(3, 4))
    scaled = (vectors * length * rng.uniform(0.5, 2, (3, 1))).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores, _, _ = pair_scores(PAIRS, NamedEmbeddings(tuple(NAMES), scaled))
    np.testing.assert_allclose(scores, [unit[0] @ unit[1], unit[0] @ unit[2]], atol=1e-6)


@pytest.mark.parametrize(
    "names",
    [
        ["A_0001", "A_0002", "B_0001"],
        ["A_0001.jpg", "A_0002.png", "B_0001.JPG"],
        ["A/A_0001", "A/A_0002", "B/B_0001"],
        ["data/lfw/A/A_0001.jpg", "data/lfw/A/A_0002.jpg", "data/lfw/B/B_0001.jpg"],
        ["A\\A_0001.jpg", "A\\A_0002.jpg", "B\\B_0001.jpg"],
        [b"A_0001", b"A_0002", b"B_0001"],
    ],
)
def test_names_are_found_in_every_usual_spelling(names, tmp_path):
    found = read_embeddings(archive(tmp_path / "e.npz", names=np.array(names), embeddings=VECTORS))
    np.testing.assert_allclose(pair_scores(PAIRS, found)[0], [0.6, 0.0], atol=1e-12)


def test_a_name_that_only_looks_as_if_it_had_a_suffix():
    names = ("K/K_Jr._0001.jpg", "K/K_Jr._0002.jpg")
    pairs = Pairs(names[:1], names[1:], np.array([True]), np.array([0]))
    found = NamedEmbeddings(("K_Jr._0001", "K_Jr._0002"), np.eye(2, dtype=np.float32))
    assert pair_scores(pairs, found)[0].tolist() == [0.0]


def test_names_that_fit_several_are_refused():
    ones = np.ones((2, 2), np.float32)
    pairs = Pairs(("1.jpg",), ("2.jpg",), np.array([True]), np.array([0]))
    with pytest.raises(FaceDataError, match=r"image 1.jpg fits several vectors: A/1.jpg, B/1.jpg"):
        pair_scores(pairs, NamedEmbeddings(("A/1.jpg", "B/1.jpg"), ones))
    pairs = Pairs(("A/1.jpg",), ("B/1.jpg",), np.array([False]), np.array([0]))
    with pytest.raises(FaceDataError, match=r"vector 1.jpg fits several images: A/1.jpg, B/1.jpg"):
        pair_scores(pairs, NamedEmbeddings(("1.jpg", "2.jpg"), ones))
    # A whole name is never mistaken for the end of another.
    embeddings = NamedEmbeddings(("1.jpg", "A/1.jpg", "B/1.jpg"), np.eye(3, dtype=np.float32))
    assert pair_scores(pairs, embeddings)[0].tolist() == [0.0]


def test_absent_names_are_counted_and_listed():
    found = NamedEmbeddings(tuple(NAMES[:2]), VECTORS[:2].astype(np.float32), "e.npz")
    with pytest.raises(
        MissingImages, match=r"e\.npz: 1 of the 3 images.*1 of 2 pairs need them: B/B_0001\.jpg"
    ) as error:
        pair_scores(PAIRS, found)
    assert error.value.names == ("B/B_0001.jpg",)
    scores, kept, absent = pair_scores(PAIRS, found, allow_missing=True)
    np.testing.assert_allclose(scores, [0.6], atol=1e-12)
    assert (len(kept), absent) == (1, ("B/B_0001.jpg",))


def objects():
    return np.array(["a", None, 3], dtype=object)


@pytest.mark.parametrize(
    ("arrays", "pattern"),
    [
        ({"names": NAMES[[0, 1, 0]], "embeddings": VECTORS}, "1 names occur twice: A/A_0001"),
        ({"names": np.array(["a.jpg", "a", "b"]), "embeddings": VECTORS}, "1 names occur twice"),
        ({"names": NAMES, "embeddings": VECTORS * [[1], [np.nan], [1]]}, "1 of 3 vectors hold NaN.*A/A_0002.jpg"),
        ({"names": NAMES, "embeddings": VECTORS * [[1], [np.inf], [1]]}, "NaN or infinite"),
        ({"names": NAMES, "embeddings": VECTORS * 1e300}, "3 of 3 vectors hold NaN or infinite"),
        (
            {"names": NAMES, "embeddings": VECTORS * [[0], [0], [1]]},
            "2 of 3 vectors hold nothing but zeros.*A_0001.*A_0002",
        ),
        ({"names": NAMES, "embeddings": VECTORS[:2]}, r"shape \(2, 2\) for 3 names"),
        ({"names": NAMES[:2], "embeddings": VECTORS}, r"shape \(3, 2\) for 2 names"),
        ({"names": NAMES, "embeddings": VECTORS[:, 0]}, r"shape \(3,\)"),
        ({"names": NAMES, "embeddings": VECTORS[:, :0]}, r"shape \(3, 0\)"),
        ({"names": NAMES, "embeddings": VECTORS[None]}, r"shape \(1, 3, 2\)"),
        ({"names": NAMES, "embeddings": VECTORS.astype(complex)}, "complex128"),
        ({"names": NAMES, "embeddings": VECTORS, "mirrored": VECTORS[:, :1]}, "mirrored.*differ in shape"),
        ({"names": NAMES, "embeddings": VECTORS, "mirrored": VECTORS[:2]}, "mirrored.*differ in shape"),
        ({"names": np.arange(3), "embeddings": VECTORS}, "must be.*text"),
        ({"names": NAMES[None], "embeddings": VECTORS}, "must be.*text"),
        ({"names": np.array([b"\xff", b"a", b"b"]), "embeddings": VECTORS}, "not UTF-8"),
        ({"names": objects(), "embeddings": VECTORS}, "text, not as objects"),
        ({"names": NAMES[:0], "embeddings": VECTORS[:0]}, "must be.*text"),
        ({"names": NAMES, "vectors": VECTORS}, "has no embeddings, only names, vectors"),
        ({}, "has no embeddings and no names, only nothing"),
    ],
)
def test_archives_that_are_refused(arrays, pattern, tmp_path):
    path = archive(tmp_path / "e.npz", **arrays)
    with pytest.raises(FaceDataError, match=pattern) as error:
        read_embeddings(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_archive(tmp_path):
    np.save(tmp_path / "a.npy", VECTORS)
    with pytest.raises(FaceDataError, match="a single array"):
        read_embeddings(tmp_path / "a.npy")
    whole = archive(tmp_path / "e.npz", names=NAMES, embeddings=VECTORS).read_bytes()
    for content in (b"", b"junk", whole[: len(whole) // 2], whole.replace(b"\x93NUMPY", b"\x93NUMPX")):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(FaceDataError, match="not a NumPy archive"):
            read_embeddings(tmp_path / "bad.npz")
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Calls(os.system, "touch HARMED")))
    with pytest.raises(FaceDataError, match="not a NumPy archive"):
        read_embeddings(tmp_path / "pickle.npz")
    with pytest.raises(FileNotFoundError):
        read_embeddings(tmp_path / "nothing.npz")


@needs_faces
@pytest.mark.photos
def test_the_public_encoder_separates_the_pairs_of_lfw():
    pairs = read_lfw_pairs(FACES / "lfw_pairs.txt")
    scores, kept, absent = pair_scores(pairs, read_embeddings(FACES / "lfw_sface_embeddings.npz"))
    assert (len(kept), absent) == (6000, ())
    # The area under the ROC curve: how often a pair of one person scores above one of two people.
    assert (scores[pairs.same, None] > scores[~pairs.same]).mean() > 0.998
