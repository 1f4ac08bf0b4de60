import csv
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.gathering.commons import COMMONS
from saree_cosface.gathering.fetching import LARGEST
from saree_cosface.gathering.gather import gather
from saree_cosface.gathering.guest import Guest
from saree_cosface.gathering.ledger import GatheringError, open_ledger
from saree_cosface.gathering.licences import OFFERED
from saree_cosface.gathering.openverse import OPENVERSE
from saree_cosface.taxonomy import load_taxonomy
from tests.helpers.bad_photos import png_header
from tests.helpers.services import Photo, Services, body, encoded, jpeg, said, status, textured

TAXONOMY = load_taxonomy()


def photos(count, craft="Banarasi", **other):
    return [Photo(f"{craft} saree {n}", jpeg(textured(n + 100 * len(craft))), **other) for n in range(count)]


def run(folder, services, *crafts, most=30, licences=OFFERED, of=(OPENVERSE, COMMONS), waited=None):
    waited = [] if waited is None else waited
    with Guest("me@example.org", api=services.address, sleep=waited.append) as guest:
        wanted = [TAXONOMY[craft] for craft in crafts or ("banarasi",)]
        return gather(
            open_ledger(folder),
            wanted,
            per_craft=most,
            services=of,
            licences=licences,
            guest=guest,
            api=services.address,
        )


def manifest(folder):
    return read_manifest(folder / "manifest.csv")


def test_photos_come_with_all_that_their_credit_needs(tmp_path):
    told = photos(2, creator="Asha Rao", licence="by-sa", provider="flickr")
    told += [
        Photo(
            "Banarasi [x](javascript:1) | *", jpeg(textured(5)), creator="=Meera", licence="cc0", services=("commons",)
        )
    ]
    with Services(told) as services:
        gathered = run(tmp_path / "g", services)
    assert gathered.ok
    table = manifest(tmp_path / "g").table
    assert set(table["craft"]) == {"banarasi"}
    assert set(table["basis"]) == {"caption"}
    assert table["source"].tolist() == ["Asha Rao at flickr"] * 2 + ["'=Meera at wikimedia"]
    assert table["licence"].tolist() == ["CC BY-SA 4.0"] * 2 + ["CC0 1.0"]
    assert set(table["public"]) == {"yes"}
    assert table["licence_url"][0] == "https://creativecommons.org/licenses/by-sa/4.0/"
    assert table["landing"][0] == "https://example.org/photos/000000000000"
    for part in ("Banarasi saree 0", "Asha Rao", "CC BY-SA 4.0", table["licence_url"][0], table["landing"][0]):
        assert part in table["credit"][0]
    assert all(file.is_file() for file in manifest(tmp_path / "g").files())
    credits = (tmp_path / "g" / "CREDITS.md").read_text()
    assert "## Banarasi" in credits
    assert "\\[x\\](javascript:1) | \\*" in credits
    assert credits.count("photos/banarasi/") == 3


def test_no_more_than_asked_for_and_the_services_by_turns(tmp_path):
    told = [*photos(40), *photos(40, craft="Banarasi brocade", services=("commons",))]
    with Services(told) as services:
        gathered = run(tmp_path, services, most=25)
    assert gathered.photos == {"banarasi": 25}
    assert len(services.files_asked()) == 25
    found = manifest(tmp_path).table["found_by"]
    assert found.value_counts().to_dict() == {"openverse": 20, "commons": 5}
    assert services.most_at_once == 1


def test_only_licences_that_are_asked_for(tmp_path):
    told = [
        photo for code in ("cc0", "by", "by-nd", "by-nc") for photo in photos(2, craft=f"Banarasi {code}", licence=code)
    ]
    told += photos(
        2,
        craft="Banarasi lying",
        licence="by",
        record={"license_url": "https://creativecommons.org/licenses/by-nd/2.0/"},
    )
    told += photos(2, craft="Banarasi commons nd", licence="by-nd", services=("commons",))
    with Services(told) as services:
        gathered = run(tmp_path, services, licences=["by"])
        assert set(manifest(tmp_path).table["licence"]) == {"CC BY 4.0"}
        assert gathered.photos["banarasi"] == 2
        assert gathered.kinds["licence"] == 4
        assert len(services.files_asked()) == 2
        run(tmp_path, services, licences=["cc0"])  # what was fetched stays, but is not listed
        assert set(manifest(tmp_path).table["licence"]) == {"CC0 1.0"}


