import socket

import httpx
import pytest

from saree_cosface.gathering import addresses
from saree_cosface.gathering.addresses import Forbidden, PublicOnly, is_public, origin


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)
def test_private_addresses_are_known_in_every_form(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "151.101.1.140", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_known(address):
    assert is_public(address)


def named(monkeypatch, *answers):
    """Makes each look-up of a name answer what comes next, and the last one ever after."""
    left = list(answers)

    def getaddrinfo(host, port, **_):
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def sent(monkeypatch):
    """What would have gone out."""
    requests = []

    def handle(self, request):
        requests.append(request)
        return httpx.Response(200)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return requests


def get(url, exempt=""):
    with httpx.Client(transport=PublicOnly(exempt)) as client:
        return client.get(url)


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch, sent):
    named(monkeypatch, ["151.101.1.140"], ["127.0.0.1"])  # as whoever rebinds a name has it
    get("https://photos.example/a.jpg")
    (request,) = sent
    assert str(request.url) == "https://151.101.1.140/a.jpg"
    assert request.headers["host"] == "photos.example"
    assert request.extensions["sni_hostname"] == "photos.example"


@pytest.mark.parametrize("found", [["127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"]])
def test_a_name_that_leads_to_a_private_address_is_refused(monkeypatch, sent, found):
    named(monkeypatch, found)
    with pytest.raises(Forbidden, match=r"photos\.example .*not an address of the public internet"):
        get("https://photos.example/a.jpg")
    assert sent == []


@pytest.mark.parametrize(
    "url",
    [
        "http://photos.example/a.jpg",
        "https://127.0.0.1/a",
        "https://[::1]/a",
        "https://2130706433/a",
        "https://0x7f.1/a",
        "https://user:word@photos.example/a",
        "http://127.0.0.1:8001/a",
        "http://localhost:8000/a",
        "https://localhost/a",
    ],
)
def test_only_https_to_the_public_and_the_api_of_tests(sent, url):
    with pytest.raises((Forbidden, httpx.ConnectError)):
        get(url, "http://127.0.0.1:8000")
    assert sent == []


def test_the_api_of_tests_is_asked_as_it_is(sent):
    get("http://127.0.0.1:8000/v1/images/", origin("http://127.0.0.1:8000"))
    assert str(sent[0].url) == "http://127.0.0.1:8000/v1/images/"


def test_a_proxy_connects_but_leads_to_no_private_address(monkeypatch, sent):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    named(monkeypatch, ["10.0.0.1"])
    with pytest.raises(Forbidden):
        get("https://photos.example/a.jpg")
    named(monkeypatch, [])  # as behind a proxy that alone knows names
    get("https://photos.example/a.jpg")
    assert str(sent[0].url) == "https://photos.example/a.jpg"


def test_a_proxy_that_cannot_be_used_is_named(monkeypatch, sent):
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.example")
    named(monkeypatch, ["8.8.8.8"])
    with pytest.raises(ValueError, match="proxy that this environment names cannot be used"):
        get("https://photos.example/a.jpg")


def test_a_host_has_a_connection_of_its_own(monkeypatch):
    named(monkeypatch, ["8.8.8.8"])
    transport = PublicOnly()
    seen = []
    monkeypatch.setattr(
        httpx.HTTPTransport, "handle_request", lambda self, request: seen.append(self) or httpx.Response(200)
    )
    with httpx.Client(transport=transport) as client:
        for host in ("one.example", "two.example", "one.example"):
            client.get(f"https://{host}/")
    assert seen[0] is seen[2]
    assert seen[0] is not seen[1]
