import io
import json

import openpyxl
import pandas as pd
import pytest
from rich.console import Console

from saree_cosface.data import importing
from saree_cosface.data.importing import import_folder
from saree_cosface.data.manifest import ManifestError
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.spreadsheet_import import import_spreadsheet
from saree_cosface.files import sha256_of
from tests.helpers import bad_photos as bad


def photo(path, seed=0):
    return bad.save(path, bad.textured(80, 60, seed))


def test_a_tree_of_three_depths(tmp_path):
    photos = tmp_path / "my photos"
    photo(photos / "Banarasi Sarees" / "1.png")
    photo(photos / "Banarasi Sarees" / "Shop Ä" / "2.png", 1)
    photo(photos / "patan_patola" / "museum" / "acc. 12" / "3.png", 2)
    photo(photos / "patan_patola" / "museum" / "acc. 12" / "back" / "4.png", 3)
    report = import_folder(photos, tmp_path / "out" / "manifest.csv", source="me")
    assert (report.photos, report.sources) == (4, 3)
    assert report.crafts == {"banarasi": 2, "patola": 2}
    assert report.unknown == {}
    assert report.skipped == ()
    manifest = read_manifest(tmp_path / "out" / "manifest.csv")
    assert manifest.table[["path", "craft", "source", "piece"]].to_numpy().tolist() == [
        ["../my photos/Banarasi Sarees/1.png", "banarasi", "me", ""],
        ["../my photos/Banarasi Sarees/Shop Ä/2.png", "banarasi", "Shop Ä", ""],
        ["../my photos/patan_patola/museum/acc. 12/3.png", "patola", "museum", "patan_patola/museum/acc. 12"],
        ["../my photos/patan_patola/museum/acc. 12/back/4.png", "patola", "museum", "patan_patola/museum/acc. 12/back"],
    ]
    for path, sha256 in zip(manifest.files(), manifest.table["sha256"], strict=True):
        assert sha256_of(path) == sha256