BAD = {
    "an error page": (body(b"<!doctype html><html><title>Not here</title>" + b" " * 9000, "text/html"), "not a photo"),
    "another name": (body(b"<svg xmlns='http://www.w3.org/2000/svg'>" + b" " * 100, "image/jpeg"), "not a photo"),
    "a PDF": (body(b"%PDF-1.7 " + b"x" * 100, "application/pdf"), "not a photo"),
    "a video": (body(b"\0\0\0\x20ftypisom" + b"\0" * 5000, "video/mp4"), "not a photo"),
    "nothing": (body(b"", "image/jpeg"), "not a photo"),
    "cut short": (body(jpeg(textured(70))[:3000], "image/jpeg"), "damaged"),
    "less than announced": (body(jpeg(textured(71)), "image/jpeg", Content_Length="99999"), "damaged"),
    "more than announced": (body(jpeg(textured(72)), "image/jpeg", Content_Length="900"), "damaged"),
    "packed": (body(jpeg(textured(73)), "image/jpeg", Content_Encoding="gzip"), "damaged"),
    "tiny": (body(jpeg(textured(74, 40)), "image/jpeg"), "size"),
    "a bomb": (body(png_header(30_000, 30_000), "image/png"), "size"),
    "huge, it says": (body(jpeg(textured(75)), "image/jpeg", Content_Length=str(LARGEST + 1)), "size"),
    "gone": (status(404), "gone"),
    "gone for good": (status(410), "gone"),
    "moved within": (status(302, Location="http://127.0.0.1:1/x.jpg"), "refused address"),
    "moved to a neighbour": (status(302, Location="https://192.168.1.1/x.jpg"), "refused address"),
}


def test_whatever_a_server_gives_only_photos_stay(tmp_path):
    told = [Photo(f"Banarasi {name}", serve=serve) for name, (serve, _) in BAD.items()]
    places = (
        "https://localhost/a.jpg",
        "http://example.org/a.jpg",
        "http://127.0.0.1:1/a.jpg",
        "https://u:p@example.org/a.jpg",
    )
    told += [Photo(f"Banarasi at {n}", record={"url": url}) for n, url in enumerate(places)]
    told += [
        Photo("Banarasi small", record={"width": 50, "height": 900}),
        Photo("Banarasi vast", record={"width": 30_000, "height": 30_000}),
    ]
    told += [
        Photo("Banarasi Ghat at dawn"),
        Photo("Banarasi page", suffix=".pdf", kind="application/pdf", services=("commons",)),
    ]
    with Services([*told, *photos(1)]) as services:
        gathered = run(tmp_path, services)
        asked = len(services.asked)
        assert gathered.photos == {"banarasi": 1}
        kinds = {each.title: each.kind for each in gathered.left["banarasi"]}
        assert {name: kinds[f"Banarasi {name}"] for name in BAD} == {name: kind for name, (_, kind) in BAD.items()}
        assert all(kinds[f"Banarasi at {n}"] == "refused address" for n in range(len(places)))
        assert (kinds["Banarasi small"], kinds["Banarasi vast"], kinds["Banarasi Ghat at dawn"]) == (
            "size",
            "size",
            "excluded word",
        )
        assert kinds["Banarasi page"] == "not a photo"
        assert len(services.files_asked()) == len(set(services.files_asked()))
        assert [path.name for path in tmp_path.rglob("*.jpg")] == [manifest(tmp_path).file(0).name]
        assert list((tmp_path / "incoming").iterdir()) == []
        again = run(tmp_path, services)
        assert len(services.asked) == asked  # all of it is known
    assert again.kinds == gathered.kinds
    assert again.photos == gathered.photos
    assert again.requests == {}


def test_copies_are_kept_once_across_providers_resolutions_and_crafts(tmp_path):
    picture = textured(3, 400)
    half = np.asarray(Image.fromarray(picture).resize((200, 200)))
    told = [
        Photo("Banarasi one", jpeg(picture)),
        Photo("Banarasi same bytes", jpeg(picture), provider="met"),
        Photo("Banarasi half", jpeg(half, 70), provider="rijksmuseum"),
        Photo("Banarasi PNG", encoded(half, "PNG"), services=("commons",), suffix=".png"),
        Photo("Chanderi or so", jpeg(picture)),
        Photo("Chanderi true", jpeg(textured(9))),
    ]
    told.append(Photo("Banarasi one at Commons", path=told[0].path or "/files/1.jpg", services=("commons",)))
    with Services(told) as services:
        gathered = run(tmp_path, services, "banarasi", "chanderi")
        assert gathered.photos == {"banarasi": 1, "chanderi": 1}
        assert gathered.kinds["duplicate"] == 5
        said_of = {each.title: each.reason for each in gathered.left["chanderi"]}
        assert said_of["Chanderi or so"].endswith("found for banarasi")
        assert services.files_asked().count("/files/1.jpg") == 1  # of two services, one original


