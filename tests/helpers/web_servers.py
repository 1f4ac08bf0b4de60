"""Web servers that museums have, started for the tests with the very configurations that the documents show."""

import os
import re
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.helpers.certificates import Signed
from tests.helpers.documents import DOCS, blocks

PAGE = DOCS / "how-to" / "serve.md"


class WebServer:
    """nginx or Caddy before a server of this machine, on a port of its own.

    Attributes:
        address: under which the server is shown; ends with a slash.
        strips: whether the server is asked without its prefix.
    """

    strips = False

    def __init__(self, program: str, target: str, signed: Signed, folder: Path) -> None:
        """Begin; skips the test where the program is not installed.

        Args:
            program: "nginx" or "caddy", which is the language of its block, too.
            target: of the server; ends with a slash.
            signed: with which to encrypt.
            folder: for all that it writes.
        """
        started = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
        if started is None:
            pytest.skip(f"needs {program}, for which the documents have a configuration")
        (block,) = (block for block in blocks(PAGE) if block.language == program)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address = f"https://127.0.0.1:{port}/sarees/"
        configuration = folder / program
        text = _replace(block.text, "127.0.0.1:7860", urlsplit(target).netloc)
        if program == "nginx":
            configuration.write_text(_for_nginx(text, port, signed, folder))
            command = [started, "-c", configuration, "-p", folder, "-g", "daemon off; error_log stderr;"]
        else:
            configuration.write_text(_for_caddy(text, port, signed))
            command = [started, "run", "--adapter", "caddyfile", "--config", configuration]
        self._said = folder / "said"
        with self._said.open("w") as said:
            at_home = {**os.environ, "HOME": str(folder)}
            self._process = subprocess.Popen(list(map(str, command)), stdout=said, stderr=said, env=at_home)
        self._wait(port)

    def _wait(self, port: int) -> None:
        end = time.monotonic() + 30
        while self._process.poll() is None and time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.02)
        self.end()
        raise AssertionError(self._said.read_text())

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=30)


def _for_nginx(text: str, port: int, signed: Signed, folder: Path) -> str:
    text = _replace(text, "listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    text = _replace(_replace(text, "/etc/ssl/museum.pem", signed.certificate), "/etc/ssl/museum.key", signed.key)
    kept = "".join(
        f"{name}_temp_path {folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"pid {folder}/pid;\nevents {{}}\nhttp {{ access_log off; {kept}\n{text}}}\n"


def _for_caddy(text: str, port: int, signed: Signed) -> str:
    of_its_own = f"https://127.0.0.1:{port} {{\n    tls {signed.certificate} {signed.key}\n"
    return "{\n    admin off\n    auto_https off\n    grace_period 1s\n}\n" + _replace(
        text, "museum.example {\n", of_its_own
    )


def _replace(text: str, written: str, instead: object) -> str:
    assert len(re.findall(re.escape(written), text)) == 1, f"{PAGE.name} has not once: {written}"
    return text.replace(written, str(instead))
