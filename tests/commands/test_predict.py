import csv
import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from saree_cosface.answers import prediction
from saree_cosface.cli import main


@pytest.fixture
def photos(tiny_run, tmp_path):
    """Two photos under names that are awkward to write down, and one that is none."""
    source = tiny_run.gallery.references["path"][0]
    names = ["न" * 80, "साड़ी\n\"'=1+1", "=no photo"]
    paths = [tmp_path / "photos" / f"{name}.jpg" for name in names]
    paths[0].parent.mkdir()
    for path in paths[:2]:
        shutil.copy(source, path)
    paths[2].write_bytes(b"")
    return paths


def call(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code


def lines_of(capsys):
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


@pytest.fixture
def interrupted(monkeypatch):
    """Whoever calls presses Ctrl-C while the third photo is looked at."""
    found = prediction.predict_each

    def some(*arguments, **options):
        for number, answers in enumerate(found(*arguments, **options)):
            if number == 2:
                raise KeyboardInterrupt
            yield answers

    monkeypatch.setattr(prediction, "predict_each", some)


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_what_was_found_before_an_interrupt_is_there(tiny_run, photos, capsys, interrupted, form):
    assert call("predict", tiny_run.folder, *photos, photos[0], "--top", "1", form) == 130
    out = capsys.readouterr().out
    if form == "--json":
        assert [answer["photos"] for answer in json.loads(out)["answers"]] == [[str(photo)] for photo in photos[:2]]
    else:
        assert [row["photos"] for row in csv.DictReader(io.StringIO(out))] == [str(photo) for photo in photos[:2]]


def test_each_answer_is_on_stdout_before_the_next_photo_is_looked_at(tiny_run, photos, capsys, monkeypatch):
    seen = []
    attribute = prediction.attribute

    def watched(*arguments, **options):
        seen.append(len(lines_of(capsys)))
        return attribute(*arguments, **options)

    monkeypatch.setattr(prediction, "attribute", watched)
    call("predict", tiny_run.folder, photos[0], photos[1], "--top", "1", "--csv")
    assert seen == [0, 1]


@pytest.mark.slow
def test_the_document_is_the_one_of_the_answers(tiny_run, photos, capsys):
    for chosen in (photos, photos[2:], photos[:1]):
        call("predict", tiny_run.folder, *chosen, "--json")
        expected = prediction.predict(tiny_run, chosen).to_json()
        assert capsys.readouterr().out == json.dumps(expected, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_name_in_any_locale(tiny_run, photos, tmp_path, capfd, monkeypatch, encoding):
    raw = Path(os.fsdecode(bytes(tmp_path) + b"/\xff.jpg"))  # as files from old computers are called
    shutil.copy(photos[0], raw)
    for form in ("--csv", "--json"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        assert call("predict", tiny_run.folder, photos[1], raw, "--top", "1", form) == 0
        text = stream.buffer.getvalue().decode("utf-8", "surrogateescape")
        if form == "--csv":
            assert [row["photos"] for row in csv.DictReader(io.StringIO(text))] == [str(photos[1]), str(raw)]
        else:
            assert [answer["photos"] for answer in json.loads(text)["answers"]] == [[str(photos[1])], [str(raw)]]


def test_on_one_screen_no_bar_writes_over_the_rows(tiny_run, photos, monkeypatch):
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr("saree_cosface.console.Progress", lambda *_, **__: pytest.fail("a bar was drawn"))
    assert call("predict", tiny_run.folder, photos[0], "--csv") == 0


def test_with_csv_what_was_left_out_is_said_to_people(tiny_run, photos, capsys):
    assert call("predict", tiny_run.folder, *photos, "--csv") == 1
    assert "=no photo.jpg: empty" in " ".join(capsys.readouterr().err.split())
