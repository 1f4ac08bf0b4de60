import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.pair_lists import (
    read_calfw_pairs,
    read_cfp_pairs,
    read_cplfw_pairs,
    read_lfw_pairs,
    read_pair_list,
)
from saree_cosface.faces.pairs import MissingImages, Pairs, check_images, missing, remarks, safe_name
from tests.helpers.real_faces import FACES, needs_faces

LFW_ROWS = ["2\t1", "Ann\t1\t4", "Ann\t2\tBo\t11", "Bo\t3\t1", "Cy\t1\tAnn\t3"]


def write(path, rows, end="\n", encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((end.join(rows) + end).encode(encoding))
    return path


def listing(pairs):
    return list(zip(pairs.first, pairs.second, pairs.same.tolist(), pairs.folds.tolist(), strict=True))


LFW_PAIRS = [
    ("Ann/Ann_0001.jpg", "Ann/Ann_0004.jpg", True, 0),
    ("Ann/Ann_0002.jpg", "Bo/Bo_0011.jpg", False, 0),
    ("Bo/Bo_0003.jpg", "Bo/Bo_0001.jpg", True, 1),
    ("Cy/Cy_0001.jpg", "Ann/Ann_0003.jpg", False, 1),
]


@pytest.mark.parametrize(
    ("end", "encoding"), [("\n", "utf-8"), ("\r\n", "utf-8"), ("\n", "utf-8-sig"), ("\r", "utf-8")]
)
def test_lfw_view_2_however_it_was_saved(end, encoding, tmp_path):
    path = write(tmp_path / "pairs.txt", [*LFW_ROWS, ""], end, encoding)
    assert listing(read_lfw_pairs(path)) == LFW_PAIRS


def test_lfw_view_1_is_one_fold_and_other_suffixes_can_be_asked_for(tmp_path):
    path = write(tmp_path / "pairsDevTest.txt", ["2", "A 1 2", "B 1 2", "A 1 B 1", "A 2 B 2"])
    pairs = read_lfw_pairs(path, suffix=".png")
    assert pairs.first[0] == "A/A_0001.png"
    assert pairs.same.tolist() == [True, True, False, False]
    assert pairs.folds.tolist() == [0] * 4
    assert len(pairs) == 4
    assert pairs.names == ("A/A_0001.png", "A/A_0002.png", "B/B_0001.png", "B/B_0002.png")


@pytest.mark.parametrize(
    ("line", "row", "pattern"),
    [
        (1, "ten\t300", "line 1: .*no header"),
        (1, "1 2 3", "line 1: .*no header"),
        (1, "0\t1", "line 1: .*no header"),
        (1, "2\t2", "has 4 pairs.*announces 8"),
        (2, "Ann\t1", "line 2: .*name, number, number"),
        (2, "Ann\t1\tBo\t2", "line 2: .*name, number, number"),
        (3, "Ann\t1\t2", "line 3: .*name, number, name, number"),
        (3, "Ann\t1\tAnn\t2", "line 3: .*names one person"),
        (4, "Bo\t3\tx", "line 4"),
        (4, "Bo\t0\t1", "line 4"),
        (4, "Bo\t-3\t1", "line 4"),
        (4, "../../etc/passwd\t1\t2", "line 4: .*leads out of the image folder"),
    ],
)
def test_a_malformed_lfw_list_is_refused_with_its_line(line, row, pattern, tmp_path):
    rows = LFW_ROWS.copy()
    rows[line - 1] = row
    path = write(tmp_path / "pairs.txt", rows)
    with pytest.raises(FaceDataError, match=pattern) as error:
        read_lfw_pairs(path)
    assert str(path) in str(error.value)


def test_an_absent_lfw_list_is_described(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pairs.txt of View 2.*vis-www\.cs\.umass\.edu/lfw.*nothing\.txt"):
        read_lfw_pairs(tmp_path / "nothing.txt")


@pytest.mark.parametrize("reader", [read_lfw_pairs, read_pair_list, read_calfw_pairs, read_cplfw_pairs])
def test_empty_lists_and_what_is_no_text(reader, tmp_path):
    with pytest.raises(FaceDataError, match="empty"):
        reader(write(tmp_path / "empty.txt", ["", "  "]))
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 not text")
    with pytest.raises(FaceDataError, match="line 1: not UTF-8 text"):
        reader(tmp_path / "photo.jpg")
    with pytest.raises(OSError, match="folder"):
        (tmp_path / "folder").mkdir()
        reader(tmp_path / "folder")


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", " "])
@pytest.mark.parametrize("header", [[], ["first", "second", "same", "fold"]])
@pytest.mark.parametrize(("end", "encoding"), [("\n", "utf-8"), ("\r\n", "utf-8-sig")])
def test_plain_lists(delimiter, header, end, encoding, tmp_path):
    rows = [["a/1.jpg", "b/2.jpg", "0", "7"], ["a/1.jpg", "a/2.jpg", "1", "3"], ["c/1.jpg", "c/2.jpg", "1", "7"]]
    path = write(tmp_path / "list", [delimiter.join(row) for row in ([header] if header else []) + rows], end, encoding)
    assert listing(read_pair_list(path)) == [
        ("a/1.jpg", "b/2.jpg", False, 1),
        ("a/1.jpg", "a/2.jpg", True, 0),
        ("c/1.jpg", "c/2.jpg", True, 1),
    ]


def test_quoted_names_with_commas_and_blanks(tmp_path):
    path = write(tmp_path / "list.csv", ['"Smith, Ann/a b.jpg",Bo/1.jpg,0', "Bo/1.jpg, Bo/2.jpg , 1"])
    pairs = read_pair_list(path)
    assert pairs.first == ("Smith, Ann/a b.jpg", "Bo/1.jpg")
    assert pairs.second == ("Bo/1.jpg", "Bo/2.jpg")


@pytest.mark.parametrize(
    ("row", "pattern"),
    [
        ("a.jpg,b.jpg", "line 3: 2 columns"),
        ("a.jpg,b.jpg,1,1", "line 3: 4 columns"),
        ("a.jpg,b.jpg,2", "line 3: '2' says not whether"),
        ("a.jpg,b.jpg,yes", "line 3: 'yes'"),
        ("a.jpg,,1", "line 3: '' is no image name"),
        ("../../etc/passwd,b.jpg,1", "line 3: .*leads out"),
        ("b.jpg,/etc/passwd,1", "line 3: .*leads out"),
        (r"C:\faces\a.jpg,b.jpg,1", "line 3: .*leads out"),
        (r"a.jpg,x\..\..\b.jpg,1", "line 3: .*leads out"),
        ("x.jpg,y.jpg,0", "line 3: says that x.jpg and y.jpg are two people, but line 1 says the opposite"),
        ("y.jpg,x.jpg,0", "line 3: .*line 1 says the opposite"),
        ('"a.jpg,b.jpg,1', "line 3"),
        ("a\0.jpg,b.jpg,1", "line 3: .*no image name"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(row, pattern, tmp_path):
    path = write(tmp_path / "list.csv", ["x.jpg,y.jpg,1", "", row])
    with pytest.raises(FaceDataError, match=pattern) as error:
        read_pair_list(path)
    assert str(path) in str(error.value)


def test_blanks_in_names_of_a_blank_separated_list_get_a_hint(tmp_path):
    with pytest.raises(FaceDataError, match="5 columns.*separate names that hold blanks by tabs or commas"):
        read_pair_list(write(tmp_path / "list.txt", ["a b.jpg c d.jpg 1"]))


@pytest.mark.parametrize("fold", ["-1", "x", "1.5", "9" * 5000])
def test_a_fold_is_a_whole_number(fold, tmp_path):
    with pytest.raises(FaceDataError, match="line 1: .*is no fold"):
        read_pair_list(write(tmp_path / "list.txt", [f"a.jpg b.jpg 1 {fold}"]))


def test_a_first_row_that_is_no_header_is_not_swallowed(tmp_path):
    with pytest.raises(FaceDataError, match="line 1: 'same'"):
        read_pair_list(write(tmp_path / "list.txt", ["a.jpg b.jpg same", "a.jpg c.jpg 0"]))
    with pytest.raises(FaceDataError, match="line 1: '2'"):
        read_pair_list(write(tmp_path / "list.txt", ["a b 2", "a c 0"]))
    with pytest.raises(FaceDataError, match="lists no pairs"):
        read_pair_list(write(tmp_path / "list.txt", ["first second same"]))


def test_without_folds_both_kinds_are_dealt_in_blocks(tmp_path):
    # As AgeDB-30 circulates: of each 600 rows, 300 of each kind (here 3 of each); everybody takes tenths.
    rows = [f"{i}a.jpg {i}b.jpg {int(i % 6 < 3)}" for i in range(60)]
    pairs = read_pair_list(write(tmp_path / "agedb.txt", rows))
    np.testing.assert_array_equal(pairs.folds, np.arange(60) // 6)
    assert remarks(pairs) == ()
    # All pairs of one kind first: the folds are balanced all the same.
    rows.sort(key=lambda row: row[-1])
    pairs = read_pair_list(write(tmp_path / "sorted.txt", rows))
    for fold in range(10):
        assert np.bincount(pairs.same[pairs.folds == fold]).tolist() == [3, 3]


def test_calfw_numbers_the_folds_of_same_pairs_only(tmp_path):
    same = [f"P{i}_000{k}.jpg {i // 2 + 1}" for i in range(20) for k in (1, 2)]
    different = [f"P{i + k}_0003.jpg 0" for i in range(20) for k in (0, 1)]
    pairs = read_calfw_pairs(write(tmp_path / "pairs_CALFW.txt", same + different))
    assert len(pairs) == 40
    assert (pairs.first[0], pairs.second[0]) == ("P0_0001.jpg", "P0_0002.jpg")
    np.testing.assert_array_equal(pairs.folds, np.tile(np.arange(20) // 2, 2))
    np.testing.assert_array_equal(pairs.same, np.repeat([True, False], 20))
    # A list in another order keeps the folds it gives.
    pairs = read_calfw_pairs(write(tmp_path / "other.txt", same[20:] + same[:20] + different))
    np.testing.assert_array_equal(pairs.folds[:20], np.roll(np.arange(20) // 2, 10))


def test_cplfw_numbers_no_folds(tmp_path):
    rows = [f"P{i}_{k}.jpg {i % 2}" for i in range(40) for k in (1, 2)]
    pairs = read_cplfw_pairs(write(tmp_path / "pairs_CPLFW.txt", rows))
    np.testing.assert_array_equal(pairs.folds, np.arange(40) // 4)
    np.testing.assert_array_equal(pairs.same, np.arange(40) % 2 == 1)


@pytest.mark.parametrize("rows", [["a.jpg 1", "b.jpg 0"], ["a.jpg 1"], ["a.jpg 1", "b.jpg"], ["a.jpg x", "b.jpg x"]])
def test_two_rows_that_are_no_pair(rows, tmp_path):
    with pytest.raises(FaceDataError, match="line 3: .*are no pair"):
        read_cplfw_pairs(write(tmp_path / "pairs_CPLFW.txt", ["c.jpg 0", "d.jpg 0", *rows]))


def cfp(folder):
    for pose, word, count in (("F", "frontal", 10), ("P", "profile", 4)):
        names = [
            f"{1 + i} ../Data/Images/{1 + i // count:03d}/{word}/{1 + i % count:02d}.jpg" for i in range(2 * count)
        ]
        write(folder / "Protocol" / f"Pair_list_{pose}.txt", names)
    for kind, same, different in (("FF", "1,2", "3,12"), ("FP", "2,4", "11,1")):
        for fold in range(1, 11):
            split = folder / "Protocol" / "Split" / kind / f"{fold:02d}"
            write(split / "same.txt", [same])
            write(split / "diff.txt", [different])
    return folder


def test_cfp(tmp_path):
    frontal = listing(read_cfp_pairs(cfp(tmp_path), "FF"))
    assert len(frontal) == 20
    assert frontal[2:4] == [
        ("001/frontal/01.jpg", "001/frontal/02.jpg", True, 1),
        ("001/frontal/03.jpg", "002/frontal/02.jpg", False, 1),
    ]
    profile = listing(read_cfp_pairs(tmp_path, "FP"))
    assert profile[18:] == [
        ("001/frontal/02.jpg", "001/profile/04.jpg", True, 9),
        ("002/frontal/01.jpg", "001/profile/01.jpg", False, 9),
    ]


@pytest.mark.parametrize("row", ["1", "1,99", "0,1", "a,b", "1,2,3", "9,9"])
def test_cfp_pairs_of_images_that_are_not_numbered(row, tmp_path):
    write(cfp(tmp_path) / "Protocol" / "Split" / "FP" / "04" / "diff.txt", ["1,1", row])
    with pytest.raises(FaceDataError, match=r"04/diff\.txt, line 2: .*Pair_list_P"):
        read_cfp_pairs(tmp_path, "FP")


@pytest.mark.parametrize(
    "row", ["1 ../Data/Images/002/frontal/01.jpg", "30", "30 002/frontal/01.jpg", "x ../Data/Images/1.jpg"]
)
def test_cfp_lists_that_number_nothing_or_twice(row, tmp_path):
    path = cfp(tmp_path) / "Protocol" / "Pair_list_F.txt"
    path.write_text(path.read_text() + row)
    with pytest.raises(FaceDataError, match="Pair_list_F.txt, line 21"):
        read_cfp_pairs(tmp_path, "FF")


def test_cfp_files_that_are_absent(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"numbered list of frontal images.*cfpw\.io.*Pair_list_F\.txt"):
        read_cfp_pairs(tmp_path, "FF")
    (cfp(tmp_path) / "Protocol" / "Split" / "FP" / "10" / "same.txt").unlink()
    with pytest.raises(FileNotFoundError, match="same pairs of fold 10 of FP"):
        read_cfp_pairs(tmp_path, "FP")
    with pytest.raises(ValueError, match="frontal-profile"):
        read_cfp_pairs(tmp_path, "PP")


def make(first, second, same, folds):
    return Pairs(tuple(first), tuple(second), np.array(same, dtype=bool), np.array(folds))


def test_remarks_tell_what_a_score_should_be_read_with():
    assert remarks(make("abcd", "efgh", [1, 0, 1, 0], [0, 0, 1, 1])) == ()
    uneven = make("abcde", "fghij", [1, 0, 1, 0, 1], [0, 0, 1, 1, 1])
    assert remarks(uneven) == ("the folds are unequal: of one person 1 to 2 pairs, of two people 1 to 1",)
    assert remarks(make("ab", "cd", [1, 1], [0, 1])) == ("there is no pair of two people",)
    # The same two images in the other order are the same pair.
    odd = make("abcc", "baca", [1, 1, 1, 0], [0, 0, 0, 0])
    assert remarks(odd) == ("1 pair is listed twice", "1 pair is of an image and itself")


def test_pairs_listed_twice_are_kept(tmp_path):
    pairs = read_pair_list(write(tmp_path / "list.txt", ["a.jpg b.jpg 1", "a.jpg c.jpg 0", "b.jpg a.jpg 1"]))
    assert len(pairs) == 3
    assert "1 pair is listed twice" in remarks(pairs)


def images(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_absent_images_are_counted_and_the_first_ten_listed(tmp_path):
    first = [f"A/A_{i:04d}.jpg" for i in range(15)]
    second = ["B/B_0001.jpg"] * 14 + ["C/C_0001.jpg"]
    pairs = make(first, second, [1, 0] * 7 + [1], [0] * 15)
    images(tmp_path, [*first[:2], "B/B_0001.jpg", "not asked for.jpg"])
    absent = (*first[2:14], first[14], "C/C_0001.jpg")
    assert missing(pairs, tmp_path) == absent
    with pytest.raises(MissingImages) as error:
        check_images(pairs, tmp_path)
    message = str(error.value)
    assert error.value.names == absent
    assert "14 of the 17 images" in message
    assert "13 of 15 pairs" in message
    assert "--allow-missing" in message
    assert absent[9] in message
    assert absent[10] not in message
    assert "and 4 more" in message
    kept, left_out = check_images(pairs, tmp_path, allow_missing=True)
    assert left_out == absent
    assert listing(kept) == listing(pairs)[:2]
    assert len(pairs) == 15


def test_all_images_there_or_none(tmp_path):
    pairs = make(["a.jpg"], ["b/c.jpg"], [1], [0])
    for allow_missing in (False, True):
        with pytest.raises(MissingImages, match="No pair is left; is it the right folder"):
            check_images(pairs, tmp_path, allow_missing)
    images(tmp_path, ["a.jpg", "b/c.jpg"])
    assert missing(pairs, tmp_path) == ()
    assert check_images(pairs, tmp_path) == (pairs, ())
    with pytest.raises(NotADirectoryError, match="a.jpg: no such folder"):
        missing(pairs, tmp_path / "a.jpg")


@given(st.text(alphabet="./\\ab:~ ", max_size=12))
def test_no_name_leaves_its_folder(name):
    try:
        spelled = safe_name(name)
    except ValueError:
        return
    folder = Path("/images/here")
    inside = Path(os.path.normpath(folder / spelled))
    assert folder in inside.parents
    assert safe_name(spelled) == spelled


@needs_faces
@pytest.mark.photos
def test_the_lists_of_lfw():
    pairs = read_lfw_pairs(FACES / "lfw_pairs.txt")
    assert len(pairs) == 6000
    for fold in range(10):
        assert np.bincount(pairs.same[pairs.folds == fold]).tolist() == [300, 300]
    assert remarks(pairs) == ()
    assert missing(pairs, FACES / "lfw_aligned") == ()
    assert len(pairs.names) == 7701
    for name, size in (("lfw_pairsDevTrain.txt", 1100), ("lfw_pairsDevTest.txt", 500)):
        assert np.bincount(read_lfw_pairs(FACES / name).same).tolist() == [size, size]


@needs_faces
@pytest.mark.photos
def test_a_plain_list_of_lfw_means_the_same(tmp_path):
    pairs = read_lfw_pairs(FACES / "lfw_pairs.txt")
    with (tmp_path / "plain.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("path1", "path2", "same"), *((a, b, int(same)) for a, b, same, _ in listing(pairs))]
        )
    assert listing(read_pair_list(tmp_path / "plain.csv")) == listing(pairs)
