import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saree_cosface.data.manifest import COLUMNS, ManifestError
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.data.names import tidy
from saree_cosface.taxonomy import load_taxonomy


def write(folder, text, name="manifest.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


PLAIN = (
    "path,craft,source,core,year\na.jpg,Banaras,s1,True,1990\nb/c.jpg,kancheepuram,s2,False,\nd.jpg,patola,s1,True,3\n"
)


def test_reading(tmp_path):
    manifest = read_manifest(write(tmp_path, PLAIN))
    assert len(manifest) == 3
    assert manifest.crafts.tolist() == ["banarasi", "kanjivaram", "patola"]
    assert manifest.sources.tolist() == ["s1", "s2", "s1"]
    assert manifest.piece_names == ["a.jpg", "b/c.jpg", "d.jpg"]
    assert manifest.views.tolist() == ["", "", ""]
    assert manifest.files()[1] == tmp_path / "b/c.jpg"
    assert set(COLUMNS) <= set(manifest.table.columns)
    assert manifest.table["core"].dtype == bool
    assert np.isnan(manifest.table["year"][1])


@pytest.mark.parametrize("change", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t + "\n\n"])
def test_byte_order_mark_windows_line_ends_and_blank_lines(change, tmp_path):
    plain = read_manifest(write(tmp_path, PLAIN))
    other = read_manifest(write(tmp_path, change(PLAIN), "other.csv"))
    assert other.sha256 == plain.sha256


def test_windows_and_dotted_paths_are_one_path(tmp_path):
    manifest = read_manifest(
        write(tmp_path, "path,craft\n.\\photos\\a.jpg,patola\n./b//c.jpg,patola\n../d.jpg,patola\n")
    )
    assert manifest.table["path"].tolist() == ["photos/a.jpg", "b/c.jpg", "../d.jpg"]


def test_missing_values_are_unknown_and_numbers_stay_text(tmp_path):
    text = "path,craft,piece,source\na.jpg,patola,007,NaN\nb.jpg,patola,,12\n"
    manifest = read_manifest(write(tmp_path, text))
    assert manifest.piece_names == ["007", "b.jpg"]
    assert manifest.sources.tolist() == ["", "12"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("craft,source\npatola,s\n", "column path is missing; the header has: craft, source"),
        ("file;label\na.jpg;patola\n", "path and craft is missing.*comma"),
        ("", "path and craft is missing|not a readable table"),
        ("path,craft\n", "lists no photo"),
        ("path,path,craft\na,b,patola\n", "repeats path"),
        ("path,craft\n,patola\na.jpg,patola\n", "line 2 without a path"),
        ("path,craft\na.jpg,patola\nb,c.jpg,patola\n", "line 3 has 3 fields"),
        ("path,craft\na.jpg,patola\na.jpg,bandhani\n", "lines 2, 3 list a.jpg with different craft: 'patola' and 'ban"),
        ("path,craft,source\na.jpg,patola,x\na.jpg,patola,y\n", "different source"),
        ("path,craft\na.jpg,\n", "line 2: no label given"),
        ("path,craft\na.jpg,patola\nb.jpg,banarsee\nc.jpg,silk\nd.jpg,silk\n", r"(?s)3 of 4.*line 3.*lines 4, 5.*silk"),
        ('path,craft\n"a.jpg,patola\n', "."),
    ],
)
def test_wrong_manifests_name_file_rows_and_remedy(text, message, tmp_path):
    with pytest.raises(ManifestError, match=rf"(?s)manifest\.csv: .*{message.removeprefix('(?s)')}"):
        read_manifest(write(tmp_path, text))


def test_files_that_are_no_manifests(tmp_path):
    with pytest.raises(ManifestError, match=r"no such file.*data import"):
        read_manifest(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ManifestError, match="cannot be read"):
        read_manifest(tmp_path / "folder.csv")
    with pytest.raises(ManifestError, match=r"not UTF-8 text \(byte 12\)"):
        read_manifest(write(tmp_path, "path,craft\nà.jpg,patola\n".replace("à", "xà"), encoding="latin-1"))
    with pytest.raises(ManifestError, match="not UTF-8"):
        read_manifest(write(tmp_path, PLAIN, encoding="utf-16"))
    with pytest.raises(ManifestError, match="not a readable table"):
        read_manifest(write(tmp_path, "no parquet", "m.parquet"))
    with pytest.raises(ManifestError, match=r"\.csv or a \.parquet"):
        read_manifest(write(tmp_path, PLAIN, "m.xlsx"))


def test_long_lists_of_rows_are_cut(tmp_path):
    text = "path,craft\n" + "".join(f"{number}.jpg,silk\n" for number in range(20))
    with pytest.raises(ManifestError, match=r"lines 2, 3, 4, 5, 6, 7, 8, 9, … \(20 in all\)"):
        read_manifest(write(tmp_path, text))


