"""Where a request may go: to public addresses, by https, and to the very address that was looked at.

A name may lead anywhere: to the machine itself, to its neighbours, to the addresses by which clouds hand out keys; now,
or a second after somebody has looked. So a name is looked up once a request, and the connection is made to the address
that was found public, with the name for the certificate.
"""

import ipaddress
import socket
from urllib.request import getproxies, proxy_bypass

import httpx

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Forbidden(ValueError):
    """A request is not made, since it would go where none may; the message says why."""


class Misled(Forbidden):
    """A server has answered, and leads where no request may go."""


class NoSuchHost(httpx.ConnectError):
    """A name leads nowhere; the resolver has tried more than once."""


class PublicOnly(httpx.BaseTransport):
    """Sends requests to public addresses alone, a connection a host at a time.

    Where the environment names a proxy (``HTTPS_PROXY``), that one looks names up and connects; a name that leads to a
    private address from here is refused all the same.
    """

    def __init__(self, exempt: str = "") -> None:
        """Of all other addresses, one origin such as ``http://127.0.0.1:8000`` may be asked: the API of tests."""
        self._exempt = exempt
        self._certificates = httpx.create_ssl_context()
        self._transports: dict[str, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            Forbidden: it would go where none may.
            httpx.TransportError: it cannot be sent.
        """
        url = request.url
        if origin(url) == self._exempt:
            return self._transport(self._exempt, None).handle_request(request)
        if url.scheme != "https":
            raise Forbidden(f"{url}: not https")
        if url.userinfo:
            raise Forbidden(f"{url.host}: an address with a name and a password in it")
        proxy = _proxy(url.host)
        if proxy is not None:
            _require_public(_lookup(url.host, url.port or 443), url.host)
            try:
                return self._transport(f"{url.host} by {proxy}", proxy).handle_request(request)
            except httpx.ConnectError as error:
                raise httpx.ConnectError(f"by the proxy at {httpx.URL(proxy).host}: {error}") from error
        found = _lookup(url.host, url.port or 443)
        if not found:
            raise NoSuchHost(f"{url.host}: no such host is known", request=request)
        _require_public(found, url.host)
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=found[0]),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        return self._transport(url.host, None).handle_request(pinned)

    def close(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            transport.close()

    def _transport(self, name: str, proxy: str | None) -> httpx.HTTPTransport:
        # One a host: connections to one address would else be shared by all hosts behind it.
        if name not in self._transports:
            limits = httpx.Limits(max_connections=1)
            try:
                self._transports[name] = httpx.HTTPTransport(
                    verify=self._certificates, trust_env=False, proxy=proxy, limits=limits
                )
            except (ImportError, ValueError) as error:
                raise ValueError(f"the proxy that this environment names cannot be used: {error}") from error
        return self._transports[name]


def origin(url: httpx.URL | str) -> str:
    """Scheme, host and port.

    >>> origin("http://127.0.0.1:8000/v1/images/"), origin("https://api.openverse.org")
    ('http://127.0.0.1:8000', 'https://api.openverse.org:443')
    """
    parts = httpx.URL(url)
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    return f"{parts.scheme}://{host}:{parts.port or {'http': 80, 'https': 443}.get(parts.scheme, 0)}"


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet, whatever form it hides in.

    >>> [is_public(each) for each in ("151.101.1.140", "127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "::1")]
    [True, False, False, False, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        within = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            within = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if within is not None:
            return is_public(str(within))
    return found.is_global and not found.is_multicast and not found.is_reserved


def _lookup(host: str, port: int) -> list[str]:
    """The addresses of a host, the best first; none if there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _require_public(addresses: list[str], host: str) -> None:
    private = [address for address in addresses if not is_public(address)]
    if private:
        named = "" if private[0] == host else f" ({private[0]})"
        raise Forbidden(f"{host}{named}: not an address of the public internet")


def _proxy(host: str) -> str | None:
    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    return None if not proxy or proxy_bypass(host) else proxy