def test_formats_are_named_by_their_content(tmp_path):
    forms = {"PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif", "AVIF": ".avif"}
    told = [Photo(f"Banarasi {form}", encoded(textured(n), form)) for n, form in enumerate(forms)]
    with Services(told) as services:
        run(tmp_path, services)
    assert sorted(file.suffix for file in manifest(tmp_path).files()) == sorted(forms.values())


def test_a_service_that_changed_is_given_up_and_the_other_goes_on(tmp_path):
    with Services([*photos(2), *photos(2, craft="Banarasi brocade", services=("commons",))]) as services:
        services.before = lambda path: said({"items": []}) if path.startswith("/v1/") else None
        gathered = run(tmp_path, services)
        assert gathered.photos == {"banarasi": 2}
        assert gathered.troubles == ("openverse: results is missing, not a list: has the service changed?",)
        assert not gathered.ok
        assert sum(path.startswith("/v1/") for path in services.asked) == 3
        services.before = lambda path: None
        assert run(tmp_path, services).photos == {"banarasi": 4}  # what was wrong was not kept


def test_a_question_that_is_not_understood_is_passed_over(tmp_path):
    with Services(photos(3, services=("commons",))) as services:
        services.before = lambda path: status(400) if "gcmtitle" in path else None
        gathered = run(tmp_path, services, of=[COMMONS])
    assert gathered.photos == {"banarasi": 3}
    assert len(gathered.troubles) == 1
    assert "answers 400 (Bad Request) to the question" in gathered.troubles[0]


def test_a_quota_ends_the_day_and_the_next_call_goes_on(tmp_path):
    with Services(photos(30)) as services:
        services.before = lambda path: status(429, Retry_After="86400") if "page=2" in path else None
        gathered = run(tmp_path, services, of=[OPENVERSE])
        assert gathered.photos == {"banarasi": 20}
        assert "asks to come back in 24.0 h" in gathered.troubles[0]
        services.before = lambda path: None
        gathered = run(tmp_path, services, of=[OPENVERSE])
    assert gathered.photos == {"banarasi": 30}
    assert len(services.files_asked()) == len(set(services.files_asked())) == 30
    assert services.questions().count(services.questions()[0]) == 1


def test_a_photo_that_cannot_be_had_now_is_asked_for_again_later(tmp_path):
    told = photos(1)
    told += [Photo(f"Banarasi late {n}", jpeg(textured(n)), serve=status(503)) for n in range(5)]
    with Services(told) as services:
        gathered = run(tmp_path, services, of=[OPENVERSE])
        assert gathered.kinds == {"not now": 5}
        assert len(services.files_asked()) == 1 + 3 * 4  # then the host is left alone
        for photo in services.photos:
            photo.serve = None
        assert run(tmp_path, services, of=[OPENVERSE]).photos == {"banarasi": 6}


def test_a_server_that_refuses_is_asked_again_another_day(tmp_path):
    with Services([Photo("Banarasi kept back", serve=status(403)), *photos(1)]) as services:
        gathered = run(tmp_path, services, of=[OPENVERSE])
        assert (gathered.photos, gathered.kinds) == ({"banarasi": 1}, {"refused": 1})
        services.photos[0].serve, services.photos[0].body = None, jpeg(textured(60))
        assert run(tmp_path, services, of=[OPENVERSE]).photos == {"banarasi": 2}


def test_a_craft_of_which_nothing_is_found(tmp_path):
    with Services(photos(1)) as services:
        gathered = run(tmp_path, services, "banarasi", "puanchei")
    assert gathered.photos == {"banarasi": 1, "puanchei": 0}
    assert gathered.ok
    with Services() as services:
        nothing = run(tmp_path / "none", services)
    assert not nothing.ok
    assert not (tmp_path / "none" / "manifest.csv").exists()
    assert nothing.to_json()["manifest"] is None


def test_a_photo_that_somebody_deleted_is_not_wanted(tmp_path):
    with Services(photos(3)) as services:
        run(tmp_path, services, most=2)
        manifest(tmp_path).file(0).unlink()
        gathered = run(tmp_path, services, most=2)
        assert gathered.photos == {"banarasi": 2}
        assert len(services.files_asked()) == len(set(services.files_asked())) == 3


