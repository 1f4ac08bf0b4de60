"""Where the app is reached: what is refused before a model is loaded, and why."""

import socket
from pathlib import Path

import pytest

from app import __main__ as command
from app.accounts import hash_of
from app.place import Place, free_port, place
from app.serving import opened_at
from tests.helpers.certificates import openssl, self_signed


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("signed"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1", "[::1]"])
def test_this_machine_alone_needs_nothing(host):
    assert place(host).local
    assert place(host).proxies == ()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "192.0.2.7", "0", "2001:db8::7", "::ffff:192.0.2.7"])
def test_the_network_needs_accounts_and_encryption(host):
    with pytest.raises(ValueError, match=r"--auth FILE.* and --tls-certificate FILE and --tls-key FILE, or --behind-p"):
        place(host)
    with pytest.raises(ValueError, match="needs --auth FILE, or everybody could use the app.$"):
        place(host, behind_proxy="10.0.0.5")
    with pytest.raises(ValueError, match="needs --tls-certificate FILE and .* plain text.$"):
        place(host, accounts=True)
    assert not place(host, accounts=True, behind_proxy="10.0.0.5").local


def test_the_network_is_let_in_encrypted(signed):
    found = place("0.0.0.0", accounts=True, certificate=signed.certificate, key=signed.key)
    assert not found.local
    assert found.encrypted
    assert found.proxies == ()  # nobody is believed what proxies say
    with pytest.raises(ValueError, match="--auth"):
        place("0.0.0.0", certificate=signed.certificate, key=signed.key)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"behind_proxy": "127.0.0.1"}, "--behind-proxy 127.0.0.1 needs --auth FILE"),
        ({"behind_proxy": "nginx", "accounts": True}, "give addresses such as"),
        ({"behind_proxy": "10.0.0.1/8", "accounts": True}, "host bits"),
        ({"host": "no.such.name.invalid"}, "no name that this machine knows"),
        ({"host": "fe80::1%eth0"}, "no address"),
        ({"host": ""}, "no address"),
        ({"certificate": Path("a.pem")}, "--tls-key is missing"),
        ({"key": Path("a.pem")}, "--tls-certificate is missing"),
        ({"root_path": "sarees"}, "--root-path sarees: give a path such as /sarees"),
        ({"root_path": "/a/../b"}, "give a path"),
        ({"root_path": "//museum.example"}, "give a path"),
        ({"root_path": "/sarees?x=1"}, "give a path"),
        ({"root_path": "/<b>"}, "give a path"),
        ({"root_path": "ftp://museum.example/"}, "give a path"),
        ({"root_path": "https://asha@museum.example/"}, "give a path"),
        ({"root_path": "https://museum.example:x/"}, "give a path"),
        (
            {"host": "0.0.0.0", "accounts": True, "behind_proxy": "10.0.0.5", "root_path": "http://museum.example"},
            "begin with https://",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        place(**options)


@pytest.mark.parametrize(
    ("given", "prefix", "public"),
    [
        ("", "", None),
        ("/", "", None),
        ("/sarees/", "/sarees", None),
        ("/textiles/sarees", "/textiles/sarees", None),
        ("https://Museum.example/sarees/", "/sarees", "museum.example"),
        ("https://museum.example:8443", "", "museum.example"),
    ],
)
def test_the_root_is_a_path_or_an_address(given, prefix, public):
    found = place(root_path=given)
    assert (found.prefix, found.public) == (prefix, public)
    assert found.encrypted == given.startswith("https")


def test_a_proxy_on_this_machine_needs_no_naming_where_people_log_in():
    assert [str(each) for each in place(accounts=True).proxies] == ["127.0.0.0/8", "::1/128"]
    assert [str(each) for each in place(accounts=True, behind_proxy="::1, 10.0.0.0/24").proxies] == [
        "::1/128",
        "10.0.0.0/24",
    ]


def test_certificates_that_cannot_serve_are_refused(signed, tmp_path):
    def refused(reason, certificate=signed.certificate, key=signed.key):
        with pytest.raises(ValueError, match=reason):
            place(certificate=certificate, key=key)

    other = self_signed(tmp_path)
    refused(r"--tls-key .*key.pem: is not the key of .*certificate.pem", key=other.key)
    refused(r"--tls-key .*: is encrypted, .*openssl pkey -in .*encrypted.pem -out FILE", key=signed.encrypted)
    refused(r"--tls-certificate .*none: cannot be read \(No such file", certificate=tmp_path / "none")
    refused(r"--tls-key .*: cannot be read \(Is a directory", key=tmp_path)
    refused(r"--tls-key .*certificate.pem: holds none in PEM.*-----BEGIN PRIVATE KEY-----", key=signed.certificate)
    openssl("x509", "-in", signed.certificate, "-outform", "der", "-out", tmp_path / "der")
    refused(r"--tls-certificate .*der: holds none in PEM.*-----BEGIN CERTIFICATE-----", certificate=tmp_path / "der")
    cut = tmp_path / "cut.pem"
    cut.write_text(signed.certificate.read_text()[:200])
    refused(r"cut.pem with .*key.pem: cannot be used", certificate=cut)


def test_ports_are_found_or_said_to_be_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(OSError, match=f"--port {taken} is taken by another program"):
            free_port(Place(port=taken))
    assert free_port(Place(port=taken)) == taken
    assert free_port(Place()) in range(7860, 7960)
    with pytest.raises(OSError, match="--host 192.0.2.77: .*give an address of this machine"):
        free_port(Place("192.0.2.77"))
    with pytest.raises(OSError, match="from 1024 to 65535"):
        free_port(Place(port=70000))


def test_what_to_open_is_said():
    pem = Path("a.pem")
    assert opened_at(Place("::1", root="/sarees"), 8000).startswith("Open http://[::1]:8000/sarees/ in a browser;")
    said = opened_at(Place("0.0.0.0", certificate=pem, key=pem), 8000)
    assert said.startswith("Open https://localhost:8000/, or the like under a name of this machine,")
    said = opened_at(Place("10.0.0.7", root="https://museum.example/sarees"), 8000)
    assert said.startswith(
        "Open https://museum.example/sarees/ in a browser, which its proxy fetches from http://10.0.0.7"
    )
    assert opened_at(Place("0.0.0.0", root="/sarees"), 8000).startswith("Open /sarees/ at its proxy")


def test_the_command_refuses_before_it_loads_a_model(tmp_path, capsys, signed):
    accounts = tmp_path / "accounts"
    accounts.write_text(f"asha:{hash_of('nine looms')}\n")
    encrypted = ["--tls-certificate", signed.certificate, "--tls-key", signed.encrypted]
    for arguments, reason in (
        (["--host", "0.0.0.0"], "--auth FILE"),
        (["--host", "0.0.0.0", "--auth", accounts], "--behind-proxy ADDRESS"),
        (["--host", "0.0.0.0", "--auth", accounts, *encrypted], "is encrypted"),
        (["--root-path", "sarees"], "give a path"),
    ):
        assert command.main([str(tmp_path / "no run"), *map(str, arguments)]) == 1
        said = capsys.readouterr().err
        assert reason in said
        assert "no run" not in said
