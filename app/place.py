"""Where the app is reached: on which address of this machine, how passwords stay private, and under which path."""

import errno
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from .certificate import check_certificate

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

LOOPBACK = "127.0.0.1"
_THIS_MACHINE: Networks = (ip_network("127.0.0.0/8"), ip_network("::1"))
PORTS = range(7860, 7960)
"""Tried in this order where no port is named."""

_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[\w.~-]+)+", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Where the app is reached.

    Attributes:
        host: the address that it is bound to, in digits.
        port: the first free one from 7860 when None.
        certificate, key: files with which the app itself encrypts; None if it does not.
        proxies: from where reverse proxies ask, which are believed what they say of a visitor.
        root: the address or the path under which a proxy shows the app, without a slash at its end; "" for neither.
    """

    host: str = LOOPBACK
    port: int | None = None
    certificate: Path | None = None
    key: Path | None = None
    proxies: Networks = ()
    root: str = ""

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return ip_address(self.host).is_loopback

    @property
    def named(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def prefix(self) -> str:
        """The path under which a proxy shows the app; "" if that is its own root."""
        return urlsplit(self.root).path

    @property
    def public(self) -> str | None:
        """The name of the server that shows the app, where it is known."""
        return urlsplit(self.root).hostname

    @property
    def encrypted(self) -> bool:
        """Whether whatever comes from elsewhere is encrypted on its way."""
        return self.certificate is not None or not self.local or self.root.startswith("https:")


def place(
    host: str = LOOPBACK,
    port: int | None = None,
    *,
    accounts: bool = False,
    certificate: Path | None = None,
    key: Path | None = None,
    behind_proxy: str = "",
    root_path: str = "",
) -> Place:
    """Where the app is reached, by the options of its command.

    Args:
        host: address or name of this machine.
        port: on it.
        accounts: whether people have to log in.
        certificate: of the server, and what it was signed with up to the root; PEM.
        key: of the certificate, not encrypted; PEM.
        behind_proxy: addresses and networks of reverse proxies, with commas between them. Where people have to log in
            to an app that only this machine reaches, a proxy on it need not be named.
        root_path: path or address under which a proxy shows the app.

    Raises:
        ValueError: others would be let in without a password, or passwords would travel as plain text; or an option
            cannot be what it says.
    """
    found = Place(_digits(host), port, certificate, key, _networks(behind_proxy), _root(root_path))
    if (certificate is None) != (key is None):
        missing = "--tls-certificate" if certificate is None else "--tls-key"
        raise ValueError(f"{missing} is missing: to encrypt, the app needs a certificate and its key.")
    needs = []
    if not accounts and not found.local:
        needs.append("--auth FILE, or everybody could use the app")
    elif not accounts and found.proxies:
        needs.append("--auth FILE, or everybody whom the proxy lets through could use the app")
    if not found.local and certificate is None and not found.proxies:
        needs.append(
            "--tls-certificate FILE and --tls-key FILE, or --behind-proxy ADDRESS of a reverse proxy that encrypts, or "
            "passwords would travel as plain text"
        )
    if needs:
        asked = f"--host {host}" if not found.local else f"--behind-proxy {behind_proxy}"
        raise ValueError(f"{asked} needs {'; and '.join(needs)}.")
    if not found.local and found.root.startswith("http:"):
        raise ValueError(f"--root-path {root_path}: passwords would travel as plain text; let it begin with https://.")
    if certificate is not None and key is not None:
        check_certificate(certificate, key)
    if found.local and accounts and not found.proxies:
        return replace(found, proxies=_THIS_MACHINE)  # a page elsewhere could say the same, but cannot log in
    return found


def _digits(host: str) -> str:
    bare = host.strip().removeprefix("[").removesuffix("]")
    try:
        return str(ip_address(bare if "%" not in bare else "x"))
    except ValueError:
        pass
    try:
        return socket.gethostbyname(bare or "?")
    except (OSError, UnicodeError) as error:
        raise ValueError(
            f"--host {host}: no address, and no name that this machine knows; give an address of it, or 0.0.0.0."
        ) from error


def _networks(named: str) -> Networks:
    try:
        return tuple(ip_network(each.strip()) for each in named.split(",") if each.strip())
    except ValueError as error:
        raise ValueError(
            f"--behind-proxy {named}: {error}; give addresses such as 10.0.0.5, or networks such as 10.0.0.0/24, with "
            "commas between them."
        ) from error


def _root(named: str) -> str:
    root = named.rstrip("/")
    try:
        parts = urlsplit(root)
        whole = f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else parts.path
        fits = whole == root and bool(not parts.path or _PATH.fullmatch(parts.path))
        if parts.netloc:
            server = parts.hostname is not None and "@" not in parts.netloc and parts.port != 0
            fits = fits and parts.scheme in ("http", "https") and server
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"--root-path {named}: give a path such as /sarees, or the whole address such as "
            "https://museum.example/sarees."
        )
    return root


def free_port(wanted: Place) -> int:
    """The port of a place, or the first free one.

    Raises:
        OSError: it is taken, or all are; or the address is not one of this machine.
    """
    for port in PORTS if wanted.port is None else (wanted.port,):
        try:
            for host in dict.fromkeys((LOOPBACK, wanted.host)):  # gradio wants it to be free on the first, too
                with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
                    tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if tried.family == socket.AF_INET6:
                        tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    tried.bind((host, port))
            return port
        except PermissionError as error:
            raise OSError(f"--port {port}: this user may not use it; give one from 1024 on.") from error
        except OverflowError as error:
            raise OSError(f"--port {port}: give one from 1024 to 65535.") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise OSError(f"--host {wanted.host}: {error.strerror}; give an address of this machine.") from error
    tried_all = f"--port {wanted.port} is" if wanted.port is not None else f"the ports {PORTS[0]} to {PORTS[-1]} are"
    raise OSError(f"{tried_all} taken by another program; give another --port.")


def within(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether an address lies in one of some networks; False for what is no address.

    >>> within("10.0.0.5", [ip_network("10.0.0.0/24")]), within("::ffff:10.0.0.5", [ip_network("10.0.0.5")])
    (True, True)
    >>> within("10.0.1.5", [ip_network("10.0.0.0/24")]), within("unix:", [ip_network("0.0.0.0/0")])
    (False, False)
    """
    try:
        found = as_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)


def as_address(text: str) -> Address:
    """An address, one of IPv4 also where it is written as one of IPv6.

    Raises:
        ValueError: it is none.
    """
    found = ip_address(text)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