def test_a_manifest_that_somebody_worked_on_is_kept(tmp_path, capsys):
    with Services(photos(3)) as services:
        run(tmp_path, services, most=1)
        run(tmp_path, services, most=2)
        assert not list(tmp_path.glob("manifest-*"))
        edited = (tmp_path / "manifest.csv").read_text() + "mine.jpg,patola\n"
        for number in (1, 2):
            (tmp_path / "manifest.csv").write_text(edited)
            run(tmp_path, services, most=3)
            assert (tmp_path / f"manifest-edited-{number}.csv").read_text() == edited
    assert len(manifest(tmp_path)) == 3
    assert "was edited since it was written here" in capsys.readouterr().err


def test_an_answer_without_end_ends(tmp_path):
    with Services(photos(1, services=("commons",))) as services:
        endless = {"query": {"pages": []}, "continue": {"gsroffset": 1, "continue": "-||"}}
        services.before = lambda path: said(endless) if path.startswith("/w/") else None
        run(tmp_path, services, of=[COMMONS])
        assert len(services.asked) < 50


def test_a_full_disk_loses_nothing(tmp_path, full_disk):
    told = [*photos(2), Photo("Banarasi large", jpeg(textured(50, 900))), Photo("Banarasi last", jpeg(textured(51)))]
    with Services(told) as services:
        with full_disk(20_000), pytest.raises(OSError, match="File too large"):
            run(tmp_path, services, of=[OPENVERSE])
        assert len(open_ledger(tmp_path).entries) == 2
        assert not list((tmp_path / "incoming").iterdir())
        gathered = run(tmp_path, services, of=[OPENVERSE])
        assert gathered.photos == {"banarasi": 4}
        assert services.files_asked() == [services.photos[n].path for n in (0, 1, 2, 2, 3)]
    with (tmp_path / "log.jsonl").open() as log:
        assert all(json.loads(line)["outcome"] == "photo" for line in log)


# --- the folder ---


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(GatheringError, match="holds files that `data gather` did not put there"):
        open_ledger(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(GatheringError, match="is a file"):
        open_ledger(tmp_path / "thesis.txt")


@pytest.mark.parametrize("mark", ["", "{}", "[]", '{"format": 99}'])
def test_a_folder_of_another_version_is_left_alone(tmp_path, mark):
    (tmp_path / "gathering.json").write_text(mark)
    with pytest.raises(GatheringError, match="choose another folder"):
        open_ledger(tmp_path)


def test_a_line_that_was_broken_off_goes_and_a_damaged_one_is_named(tmp_path):
    with Services(photos(3)) as services:
        run(tmp_path, services, of=[OPENVERSE])
        log = tmp_path / "log.jsonl"
        whole = log.read_bytes()
        log.write_bytes(whole[:-40])
        assert len(open_ledger(tmp_path).entries) == 2
        assert log.read_bytes() == b"".join(whole.splitlines(keepends=True)[:2])
        asked = len(services.asked)
        assert run(tmp_path, services, of=[OPENVERSE]).photos == {"banarasi": 3}
        assert len(services.asked) == asked  # its photo had arrived
    log.write_bytes(b"{}\n" + whole)
    with pytest.raises(GatheringError, match=r"log\.jsonl: line 1 is damaged"):
        open_ledger(tmp_path)


def test_a_kept_answer_that_was_spoilt_is_asked_for_again(tmp_path):
    with Services(photos(1)) as services:
        run(tmp_path, services, of=[OPENVERSE])
        for answer in (tmp_path / "answers").iterdir():
            answer.write_text("{")
        before = len(services.questions())
        run(tmp_path, services, of=[OPENVERSE])
        assert len(services.questions()) == 2 * before


def test_what_is_left_out_is_listed_for_people(tmp_path, capsys):
    with Services([Photo("=1+1 Banarasi", serve=status(404)), *photos(1)]) as services:
        gathered = run(tmp_path, services, "banarasi", "puanchei", of=[OPENVERSE])
    gathered.save()
    with (tmp_path / "left_out.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["craft"], row["kind"], row["title"]) == ("banarasi", "gone", "'=1+1 Banarasi")
    gathered.print_table(Console(width=200))
    out = capsys.readouterr().out
    assert "1 photos in" in out
    assert "Nothing was found of Puanchei" in out
    assert "gone" in out
    assert "Requests: " in out
