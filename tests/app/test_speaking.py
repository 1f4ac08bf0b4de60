"""Which language a page is in, and how it gets its words."""

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route

from app import __main__ as command
from app.speaking import COOKIE, fixed, fixed_craft, picker, put_in, spoken
from app.translated import Translated
from saree_cosface.languages.packaged import languages, packaged

HINDI, ENGLISH = packaged()["hi"], packaged()["en"]


def request(query="", cookie="", accept=""):
    asked = {"lang": query} if query else {}
    return SimpleNamespace(
        query_params=asked, cookies={COOKIE: cookie} if cookie else {}, headers={"accept-language": accept}
    )


@pytest.mark.parametrize(
    ("asked", "tag"),
    [
        (request(), "en"),
        (request(accept="hi-IN,hi;q=0.9,en;q=0.8"), "hi"),
        (request(accept="mr-IN,mr;q=0.9"), "en"),
        (request(accept="mr, hi;q=0.7, en;q=0.8"), "en"),
        (request(cookie="en", accept="hi"), "en"),
        (request(cookie="xx", accept="hi"), "hi"),
        (request(query="hi", cookie="en", accept="en"), "hi"),
        (request(query="../../etc", cookie="hi"), "hi"),
        (None, "en"),
    ],
)
def test_the_language_is_that_of_the_address_or_the_choice_or_the_browser(asked, tag):
    assert spoken(packaged(), asked).tag == tag


def test_marks_become_texts_and_others_stay():
    page = f'{{"label":"{fixed("batch.cancel")}","choices":["{fixed_craft("patola")}"],"x":"⟪none.such⟫"}}'
    assert put_in(page, ENGLISH) == '{"label":"Cancel","choices":["Patola"],"x":"⟪none.such⟫"}'
    assert put_in(page, HINDI) == '{"label":"रद्द करें","choices":["पटोला"],"x":"⟪none.such⟫"}'
    assert put_in(fixed("verdict.between", first="a|b=c⟫", second="{shown}"), ENGLISH) == "Between a|b=c⟫ and {shown}"
    hostile = put_in(fixed("verdict.between", first='"<script>', second="\\"), ENGLISH)
    assert hostile == "Between &quot;&lt;script&gt; and &#92;"
    assert put_in(fixed("craft", craft="<script>"), ENGLISH) == fixed("craft", craft="<script>")


def test_the_picker_says_which_is_chosen_and_that_a_machine_made_it():
    shown = picker(packaged())
    assert 'href="?lang=hi" hreflang="hi" lang="hi" aria-current="true">हिन्दी<' in put_in(shown, HINDI)
    assert 'aria-current="false">English<' in put_in(shown, HINDI)
    assert HINDI.note in put_in(shown, HINDI)
    assert '<span class="fine"></span>' in put_in(shown, ENGLISH)
    assert picker({"en": ENGLISH}) == ""


def get(path, **headers):
    async def page(_):
        return HTMLResponse(f'<!doctype html><html lang="en"><head></head><body>{fixed("title")}</body></html>')

    layers = [Middleware(Translated, languages=packaged())]
    app = Starlette(routes=[Route("/", page), Route("/other", page)], middleware=layers)

    async def asked():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(asked())


def test_the_page_is_sent_in_its_language_and_remembers_what_its_address_names():
    answer = get("/", **{"accept-language": "hi"})
    assert '<html lang="hi">' in answer.text
    assert '<body lang="hi">यह साड़ी किस शिल्प की है?</body>' in answer.text
    assert '"language", { value: "hi" }' in answer.text
    assert "set-cookie" not in answer.headers
    answer = get("/?lang=hi")
    assert "यह साड़ी" in answer.text
    assert answer.headers["set-cookie"].startswith(f"{COOKIE}=hi; Path=/; ")
    answer = get("/?lang=xx", cookie=f"{COOKIE}=hi")
    assert "यह साड़ी" in answer.text
    assert "set-cookie" not in answer.headers
    assert '<html lang="en">' in get("/").text
    assert fixed("title") in get("/other").text  # other files are nobody's business


def test_the_command_tells_what_a_file_of_ones_own_lacks_and_refuses_a_bad_one(tmp_path, capsys):
    head = 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\nmsgctxt "batch.cancel"\nmsgid "Cancel"\n'
    (tmp_path / "mr.po").write_text(head + 'msgstr "रद्द करा"\n', encoding="utf-8")
    for language in languages(tmp_path).values():
        command._tell_of_gaps(language)
    said = capsys.readouterr().err
    assert f"mr.po has no text for {len(ENGLISH.texts) - 2} keys, which stay in English: language.name" in said
    assert "hi.po" not in said
    (tmp_path / "mr.po").write_text(head + 'msgstr "{nothing}"\n', encoding="utf-8")
    assert command.main([str(tmp_path), "--languages", str(tmp_path)]) == 1
    assert "mr.po: 'batch.cancel' names {nothing}, which it has not; its values: none." in capsys.readouterr().err
    assert command.main([str(tmp_path), "--languages", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err
