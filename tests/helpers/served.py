"""The app, served by its command for the tests, and what a browser or a program says to it."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]

PLAIN = False
"""Nothing is encrypted, so no certificates are read for a request, which would take longer than the answer."""


class Served:
    """The app on a port of its own, in a folder of temporary files of its own.

    Attributes:
        address: ends with a slash.
        temporary: where its temporary files are.
        said: what it wrote to stderr.
    """

    def __init__(self, temporary: Path, *arguments: object) -> None:
        self.temporary, self.arguments, self.said = temporary, arguments, []
        with socket.create_server(("127.0.0.1", 0)) as free:  # and again after a restart, as a browser remembers it
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        """Start it; again, once it was ended."""
        environment = {**os.environ, "TMPDIR": str(self.temporary), "SAREE_COSFACE_THREADS": "1", "COLUMNS": "200"}
        environment.pop("GRADIO_TEMP_DIR", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "saree_cosface", "app", *map(str, self.arguments), "--port", str(self.port)],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"Open (http://127\.0\.0\.1:\d+/)", line):
                self.address = found[1]
                break
        else:
            raise AssertionError("the app did not start:\n" + "".join(self.said))
        # Read on, or the app would wait once the pipe is full.
        self._reader = threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True)
        self._reader.start()

    def end(self) -> None:
        """End it as a user would; it must leave nothing behind."""
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0
        self._reader.join(timeout=10)
        assert not list(self.temporary.glob("saree-uploads-*"))

    def files(self) -> list[Path]:
        """What uploads have left, examples aside."""
        folders = (os.walk(folder) for folder in self.temporary.glob("saree-uploads-*/*"))  # some go meanwhile
        every = (Path(folder, name) for walked in folders for folder, _, names in walked for name in names)
        return [file for file in every if "examples" not in file.parts]

    def get(self, path: str = "", **options: object) -> httpx.Response:
        """Ask for a path by plain HTTP."""
        return httpx.get(self.address + path, verify=PLAIN, **options)

    def post(self, path: str, **options: object) -> httpx.Response:
        """Send something to a path."""
        return httpx.post(self.address + path, verify=PLAIN, **options)

    def upload(self, *photos: Path | tuple[str, bytes], **options: object) -> list[str]:
        """Upload files, or names with their content; the paths by which a call names them."""
        named = [(photo.name, photo.read_bytes()) if isinstance(photo, Path) else photo for photo in photos]
        files = [("files", each) for each in named]
        response = self.post("gradio_api/upload", files=files, timeout=120, **options)
        response.raise_for_status()
        return response.json()

    def call(self, name: str, *data: object, timeout: float = 120) -> tuple[str, object]:
        """Call an end-point by plain HTTP: ("complete", its answer) or ("error", what was said)."""
        begun = self.post(f"gradio_api/call/{name}", json={"data": list(data)}, timeout=timeout)
        if begun.status_code != 200:
            return "error", begun.json()
        event = ""
        url = f"{self.address}gradio_api/call/{name}/{begun.json()['event_id']}"
        with httpx.stream("GET", url, timeout=timeout, verify=PLAIN) as stream:
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event in ("complete", "error"):
                    found = json.loads(line.removeprefix("data: "))
                    return event, found[0] if event == "complete" else found
        raise AssertionError("no answer came")


def as_files(paths: list[str], *names: str) -> list[dict[str, object]]:
    """Uploaded files as a call names them."""
    shown = names or [Path(path).name for path in paths]
    return [
        {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        for path, name in zip(paths, shown, strict=True)
    ]
