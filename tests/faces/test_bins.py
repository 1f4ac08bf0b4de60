"""insightface's .bin files of pairs: of every protocol, hostile, damaged and cut."""

import os
import pickle
import pickletools
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saree_cosface.faces.bins import BadBin, read_bin
from tests.helpers.pickled import Calls

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
