"""A stand-in for a hub of models, on this machine: the few answers that huggingface_hub asks for when a run is pushed
or pulled. It keeps its repositories in memory, and lets whoever bears a token in."""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_asha"


@dataclass
class Repository:
    """A repository; its files by commit, the newest last."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def commit(self, files):
        name = hashlib.sha1(f"{len(self.commits)}".encode()).hexdigest()
        self.commits[name] = dict(files)
        return name

    @property
    def files(self):
        return next(reversed(self.commits.values()), {})

    def named(self, revision):
        return next(reversed(self.commits), None) if revision == "main" else revision


class Hub(ThreadingHTTPServer):
    """The server, and what was asked of it."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.repositories: dict[str, Repository] = {}
        self.asked: list[str] = []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def hold(self, name, files, **facts):
        repository = self.repositories.setdefault(name, Repository(**facts))
        repository.commit({".gitattributes": b"*.safetensors filter=lfs", **files})
        return repository


class Answers(BaseHTTPRequestHandler):
    """What a hub answers, as far as it is asked here."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._read()

    def do_HEAD(self):
        self._read()

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"] or 0))
        path = self._path()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._refuse(401, "")
        if path[:2] == ["api", "validate-yaml"]:
            return self._json({"errors": [], "warnings": []})
        if path[:3] == ["api", "repos", "create"]:
            wish = json.loads(content)
            name = f"{wish['organization']}/{wish['name']}"
            private = wish.get("private") or wish.get("visibility") == "private"
            self.server.hold(name, {}, private=bool(private))
            return self._json({"url": f"{self.server.address}/{name}"})
        repository = self.server.repositories["/".join(path[2:4])]
        if path[4] == "preupload":
            asked = json.loads(content)["files"]
            return self._json({"files": [{**each, "uploadMode": "regular", "shouldIgnore": False} for each in asked]})
        assert path[4] == "commit"
        files = dict(repository.files)
        for line in map(json.loads, content.splitlines()):
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "deletedFile":
                del files[line["value"]["path"]]
        name = repository.commit(files)
        return self._json(
            {"commitUrl": f"{self.server.address}/{'/'.join(path[2:4])}/commit/{name}", "commitOid": name}
        )

    def _path(self):
        path = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        self.server.asked.append("/".join(path))
        return path

    def _read(self):
        path = self._path()
        about = path[0] == "api"
        name = "/".join(path[2:4] if about else path[:2])
        repository = self.server.repositories.get(name)
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repository is None or (repository.private and not allowed):
            return self._refuse(404 if allowed else 401, "RepoNotFound")
        rest = path[4:] if about else path[2:]
        commit = repository.named(rest[1] if len(rest) > 1 else "main")
        if commit not in repository.commits:
            return self._refuse(404, "RevisionNotFound")
        files = repository.commits[commit]
        if not about:
            content = files["/".join(rest[2:])]
            headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
            return self._send(200, content, headers)
        if rest and rest[0] == "tree":
            oid = {file: hashlib.sha1(content).hexdigest() for file, content in files.items()}
            return self._json(
                [{"type": "file", "path": file, "size": len(files[file]), "oid": oid[file]} for file in files]
            )
        siblings = [{"rfilename": file} for file in files]
        return self._json({"id": name, "private": repository.private, "sha": commit, "siblings": siblings})

    def _json(self, value):
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status, code):
        self._send(status, b"{}", {"X-Error-Code": code, "Content-Type": "application/json"})

    def _send(self, status, content, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def serve_hub():
    """A hub, for as long as this context lasts."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
