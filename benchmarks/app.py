"""How long the app takes: to start, to show its first page, and to answer about a photo of 12 million pixels.

    python benchmarks/app.py runs/demo/run runs/demo/corpus/photos/banarasi/banarasi_000_0.jpg

The photo is enlarged to 3024 × 4032 pixels, with grain, and sent as a phone would send it: as JPEG and as HEIC, turned
by EXIF. An answer counts from the first byte of the upload to the last of the answer, evidence included.
"""

import argparse
import io
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()


def phone_photo(path: Path, kind: str) -> bytes:
    """The picture as a phone of 12 million pixels would have taken it."""
    large = np.asarray(Image.open(path).convert("RGB").resize((3024, 4032), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = np.random.default_rng(0).normal(0, 3, large.shape).astype(np.int16)
    image = Image.fromarray((large + grain).clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    if kind == "JPEG":
        exif[0x0112] = 6
        image = image.transpose(Image.Transpose.ROTATE_90)
    buffer = io.BytesIO()
    image.save(buffer, "HEIF" if kind == "HEIC" else kind, quality=70 if kind == "HEIC" else 92, exif=exif)
    return buffer.getvalue()


def ask(client: httpx.Client, name: str, content: bytes) -> dict:
    """One answer of the end-point ``identify``."""
    (path,) = client.post("gradio_api/upload", files={"files": (name, content)}).raise_for_status().json()
    photo = {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
    event = client.post("gradio_api/call/identify", json={"data": [[photo]]}).raise_for_status().json()["event_id"]
    found = client.get(f"gradio_api/call/identify/{event}").text
    return json.loads(found.split("event: complete")[1].split("data: ", 1)[1].split("\n")[0])[0]


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--answers", type=int, default=15)
    options = parser.parse_args()
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "saree_cosface", "app", str(options.run)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "COLUMNS": "200"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = next(found[1] for line in process.stderr if (found := re.search(r"Open (http://\S+/)", line)))
        print(f"start: {time.perf_counter() - begun:.1f} s")
        with httpx.Client(base_url=address, timeout=120) as client:
            first = time.perf_counter()
            client.get("").raise_for_status()
            print(f"first page, its HTML: {time.perf_counter() - first:.2f} s")
            for kind in ("JPEG", "HEIC"):
                content = phone_photo(options.photo, kind)
                seconds = []
                for _ in range(2 + options.answers):
                    asked = time.perf_counter()
                    answer = ask(client, f"phone.{kind.lower()}", content)
                    seconds.append(time.perf_counter() - asked)
                    assert answer["evidence"]["cosine"] is not None
                warm = seconds[2:]
                times = f"warm p50 {statistics.median(warm):.2f} s, p95 {float(np.quantile(warm, 0.95)):.2f} s"
                size = f"{len(content) / 1e6:.1f} MB"
                print(f"{kind} of {size}: first {seconds[0]:.2f} s; {times}")
    finally:
        process.terminate()
        process.wait(timeout=60)


if __name__ == "__main__":
    main()