def test_rows_that_repeat_another_are_dropped_with_a_warning(tmp_path, capsys):
    text = "path,craft,note\na.jpg,patola,x\n./a.jpg,Patan Patola,x\nb.jpg,patola,\na.jpg,patola,y\n"
    manifest = read_manifest(write(tmp_path, text))
    assert manifest.table["path"].tolist() == ["a.jpg", "b.jpg"]
    assert manifest.table.index.tolist() == [0, 1]
    captured = capsys.readouterr()
    assert "2 rows repeat others" in captured.err
    assert captured.out == ""
    read_manifest(write(tmp_path, "path,craft\na.jpg,patola\na.jpg,patola\n"))
    assert "1 row repeats another" in capsys.readouterr().err


def test_labels_can_be_kept_or_taken_as_they_are(tmp_path):
    path = write(tmp_path, "path,craft\na.jpg,Banaras\nb.jpg,kawung\n")
    assert read_manifest(path, on_unknown="keep").crafts.tolist() == ["banarasi", "kawung"]
    assert read_manifest(path, taxonomy=None).crafts.tolist() == ["Banaras", "kawung"]
    with pytest.raises(ManifestError, match="kawung"):
        read_manifest(path, taxonomy=load_taxonomy())


def test_only_selected_rows_need_known_labels_and_queries_see_ids(tmp_path):
    path = write(tmp_path, "path,craft,core\na.jpg,Banaras,True\nb.jpg,kawung,False\nc.jpg,patola,True\n")
    assert len(read_manifest(path, where="core")) == 2
    assert read_manifest(path, where="craft == 'banarasi'").table["path"].tolist() == ["a.jpg"]
    with pytest.raises(ManifestError, match="line 3: 'kawung'"):
        read_manifest(path, where="not core or craft == 'banarasi'")


@pytest.mark.parametrize("query", ["core ==", "nothing", "craft", "craft == 'x'", "@__import__('os')", "year > 'x'"])
def test_bad_queries_list_the_columns(query, tmp_path):
    path = write(tmp_path, PLAIN)
    with pytest.raises(ManifestError, match="columns: path, craft, source"):
        read_manifest(path, where=query)
    with pytest.raises(ManifestError, match="columns: path, craft, source"):
        read_manifest(path).where(query)


def test_selecting(tmp_path):
    manifest = read_manifest(write(tmp_path, PLAIN))
    for rows in ([2, 0], np.array([2, 0])):
        part = manifest.select(rows)
        assert part.table["path"].tolist() == ["d.jpg", "a.jpg"]
        assert part.table.index.tolist() == [0, 1]
    assert manifest.select(manifest.table["core"].to_numpy()).sha256 == manifest.where("core").sha256
    assert manifest.where("core").sha256 != manifest.sha256
    assert len(manifest.select([])) == 0


def test_the_fingerprint_ignores_order_and_what_training_does_not_use(tmp_path):
    manifest = read_manifest(write(tmp_path, PLAIN))
    assert manifest.select([2, 1, 0]).sha256 == manifest.sha256
    noted = read_manifest(write(tmp_path, PLAIN.replace("core,year", "note,view"), "noted.csv"))
    assert noted.sha256 == manifest.sha256
    for old, new in (("a.jpg", "x.jpg"), ("Banaras", "ajrakh"), ("s2", "s3"), ("source", "piece"), ("core", "split")):
        assert read_manifest(write(tmp_path, PLAIN.replace(old, new), "new.csv")).sha256 != manifest.sha256


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".CSV"])
def test_written_manifests_read_back_the_same(suffix, tmp_path):
    manifest = read_manifest(write(tmp_path, PLAIN))
    path = tmp_path / "new folder" / f"copy{suffix}"
    write_manifest(manifest.table, path)
    again = read_manifest(path)
    pd.testing.assert_frame_equal(again.table[list(COLUMNS)], manifest.table[list(COLUMNS)])
    assert again.table["core"].dtype == bool
    assert again.sha256 == manifest.sha256
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    manifest = read_manifest(write(tmp_path, PLAIN))
    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OSError, match="No space"):
        write_manifest(manifest.table, tmp_path / "out" / "m.csv")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(ManifestError, match=r"\.csv or a \.parquet"):
        write_manifest(manifest.table, tmp_path / "m.json")


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"], exclude_characters="\\/.")
)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES.filter(bool), min_size=1, max_size=5, unique=True))
def test_any_name_survives_a_round_trip(names, tmp_path):
    missing = {"NA", "N/A", "nan", "NaN", "null", "None", "n/a", "NULL"}
    table = pd.DataFrame({"path": [f"p/{name}.jpg" for name in names], "craft": "patola", "source": names})
    write_manifest(table, tmp_path / "m.csv")
    manifest = read_manifest(tmp_path / "m.csv")
    assert manifest.table["path"].tolist() == table["path"].tolist()
    assert [s for s, n in zip(manifest.sources, names, strict=True) if n not in missing] == [
        tidy(n) for n in names if n not in missing
    ]
