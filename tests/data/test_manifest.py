import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saree_cosface.data.manifest import COLUMNS, ManifestError, rows_of_query
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


WORDS = ("NA", "N/A", "nan", "None", "null", "007", "1e5", "7.0", "1_000", "=1+1", "True", "-", "#N/A", "é, ü; ß")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_text_stays_text(suffix, tmp_path):
    """Whatever is written in a name, a note or a further column comes back as it was, and empty is unknown."""
    notes = [*WORDS, " blank before", "two\nlines", "three\r\nlines", "a\rb", 'a "quoted" word', "'x"]
    table = pd.DataFrame({"path": [f"{number}.jpg" for number in range(len(notes))], "craft": "patola", "note": notes})
    table["source"] = [*WORDS, *[""] * (len(notes) - len(WORDS))]
    table["piece"], table["accession"], table["licence"] = table["source"], notes, notes
    for _ in range(2):  # what was read is written as it was
        write_manifest(table, tmp_path / f"m{suffix}")
        read = read_manifest(tmp_path / f"m{suffix}")
        for column in ("note", "accession", "licence", "source"):
            assert read.table[column].tolist() == table[column].tolist(), column
        assert read.piece_names[: len(WORDS)] == list(WORDS)
        table = read.table


def test_further_columns_are_numbers_where_that_loses_nothing(tmp_path):
    rows = ["1990,007,0.5,True,NA,1e5", ",12,2.25,False,7,2", "1985,3,-1.0,True,8,3"]
    head = "year,accession,share,core,gaps,long"
    text = f"path,craft,{head}\n" + "".join(f"{number}.jpg,patola,{row}\n" for number, row in enumerate(rows))
    manifest = read_manifest(write(tmp_path, text))
    assert manifest.table[head.split(",")].map(type).iloc[2].tolist() == [float, str, float, bool, str, str]
    assert manifest.table["accession"].tolist() == ["007", "12", "3"]
    for query in ("year > 1985", "accession == 7", "long > 1000", "share == 0.5", "index == 0"):
        assert rows_of_query(manifest.table, query, "m").path.tolist() == ["0.jpg"], query
    assert rows_of_query(manifest.table, "gaps > 7", "m").gaps.tolist() == ["8"]
    write_manifest(manifest.table, tmp_path / "again.csv")
    assert [line.split(",")[-6:] for line in (tmp_path / "again.csv").read_text().splitlines()[1:]] == [
        row.split(",") for row in rows
    ]


@pytest.mark.parametrize("change", [lambda t: t.replace(",", ";"), lambda t: t.replace(",", "\t")])
@pytest.mark.parametrize("first", ["", "sep={}\n", "Our sarees\n\n"])
def test_a_manifest_that_a_spreadsheet_has_saved(change, first, tmp_path):
    plain = read_manifest(write(tmp_path, PLAIN))
    text = change(PLAIN)
    other = write(tmp_path, first.format(text[4]) + text, "other.csv", encoding="utf-16")
    assert read_manifest(other).sha256 == plain.sha256


def test_paths_keep_their_blanks(tmp_path):
    paths = [" Banarasi/1 .jpg", "Banarasi/1 .jpg", "Banarasi /1.jpg"]
    for path in paths:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(path)
    manifest = read_manifest(write(tmp_path, "path,craft\n" + "".join(f"{path},patola\n" for path in paths)))
    assert manifest.table["path"].tolist() == paths
    assert [file.read_text() for file in manifest.files()] == paths


def test_lines_are_those_of_the_file(tmp_path):
    text = 'A title\n\npath,craft,note\na.jpg,patola,"two\nlines"\n\n,,\nb.jpg,silk,x\nc.jpg,patola,"a\nb\nc"\nd.jpg,wool,\n'
    with pytest.raises(ManifestError, match=r"(?s)2 of 4.*line 8: .*silk.*line 12: .*wool"):
        read_manifest(write(tmp_path, text))
    with pytest.raises(ManifestError, match="line 8 has 4 fields and the header 3"):
        read_manifest(write(tmp_path, text.replace("b.jpg,", "b,b.jpg,")))
    with pytest.raises(ManifestError, match="line 9 cannot be parted.*quotation mark not closed"):
        read_manifest(write(tmp_path, text.replace('c"', "c")))
    pd.DataFrame({"path": ["a.jpg", "b.jpg"], "craft": ["patola", "silk"]}).to_parquet(tmp_path / "m.parquet")
    with pytest.raises(ManifestError, match=r"(?s)row 2: .*silk"):
        read_manifest(tmp_path / "m.parquet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("craft,source\npatola,s\n", "column path is missing; the header has: craft, source"),
        ("file;label\na.jpg;patola\n", "path and craft is missing; the header has: file, label. .*data import"),
        ("", "empty; it needs a header"),
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
    with pytest.raises(ManifestError, match=r"line 2 is not UTF-8 text; save"):
        read_manifest(write(tmp_path, "path,craft\nà.jpg,patola\n".replace("à", "xà"), encoding="latin-1"))
    with pytest.raises(ManifestError, match="not a readable table"):
        read_manifest(write(tmp_path, "no parquet", "m.parquet"))
    with pytest.raises(ManifestError, match=r"\.csv or a \.parquet"):
        read_manifest(write(tmp_path, PLAIN, "m.xlsx"))


def test_long_lists_of_rows_are_cut(tmp_path):
    text = "path,craft\n" + "".join(f"{number}.jpg,silk\n" for number in range(20))
    with pytest.raises(ManifestError, match=r"lines 2, 3, 4, 5, 6, 7, 8, 9, … \(20 in all\)"):
        read_manifest(write(tmp_path, text))
    text = "path,craft\n" + "".join(f"{number}.jpg,silk{number}\n" for number in range(20))
    with pytest.raises(ManifestError, match="(?s)silk7.*… and 12 more labels; `saree-cosface data check --json`"):
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


def test_selecting(tmp_path):
    manifest = read_manifest(write(tmp_path, PLAIN))
    for rows in ([2, 0], np.array([2, 0])):
        part = manifest.select(rows)
        assert part.table["path"].tolist() == ["d.jpg", "a.jpg"]
        assert part.table.index.tolist() == [0, 1]
    core = read_manifest(tmp_path / "manifest.csv", where="core")
    assert manifest.select(manifest.table["core"].to_numpy()).sha256 == core.sha256 != manifest.sha256
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
    table = pd.DataFrame({"path": [f"p/{name}.jpg" for name in names], "craft": "patola", "source": names})
    write_manifest(table, tmp_path / "m.csv")
    manifest = read_manifest(tmp_path / "m.csv")
    assert manifest.table["path"].tolist() == table["path"].tolist()
    assert manifest.sources.tolist() == [tidy(name) for name in names]
