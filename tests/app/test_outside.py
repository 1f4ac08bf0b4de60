"""What lies between the app and its visitors: proxies believed or not, paths, cookies; and pages elsewhere."""

import asyncio
from pathlib import Path

import pytest

from app.gate import Gate
from app.outside import Outside
from app.place import Place, place
from app.titled import Titled

PLAIN = place("0.0.0.0", accounts=True, behind_proxy="10.0.0.5, 10.1.0.0/16", root_path="/sarees")
ALONE = Place()
BESIDE = place(accounts=True, root_path="/sarees")
"""With a proxy on another machine; for this machine alone; with a proxy on the same machine."""

COOKIE = (b"set-cookie", b"token=1; HttpOnly; Path=/; SameSite=none")


def ask(app, path="/", client="127.0.0.1", server="127.0.0.1", method="GET", headers=None, query=b""):
    """Status, headers and body of an answer, and what had been asked of the app behind; {} if nothing was."""
    headers = {"host": "localhost:7860", **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "/sarees",  # as FastAPI has it
        "client": (client, 50000),
        "server": (server, 7860),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent, seen = [], {}

    async def behind(scope, receive, send):
        seen.update(scope, headers=dict(scope["headers"]))
        await send({"type": "http.response.start", "status": 200, "headers": [COOKIE]})
        await send({"type": "http.response.body", "body": b'<head><base href="./" /></head>"/manifest.json"'})

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(behind)(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(each.get("body", b"") for each in sent[1:]), seen


def outside(where):
    return lambda app: Outside(app, place=where)


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/sarees/gradio_api/upload"])
def test_whether_or_not_a_proxy_takes_the_prefix_off_makes_no_difference(path):
    seen = ask(outside(BESIDE), path)[3]
    assert (seen["path"], seen["raw_path"], seen["root_path"]) == (
        "/gradio_api/upload",
        b"/gradio_api/upload",
        "",
    )


def test_a_prefix_is_taken_off_once_and_as_a_whole():
    for path in ("/sarees/sarees/monitoring", "/sareesmonitoring", "/x/sarees/monitoring"):
        assert ask(outside(BESIDE), path)[3]["path"] not in ("/monitoring", "monitoring")
    status, headers, _, seen = ask(outside(BESIDE), "/sarees", query=b"a=1")
    assert (status, headers[b"location"], seen) == (308, b"/sarees/?a=1", {})


SAID = {
    "x-forwarded-host": "museum.example",
    "x-forwarded-proto": "https",
    "x-forwarded-for": "203.0.113.9, 10.1.2.3",
    "x-gradio-server": "http://evil.example",
}


def test_a_proxy_is_believed():
    seen = ask(outside(PLAIN), client="10.0.0.5", headers=SAID)[3]
    assert seen["headers"] == {b"host": b"museum.example"}
    assert seen["scheme"] == "https"
    assert seen["client"][0] == "203.0.113.9"  # 10.1.2.3 is a proxy, too
    everybody = place("0.0.0.0", accounts=True, behind_proxy="0.0.0.0/0")
    assert ask(outside(everybody), client="10.0.0.5", headers=SAID)[3]["client"][0] == "10.1.2.3"
    invented = {**SAID, "x-forwarded-for": "198.51.100.1, 203.0.113.9"}
    assert ask(outside(PLAIN), client="::ffff:10.0.0.5", headers=invented)[3]["client"][0] == "203.0.113.9"


@pytest.mark.parametrize(("where", "client"), [(ALONE, "127.0.0.1"), (PLAIN, "127.0.0.1"), (BESIDE, "192.0.2.9")])
def test_nobody_else_is_believed(where, client):
    seen = ask(outside(where), client=client, headers=SAID)[3]
    assert (seen["headers"], seen["scheme"], seen["client"][0]) == ({b"host": b"localhost:7860"}, "http", client)


def test_who_would_send_passwords_as_plain_text_is_refused(capsys):
    for _ in range(2):
        status, _, body, seen = ask(outside(PLAIN), client="10.0.0.6", headers=SAID)
        assert (status, seen) == (403, {})
        assert b"for the proxy" in body
    assert "refused 10.0.0.6" in capsys.readouterr().err
    assert ask(outside(PLAIN), client="10.0.0.5", headers={"x-forwarded-proto": "http"})[0] == 403
    assert ask(outside(PLAIN), client="10.0.0.5")[3]["scheme"] == "https"  # it says nothing, but was said to encrypt
    for client, server in (("127.0.0.1", "127.0.0.1"), ("192.0.2.2", "192.0.2.2"), ("::1", "::1")):
        assert ask(outside(PLAIN), "/health", client, server)[0] == 200  # this machine: whoever looks after it
    encrypted = Place("0.0.0.0", certificate=Path("a.pem"), key=Path("a.pem"))
    assert ask(outside(encrypted), client="10.0.0.6")[0] == 200


@pytest.mark.parametrize(
    ("where", "said", "kept"),
    [
        (ALONE, {}, b"Path=/; SameSite=Lax"),
        (BESIDE, {}, b"Path=/sarees; SameSite=Lax"),
        (BESIDE, {"x-forwarded-proto": "https"}, b"Path=/sarees; SameSite=Lax; Secure"),
        (PLAIN, {}, b"Path=/sarees; SameSite=Lax; Secure"),
        (Place(root="https://museum.example"), {}, b"Path=/; SameSite=Lax; Secure"),
    ],
)
def test_cookies_are_for_this_app_alone_and_encrypted(where, said, kept):
    assert ask(outside(where), headers=said)[1][b"set-cookie"] == b"token=1; HttpOnly; " + kept


# --- names, in the gate -----------------------------------------------------------------------------------------------


def gate(local=False, public=""):
    return lambda app: Gate(app, megabytes=1, local=local, public=public)


@pytest.mark.parametrize("host", ["localhost:7860", "LOCALHOST", "127.0.0.1:1", "127.0.0.2", "[::1]:7860", "[::1]"])
def test_names_of_this_machine_are_let_in_where_nobody_logs_in(host):
    assert ask(gate(local=True, public="museum.example"), headers={"host": host})[0] == 200


@pytest.mark.parametrize("host", ["museum.example", "127.0.0.1.example.org", "localhost@evil.example", "[", "::1", ""])
def test_other_names_are_not_and_nobody_can_forward_one(host):
    both = {"host": host, "x-forwarded-host": "localhost"}
    assert ask(gate(local=True, public="museum.example"), headers=both)[0] == 403

    def layers(app):
        return Outside(gate(local=True)(app), place=ALONE)

    assert ask(layers, headers=both)[0] == 403


@pytest.mark.parametrize(
    ("host", "origin", "public", "status"),
    [
        ("museum.example", "https://museum.example", "", 200),
        ("museum.example:8443", "https://museum.example:8443", "", 200),
        ("museum.example", "https://museum.example:8443", "", 200),  # a proxy that sends the name without the port
        ("127.0.0.1:7860", "http://localhost:7860", "", 200),
        ("10.0.0.7:7860", "https://museum.example", "museum.example", 200),  # one that sends its own name for the app
        ("10.0.0.7:7860", "https://museum.example", "", 403),
        ("museum.example", "https://evil.example", "museum.example", 403),
        ("museum.example", "https://other.museum.example", "", 403),
        ("museum.example", "http://localhost:3000", "", 403),
        ("museum.example", "null", "", 403),
        ("127.0.0.1:7860", "https://evil.example", "", 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_elsewhere_may_not_ask(host, origin, public, status, method):
    given, _, body, seen = ask(gate(public=public), method=method, headers={"host": host, "origin": origin})
    assert given == status
    assert bool(seen) == (status == 200)
    assert status == 200 or b"--root-path" in body


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/sarees/"])
def test_every_page_has_a_title_and_asks_nothing_of_the_root(path):
    def layers(app):
        return Outside(gate()(Titled(app, title="Sarees & more")), place=BESIDE)

    body = ask(layers, path)[2]
    assert body.count(b"<title>Sarees &amp; more</title>") == 1
    assert b'<base href="./" /><link rel="icon" href="./favicon.ico">' in body


@pytest.mark.parametrize("path", ["/login", "/sarees/login"])
def test_a_login_that_is_looked_up_is_the_page(path):
    def layers(app):
        return Outside(gate()(app), place=BESIDE)

    status, headers, _, seen = ask(layers, path)
    assert (status, headers[b"location"], seen) == (302, b"./", {})
