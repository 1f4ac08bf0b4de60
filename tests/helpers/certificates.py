"""A certificate that a server of the tests signs itself, made when it is needed."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Signed:
    """A certificate for 127.0.0.1 and localhost, its key, and the key encrypted by "secret"; PEM."""

    certificate: Path
    key: Path
    encrypted: Path


def openssl(*arguments: object) -> None:
    """Have openssl do something; skips the test where it is not installed."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which makes certificates")
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def self_signed(folder: Path) -> Signed:
    """Make one in a folder."""
    signed = Signed(folder / "certificate.pem", folder / "key.pem", folder / "encrypted.pem")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj", "/CN=localhost")
    openssl("req", "-x509", *made, "-addext", names, "-keyout", signed.key, "-out", signed.certificate)
    openssl("pkey", "-in", signed.key, "-aes128", "-passout", "pass:secret", "-out", signed.encrypted)
    return signed