def test_the_source_is_unknown_unless_given(tmp_path):
    photo(tmp_path / "ajrakh" / "1.png")
    import_folder(tmp_path, tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet").sources.tolist() == [""]


def test_what_is_left_out_is_listed(tmp_path):
    good = photo(tmp_path / "ajrakh" / "1.png")
    photo(tmp_path / "organza" / "2.png")
    photo(tmp_path / "banarsee" / "3.png")
    photo(tmp_path / "banarsee" / "4.png")
    loose = photo(tmp_path / "loose.png")
    notes = tmp_path / "ajrakh" / "notes.txt"
    notes.write_text("x")
    backslash = photo(tmp_path / "ajrakh" / "a\\b.png")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    awkward = [make(tmp_path / "ajrakh") for make in bad.BAD]
    report = import_folder(tmp_path, tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv").files() == [good]
    assert set(report.unknown) == {"organza", "banarsee"}
    assert report.unknown_photos == {"organza": 1, "banarsee": 2}
    assert "did you mean banarasi" in report.unknown["banarsee"]
    assert [entry.path for entry in report.skipped] == sorted([loose, notes, backslash, *awkward])
    reasons = {entry.path: entry.reason for entry in report.skipped}
    assert "folder of a craft" in reasons[loose]
    assert "backslash" in reasons[backslash]
    document = json.loads(json.dumps(report.to_json()))
    assert len(document["skipped"]) == len(report.skipped)
    assert document["crafts"] == {"ajrakh": 1}
    assert document["unknown_photos"] == {"organza": 1, "banarsee": 2}
    buffer = io.StringIO()
    report.print_table(Console(file=buffer, width=200))
    assert "Left out, 3 photos, whose labels name no craft (2):" in buffer.getvalue()
    assert "banarsee (2 photos): " in buffer.getvalue()


def test_labels_as_they_are_without_a_taxonomy(tmp_path):
    photo(tmp_path / "Kawung" / "1.png")
    assert import_folder(tmp_path, tmp_path / "m.csv", taxonomy=None).crafts == {"Kawung": 1}


def test_without_a_valid_photo_nothing_is_written(tmp_path):
    bad.truncated(tmp_path)
    (tmp_path / "organza").mkdir()
    photo(tmp_path / "organza" / "1.png")
    with pytest.raises(ManifestError, match=r"(?s)not one valid photo.*organza"):
        import_folder(tmp_path, tmp_path / "out" / "m.csv")
    assert not (tmp_path / "out").exists()
    with pytest.raises(NotADirectoryError):
        import_folder(tmp_path / "nothing", tmp_path / "m.csv")


def test_a_file_that_goes_away_while_it_is_read(tmp_path, monkeypatch):
    def gone(path):
        raise FileNotFoundError(2, "No such file")

    photo(tmp_path / "ajrakh" / "1.png")
    monkeypatch.setattr(importing, "sha256_of", gone)
    with pytest.raises(ManifestError, match="No such file"):
        import_folder(tmp_path, tmp_path / "m.csv")


def sheet_rows(folder):
    for number in range(4):
        photo(folder / "pics" / f"{number}.png", number)
    return [
        {"Image": "pics/0.png", "Tradition": "Banaras silk", "Saree ID": 7.0, "Shop": "A", "License": "CC0", "Year": 1},
        {"Image": "pics\\1.png", "Tradition": "patola", "Saree ID": 8.0, "Shop": None, "License": None, "Year": None},
        {"Image": "pics/2.png", "Tradition": "organza", "Saree ID": None, "Shop": "B", "License": None, "Year": 2},
        {"Image": "pics/9.png", "Tradition": "patola", "Saree ID": None, "Shop": "B", "License": None, "Year": 3},
        {"Image": None, "Tradition": "patola", "Saree ID": None, "Shop": "B", "License": None, "Year": 3},
        {"Image": "pics/3.png", "Tradition": None, "Saree ID": None, "Shop": "B", "License": None, "Year": 3},
        {"Image": "./pics/0.png", "Tradition": "banarasi", "Saree ID": 7, "Shop": "A", "License": "CC0", "Year": 1},
        {"Image": None, "Tradition": None, "Saree ID": None, "Shop": None, "License": None, "Year": None},
    ]


def check_sheet(report, folder, out):
    manifest = read_manifest(out)
    assert manifest.files() == [folder / "pics" / "0.png", folder / "pics" / "1.png"]
    assert manifest.crafts.tolist() == ["banarasi", "patola"]
    assert manifest.piece_names == ["7", "8"]
    assert manifest.sources.tolist() == ["A", "unnamed shop"]
    assert manifest.table["licence"].tolist() == ["CC0", ""]
    assert manifest.table["Year"][0] == 1
    assert set(report.unknown) == {"organza", ""}
    reasons = sorted(entry.reason for entry in report.skipped)
    assert reasons == ["line 6 has no path", "listed more than once; the first row is kept", "no such file"]


def test_a_spreadsheet(tmp_path):
    pd.DataFrame(sheet_rows(tmp_path)).to_excel(tmp_path / "list.xlsx", index=False)
    report = import_spreadsheet(tmp_path / "list.xlsx", tmp_path / "m.csv", source="unnamed shop")
    check_sheet(report, tmp_path, tmp_path / "m.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_sheet_saved_as_csv(separator, encoding, tmp_path):
    text = pd.DataFrame(sheet_rows(tmp_path)).to_csv(index=False, sep=separator, lineterminator="\r\n")
    (tmp_path / "list.csv").write_bytes(
        text.replace("7.0", "7").replace("8.0", "8").replace("1.0", "1").encode(encoding)
    )
    report = import_spreadsheet(tmp_path / "list.csv", tmp_path / "m.csv", source="unnamed shop")
    check_sheet(report, tmp_path, tmp_path / "m.csv")


def test_a_column_of_the_very_name_wins(tmp_path):
    photo(tmp_path / "0.png")
    (tmp_path / "list.csv").write_text("path,file name,craft,type\n0.png,x,patola,saree\n")
    import_spreadsheet(tmp_path / "list.csv", tmp_path / "m.csv", taxonomy=None)
    manifest = read_manifest(tmp_path / "m.csv")
    assert manifest.table["file name"].tolist() == ["x"]
    assert manifest.table["type"].tolist() == ["saree"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("name,label\nx,patola\n", "no column for the path among name, label; head it with one of: path, image"),
        ("image,colour\nx,red\n", "no column for the craft"),
        ("image,photo,craft\nx,y,patola\n", "several columns for the path"),
        ("image,craft,a,a\nx,patola,1,2\n", "header repeats a"),
        ("image,craft\nx,y,patola\n", "line 2 has 3 fields and the header 2; put a value that holds a ','"),
        ("sep=;\nimage;craft\nx;y;patola\n", "line 3 has 3 fields and the header 2; put a value that holds a ';'"),
        ('image,craft\n"x,patola\n', "line 2 cannot be parted into fields"),
        ("image,craft\nx,patola\nimage,craft\ny,wool\n\ncraft,photo\npatola,z\n", "line 6 is another header"),
        ("image,craft\nnothing.jpg,patola\n", "not one valid photo"),
        ("image|craft\nx.jpg|patola\n", "no column for the path.*must be parted by commas, semicolons or tabs"),
        ('image,craft\nx.jpg,"patola\ny.jpg,ikat\n"z.jpg,ikat\n', "line 2 cannot be parted"),
        (
            'image,craft,note\nx.jpg,patola,"6 in\ny.jpg,ikat,\nz.jpg,ikat,6 in"\n',
            "line 2 has other rows within one field",
        ),
        ("image,craft\nx\0.jpg,patola\n", "holds NUL characters"),
    ],
)
def test_wrong_sheets(text, message, tmp_path):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ManifestError, match=rf"list\.csv: .*{message}"):
        import_spreadsheet(tmp_path / "list.csv", tmp_path / "m.csv")
    assert not (tmp_path / "m.csv").exists()


def test_files_that_are_no_sheets(tmp_path):
    with pytest.raises(ManifestError, match="cannot be read"):
        import_spreadsheet(tmp_path / "none.csv", tmp_path / "m.csv")
    (tmp_path / "bad.xlsx").write_bytes(b"not a workbook")
    with pytest.raises(ManifestError, match="not a readable workbook"):
        import_spreadsheet(tmp_path / "bad.xlsx", tmp_path / "m.csv")
    (tmp_path / "latin.csv").write_bytes("image,craft\nà,patola".encode("latin-1"))
    with pytest.raises(ManifestError, match="line 2 is not UTF-8"):
        import_spreadsheet(tmp_path / "latin.csv", tmp_path / "m.csv")
    with pytest.raises(ManifestError, match=r"must be \.xlsx or \.csv"):
        import_spreadsheet(tmp_path / "list.ods", tmp_path / "m.csv")


def test_a_sheet_is_never_written_over(tmp_path):
    photo(tmp_path / "0.png")
    sheet = tmp_path / "manifest.csv"
    sheet.write_text("image,craft\n0.png,patola\n")
    with pytest.raises(ManifestError, match="is the table itself.*--out"):
        import_spreadsheet(sheet, tmp_path / "x" / ".." / "manifest.csv")
    assert sheet.read_text() == "image,craft\n0.png,patola\n"


def test_folders_of_blanks_come_back(tmp_path):
    files = [photo(tmp_path / " Banarasi" / "1.png"), photo(tmp_path / "Patola " / " NA" / "2.png", 1)]
    import_folder(tmp_path, tmp_path / "m.csv")
    manifest = read_manifest(tmp_path / "m.csv")
    assert manifest.files() == files
    assert manifest.sources.tolist() == ["", "NA"]


def test_the_ways_in_which_cells_name_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    composed, decomposed = "caf\u00e9.png", "cafe\u0301 2.png"
    for number, name in enumerate((composed, decomposed, "a b.png", " x.png", "in\\it.png", "home.png")):
        photo(tmp_path / "pics" / name, number)
    cells = ("pics/cafe\u0301.png", "pics/caf\u00e9 2.png", (tmp_path / "pics" / "a b.png").as_uri(), "pics/ x.png")
    cells += ("pics\\in\\it.png", "~/pics/home.png", "pics/a b.png ", "https://shop.example/1.jpg")
    (tmp_path / "list.csv").write_text("image,craft\n" + "".join(f"{cell},patola\n" for cell in cells))
    report = import_spreadsheet(tmp_path / "list.csv", tmp_path / "m.csv")
    expected = [composed, decomposed, "a b.png", " x.png", "home.png"]
    assert [file.name for file in read_manifest(tmp_path / "m.csv").files()] == expected
    reasons = sorted(entry.reason for entry in report.skipped)
    assert reasons == [
        "a web address; give the path of a file",
        "listed more than once; the first row is kept",
        "no such file",
    ]


def workbook(path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return book


def test_a_workbook_of_several_sheets(tmp_path):
    for number in range(5):
        photo(tmp_path / f"{number}.png", number)
    book = workbook(
        tmp_path / "list.xlsx",
        {
            "About": [["Our collection"], [], ["x", "y"]],
            "Silk": [
                ["Sarees of silk"],
                [],
                [None, "Photo", "Craft", "Object", "Shop"],
                [None, "0.png", "patola", 7, "NA"],
            ],
            "Cotton": [
                ["craft", "photo", "year"],
                ["jamdani", "1.png", 1990],
                [None, "2.png", None],
                [None, None, None],
            ],
            "Old": [["photo", "craft"], ["4.png", "patola"]],
        },
    )
    book["Silk"].merge_cells("A1:E1")
    book["Silk"]["D4"].number_format = "0000"
    book["Cotton"].merge_cells("A2:A3")
    book["Cotton"].append(["wool", "3.png", "#N/A"])
    book["Cotton"]["C5"].data_type = "e"
    book["Old"].sheet_state = "hidden"
    book.save(tmp_path / "list.xlsx")
    report = import_spreadsheet(tmp_path / "list.xlsx", tmp_path / "m.csv")
    table = read_manifest(tmp_path / "m.csv").table
    assert table[["path", "craft", "piece", "source"]].to_numpy().tolist() == [
        ["0.png", "patola", "0007", "NA"],
        ["1.png", "jamdani", "", ""],
        ["2.png", "jamdani", "", ""],
    ]
    assert report.unknown_photos == {"wool": 1}
    assert [entry.reason for entry in report.skipped] == [
        "the sheet 'About' has no header that names photo and craft, and was not read",
        "the sheet 'Old' is hidden, and was not read",
    ]


def test_a_note_of_several_lines_is_a_note(tmp_path):
    for row in range(2):
        photo(tmp_path / f"{row}.png", row)
    rows = ['0.png,patola,"bought in Patan,\nsilk, red, 1.2 m, see 1.png"', "1.png,patola,"]
    (tmp_path / "list.csv").write_text("\n".join(["image,craft,note", *rows]))
    import_spreadsheet(tmp_path / "list.csv", tmp_path / "m.csv")
    assert len(read_manifest(tmp_path / "m.csv")) == 2


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32"])
def test_text_of_another_width_is_named(encoding, tmp_path):
    (tmp_path / "list.csv").write_bytes("image,craft\nx.png,patola\n".encode(encoding))
    with pytest.raises(ManifestError, match="UTF-16 or UTF-32; save the table as"):
        import_spreadsheet(tmp_path / "list.csv", tmp_path / "m.csv")


def test_cells_as_a_workbook_shows_them(tmp_path, capsys):
    """Ends of lines are escaped in it, numbers have their format, rows may be filtered out, cells lie far away."""
    for row in range(3):
        photo(tmp_path / f"{row}.png", row)
    rows = [["\u200bphoto", "craft", "shop", "object"]]
    rows += [[f"{row}.png", "patola", shop, row + 7] for row, shop in enumerate(("Asha", "Asha_x000D_\n", "Meera"))]
    book = workbook(tmp_path / "list.xlsx", {"Silk": rows})
    sheet = book["Silk"]
    for row in (2, 3, 4):
        sheet.cell(row, 4).number_format = '"PAT-"000'
    sheet.row_dimensions[3].hidden = True
    sheet.cell(1_048_576, 16_384).fill = openpyxl.styles.PatternFill("solid", "FFFF00")
    book.save(tmp_path / "list.xlsx")
    import_spreadsheet(tmp_path / "list.xlsx", tmp_path / "m.csv")
    table = read_manifest(tmp_path / "m.csv").table
    assert table["source"].tolist() == ["Asha", "Asha", "Meera"]
    assert table["piece"].tolist() == ["PAT-007", "PAT-008", "PAT-009"]
    assert "sheet 'Silk': hidden or filtered out, and read all the same: row 3" in " ".join(
        capsys.readouterr().err.split()
    )


def test_workbooks_without_a_table(tmp_path):
    out = tmp_path / "m.csv"
    workbook(tmp_path / "list.xlsx", {"One": [], "Two": [["photo", "colour"], ["x.png", "red"]]})
    with pytest.raises(ManifestError, match="list.xlsx, sheet 'Two': no column for the craft among photo, colour"):
        import_spreadsheet(tmp_path / "list.xlsx", out)
    workbook(tmp_path / "empty.xlsx", {"One": []})
    with pytest.raises(ManifestError, match="empty.xlsx: holds no text"):
        import_spreadsheet(tmp_path / "empty.xlsx", out)
    workbook(tmp_path / "list.xlsx", {"One": [["photo", "craft"], ['=A1&".png"', "patola"]]})
    with pytest.raises(ManifestError, match="sheet 'One': the formula in A2 has no result; open the workbook"):
        import_spreadsheet(tmp_path / "list.xlsx", out)
    workbook(tmp_path / "list.xlsx", {"One": [["photo", "craft"], [None, "patola"], ["gone.png", "patola"]]})
    with pytest.raises(ManifestError, match=r"(?s)list.xlsx, sheet 'One': line 2 has no path"):
        import_spreadsheet(tmp_path / "list.xlsx", out)
