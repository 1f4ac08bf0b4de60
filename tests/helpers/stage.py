"""Where the commands of the documents are typed: what their reader has by then, and what stands in for what a test has
not, such as services of others, a second machine, an index of packages and hours."""

import os
import re
import shutil
import signal
import site
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml
from huggingface_hub import constants

from saree_cosface.curation.deciding import decide_about, log_beside, open_log
from tests.helpers.certificates import self_signed
from tests.helpers.documents import ROOT, WIDTH, joined, run, started
from tests.helpers.faces import pairs_file, people
from tests.helpers.hub import TOKEN, serve_hub
from tests.helpers.proxied import Proxied
from tests.helpers.services import Services, drawn

USUAL = "http://127.0.0.1:7860/"
"""Where the app is served if the port is free."""

PASSWORD = "PASSWORD"
"""What is typed where one is asked for."""

BEFORE = {
    "README": ["cp -r CLONE/. ."],
    "docs/start/install": ["cp -r CLONE/. ."],
    "docs/start/your-photos": ["cp KASAVU new.jpg"],
    "docs/how-to/export": ["cp -r runs/tour runs/mine"],
    "docs/how-to/gpu": ["cp own.csv manifest.csv"],
    "docs/how-to/hold-sources-out": ["cp own.csv manifest.csv"],
    "docs/how-to/languages": [
        "cp -r runs/tour runs/mine",
        "mkdir -p saree_cosface",
        "cp -r CLONE/saree_cosface/languages saree_cosface",
    ],
    "docs/how-to/many-machines": ["cp own.csv photos.csv", "head -n 30 own.csv > sample.csv"],
    "docs/how-to/more_sources": ["cp own.csv manifest.csv"],
    "docs/how-to/next": [
        "cp -r runs/tour runs/first",
        "cp own.csv photos.csv",
        "cp -r sarees/photos/banarasi unlabelled",
    ],
    "docs/how-to/serve": [
        "cp -r runs/tour runs/mine",
        "cp own.csv manifest.csv",
        "cp KASAVU new.jpg",
        "cp KASAVU front.jpg",
    ],
    "docs/how-to/share": ["cp -r runs/tour runs/museum"],
}
"""What a reader of a page has done on others."""

INSTEAD = (
    # Drawn sarees and faces, and fewer repetitions of the same: minutes become seconds.
    (r"( --folds 5)? --seeds 3", " --folds 2 --seeds 1 --optim.epochs 2"),
    (r"--optim\.epochs 30", "--optim.epochs 1"),
    (r"(train --data\.manifest manifest\.csv)(?= --out runs/mine)", r"\1 --data.validation_fold -1 --optim.epochs 4"),
    (r"(--data\.manifest photos\.csv)", r"\1 --optim.epochs 1"),
    (r"(backbones manifest\.csv)", r"\1 --backbones lite0 --seeds 1 --folds 2"),
    (r"--config faces/laptop", "--config faces.yaml"),
    (r"(faces toy) ", r"\1 --epochs 1 "),
    (r"(faces (losses|sweep|normalization)) ", r"\1 --seeds 1 "),
    (r"--per-craft 50", "--per-craft 12"),
    # One machine of two processors.
    (r"(srun .* --out runs/large)", r"\1-by-slurm"),
    (r"--data\.devices 4 --data\.nodes", "--data.devices 1 --data.nodes"),
    (r"--data\.devices 4", "--data.devices 2"),
    (r"(torchrun .* --out runs/large)", r"\1-by-two"),
    (r"--nproc-per-node 4", "--nproc-per-node 1"),
    (r"--master-addr loom1 --master-port \d+", "--master-addr 127.0.0.1 --master-port {port}"),
    (r"--out embeddings --engine ray --address auto", "--out embeddings-by-ray --engine ray"),
    # Services that are stood in for, and ports that nobody else has.
    (r"(data gather) ", r"\1 --api {services} "),
    (r"postgresql://asha@db\.museum\.example/sarees", "{database}"),
    (r"--revision v1", "--revision main"),
    (r"--port \d+", "--port {port}"),
)
"""What is typed where it is not what is written: a pattern, and what stands for it."""


SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
for ((task = 0; task < SLURM_NTASKS; task++)); do
    SLURM_PROCID=$task SLURM_NODEID=$task SLURM_LOCALID=0 "$@" &
    tasks+=($!)
done
for task in "${tasks[@]}"; do wait "$task" || exit; done
"""
"""What stands in for Slurm's program that starts a command's processes: one a machine, all of them here."""


class Stage:
    """A terminal in the current folder.

    Attributes:
        address: of the app that was served first; ends with a slash.
    """

    def __init__(self, folder: Path, clone: Path, programs: Path, database: str, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.programs, self.address, self._served = folder, programs, USUAL, False
        self._services: list[str] = []
        self._stands = {"database": database}
        self._clone, self._patch, self._open = clone, patch, ExitStack()

    def end(self) -> None:
        """End what was begun."""
        self._open.close()

    def prepare(self, page: str) -> None:
        """Do what a reader of a page has done on others."""
        kasavu = next((self.folder / "photos" / "kasavu").glob("*/*.jpg"))
        for command in BEFORE.get(page, ()):
            command = command.replace("CLONE", str(self._clone)).replace("KASAVU", str(kasavu))
            subprocess.run(["bash", "-c", command], check=True)
        here = Path(sys.executable).parent
        self._patch.setenv("PATH", os.pathsep.join([str(self.folder / ".venv" / "bin"), os.environ["PATH"], str(here)]))
        if page in ("README", "docs/start/install"):
            self._install_from_here()
        if page == "docs/how-to/faces":
            _faces(self.folder)
        if page == "docs/how-to/serve":
            signed = self._signed()
            shutil.copy(signed.certificate, "museum.pem")
            shutil.copy(signed.key, "museum.key")
        if page in ("README", "docs/how-to/gather"):
            services = self._open.enter_context(Services(drawn(("banarasi", "patola"), per_craft=16)))
            self._stands["services"] = services.address
        if page == "docs/how-to/share":
            hub = self._open.enter_context(serve_hub()).address
            self._patch.setattr(constants, "HF_HUB_OFFLINE", False)
            self._patch.setattr(constants, "ENDPOINT", hub)
            template = hub + "/{repo_id}/resolve/{revision}/{filename}"
            self._patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
            self._patch.setenv("HF_TOKEN", TOKEN)

    def _install_from_here(self) -> None:
        """Let pip find what is installed here, and ask no index."""
        python = self.programs / "python3"
        python.write_text(f'#!/bin/sh\nexec "{sys._base_executable}" "$@"\n')
        python.chmod(0o755)
        self._patch.setenv("PYTHONPATH", os.pathsep.join(site.getsitepackages()))
        self._patch.setenv("PIP_NO_INDEX", "1")
        self._patch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # by which pip understands that there is none

    def typed(self, command: str) -> tuple[str, dict[str, str]]:
        """What is typed where a command is written, and the values that took the places of its services and ports."""
        stands = {**self._stands, "port": str(_free_port())}
        for pattern, instead in INSTEAD:
            if re.search(pattern, command):
                command = re.sub(pattern, instead.format(**stands), command)
        return command.replace(USUAL, self.address), stands

    def run(self, command: str) -> tuple[int, str]:
        """Type a command: its exit status, and what it says on both streams."""
        return run(self.typed(command)[0], self.programs)

    def run_block(self, text: str) -> list[tuple[str, str]]:
        """Type the commands of a block; those that went wrong, with what they said.

        Plain calls are run in this process, one by one, and anything else by one shell. What serves is asked whether
        it does, and ended.
        """
        lines = [re.sub(r"(^|\s+)#.*", "", line) for line in joined(text).splitlines()]
        lines = [line for line in lines if line.strip()]
        if not all(line.startswith("saree-cosface ") for line in lines):
            lines = ["\n".join(lines)]
        found = []
        for line in lines:
            if "--confirmed" in line:
                _confirm(self.folder / "gathered" / "manifest.csv")
            if re.search(r"saree-cosface app |make demo", line):
                status, printed = self._serve(line)
            elif "$NODE" in line:
                status, printed = self._on_two_machines(line)
            else:
                status, printed = self.run(line)
            if status:
                found.append((line, f"status {status}\n{printed}"))
        return found

    def run_slurm(self, script: str) -> list[str]:
        """Run a script as Slurm would on the machines it asks for, with a process on each; what went wrong."""
        asked = dict(re.findall(r"^#SBATCH --([\w-]+)=(\w+)$", script, re.MULTILINE))
        environment = {
            **os.environ,
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "SLURM_JOB_ID": "1",
            "MASTER_PORT": str(_free_port()),  # instead of one by the number of the job
            "SLURM_NNODES": asked["nodes"],
            "SLURM_NTASKS": asked["nodes"],
            "SLURM_NTASKS_PER_NODE": "1",
            "SLURM_NODELIST": "127.0.0.1",
        }
        program = self.programs / "srun"
        program.write_text(SRUN)
        program.chmod(0o755)
        text = self.typed(joined(script))[0]
        done = subprocess.run(
            ["bash", "-c", text],
            env=environment,
            text=True,
            timeout=300,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        program.unlink()
        return [f"status {done.returncode}\n{done.stdout}"] if done.returncode else []

    def run_unit(self, unit: str) -> list[str]:
        """Have systemd read a unit, where it is installed, and start what the unit starts; what went wrong."""
        command = started(unit)
        program, arguments = command.split(" ", 1)
        home = program.removesuffix("/venv/bin/saree-cosface")
        here = unit.replace(program, str(self.programs / "saree-cosface")).replace(home, str(self.folder))
        file = self.folder / "saree-cosface.service"
        file.write_text(re.sub("^User=.*", "User=root", here, flags=re.MULTILINE))
        found = []
        if shutil.which("systemd-analyze"):
            read = subprocess.run(["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True)
            found += [line for line in read.stderr.splitlines() if file.name in line]
        if f"saree-cosface {arguments}" not in self._services:  # which serves already, else
            found += [wrong for _, wrong in self.run_block(f"saree-cosface {arguments}\n")]
        return found

    def _serve(self, line: str) -> tuple[int, str]:
        self._services.append(line)
        command, stands = self.typed(line)
        temporary = self.folder / f"temporary-{stands['port']}"
        temporary.mkdir()
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "TMPDIR": str(temporary), "COLUMNS": str(WIDTH)}
        process = subprocess.Popen(
            ["bash", "-e", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        )
        said = ""
        for part in process.stdout:
            said += part
            if opened := re.search(r"Open (https?)://\S+?(?::(\d+))?/", part):
                break
        else:
            return process.wait(), said
        self._open.callback(_interrupt, process)
        scheme, port = "https" if "--tls-" in command else "http", opened[2] or stands["port"]
        address = f"{scheme}://127.0.0.1:{port}/"
        answered = httpx.get(f"{address}health", verify=False, timeout=60)
        if "--root-path" in command:
            self._prove(address)
        elif not self._served and "saree-cosface app" in command:
            self.address, self._served = address, True
        else:
            _interrupt(process)
        return int(answered.json().get("status") != "ok"), said + answered.text

    def _prove(self, address: str) -> None:
        """A web server before the app, which curl takes for that of the museum."""
        proxy = Proxied(address, "/sarees", self._signed(), strips=False)
        self._open.callback(proxy.end)
        port = httpx.URL(proxy.address).port
        (self.folder / ".curlrc").write_text(f'insecure\nconnect-to = "museum.example:443:127.0.0.1:{port}"\n')
        self._patch.setenv("CURL_HOME", str(self.folder))

    def _signed(self):
        folder = self.folder / "signed"
        folder.mkdir(exist_ok=True)
        return self_signed(folder)

    def _on_two_machines(self, line: str) -> tuple[int, str]:
        command = self.typed(line)[0]
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
        both = [
            subprocess.Popen(
                ["bash", "-c", command],
                env={**environment, "NODE": node},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for node in "01"
        ]
        said = [each.communicate(timeout=300)[0] for each in both]
        return max(each.returncode for each in both), "\n".join(said)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def _interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)


def clone_of(folder: Path) -> Path:
    """What a clone of the repository has for users; its demonstration is a small one."""
    folder.mkdir()
    for name in ("saree_cosface", "app", "configs", "data_cards"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY.md"):
        shutil.copy(ROOT / name, folder)
    smaller = {"pieces_per_craft: int =": 6, "photos_per_piece: int =": 1, "size: int =": 96}
    _rewrite(folder / "saree_cosface" / "loom" / "options.py", smaller)
    _rewrite(folder / "configs" / "sarees.yaml", {"epochs:": 4})
    return folder


def _rewrite(file: Path, numbers: dict[str, int]) -> None:
    text = file.read_text(encoding="utf-8")
    for name, number in numbers.items():
        text, found = re.subn(rf"^( +{name} )\d+", rf"\g<1>{number}", text, flags=re.MULTILINE)
        assert found == 1, name
    file.write_text(text, encoding="utf-8")


def _faces(folder: Path) -> None:
    images = people(folder / "lfw_aligned", 6, 4)
    pairs_file(folder / "lfw_pairs.txt", 5, 4)
    shutil.copytree(images, folder / "FOLDER")
    same = [f"Person_{each}/Person_{each}_0001.jpg Person_{each}/Person_{each}_0002.jpg 1" for each in range(4)]
    other = [f"Person_{each}/Person_{each}_0001.jpg Person_5/Person_5_0001.jpg 0" for each in range(4)]
    rows = [f"{pair} {number % 2}" for pairs in (same, other) for number, pair in enumerate(pairs)]
    (folder / "LIST").write_text("\n".join(rows) + "\n")
    for photo in images.glob("Person_5/*_000[234].jpg"):  # somebody of whom there is one photo
        photo.unlink()
    names = sorted(path.name for path in images.rglob("*.jpg"))
    vectors = np.random.default_rng(0).normal(size=(len(names), 8)).astype(np.float32)
    np.savez(folder / "lfw_sface_embeddings.npz", names=names, embeddings=vectors)
    videos = ("Person_0/0", "Person_0/1", "Person_1/0", "Person_2/0")
    for video in videos:
        (folder / "FRAMES" / video).mkdir(parents=True)
        for path in sorted((images / video.split("/")[0]).iterdir())[:2]:
            shutil.copy(path, folder / "FRAMES" / video)
    rows = [f"1, 1, {videos[0]}, {videos[1]}, 1", f"1, 2, {videos[0]}, {videos[2]}, 0"]
    rows += [f"2, 1, {videos[1]}, {videos[0]}, 1", f"2, 2, {videos[2]}, {videos[3]}, 0"]
    (folder / "splits.txt").write_text("\n".join(rows) + "\n")
    people(folder / "known", 4, 4)
    quick = {
        "data": {"images": "known", "lfw_images": "lfw_aligned", "lfw_pairs": "lfw_pairs.txt"},
        "model": {
            "backbone": "laptop10",
            "embedding_dim": 16,
            "dropout": 0.0,
            "trainable_stages": 4,
            "precision": "fp32",
        },
        "head": {"scale": 16.0, "margin": 0.2},
        "optim": {"optimizer": "sgd", "epochs": 1, "batch_size": 8, "lr": 0.02, "backbone_lr": 0.02},
    }
    (folder / "faces.yaml").write_text(yaml.safe_dump(quick))


def _confirm(listed: Path) -> None:
    """Say of every label that it is right, as a curator does with a key."""
    log, manifest = open_log(log_beside(listed), listed, by="Asha")
    with log:
        for path in manifest.table["path"]:
            decide_about(log, manifest, "accept", path, by="Asha", why="seen on the contact sheet")
