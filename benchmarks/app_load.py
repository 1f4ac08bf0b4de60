"""Many users of the app at once: each uploads photos of its own and checks that the answer is about them.

A file for locust (`pip install locust`), which is not needed for anything else:

    saree-cosface app runs/demo/run --port 7860 &
    APP_PID=$! PHOTOS=runs/demo/corpus/photos locust -f benchmarks/app_load.py --headless -u 20 -r 5 -t 5m \\
        --host http://127.0.0.1:7860

Every photo gets bytes of its own after its end, so no two uploads are alike, and a name of its own. An answer with the
checksum or the name of another is a failure, and so is one with other cosines than the same picture had before. Prints
the times, and the memory of the app after the first minute and at the end; exits with 1 on any failure.
"""

import hashlib
import json
import os
import random
import secrets
import threading
import time
from pathlib import Path

from locust import HttpUser, between, events, task

PHOTOS = sorted(Path(os.environ["PHOTOS"]).rglob("*.jpg"))
PID = int(os.environ.get("APP_PID", "0"))
answers: dict[str, list[float]] = {}
memory: list[tuple[float, float]] = []


class Visitor(HttpUser):
    """Somebody who uploads a photo, or two of a piece, reads the answer, and comes again."""

    wait_time = between(1, 5)

    @task
    def identify(self):
        chosen = random.sample(PHOTOS[:200], random.choice((1, 1, 1, 2)))
        mark = secrets.token_hex(8)
        files = [(f"{mark}-{n}.jpg", path.read_bytes() + mark.encode()) for n, path in enumerate(chosen)]
        sent = {name: hashlib.sha256(content).hexdigest() for name, content in files}
        begun = time.perf_counter()
        error = None
        try:
            paths = self.client.post(
                "/gradio_api/upload", files=[("files", each) for each in files], name="upload"
            ).json()
            photos = [
                {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
                for path, name in zip(paths, sent, strict=True)
            ]
            event = self.client.post("/gradio_api/call/identify", json={"data": [photos]}, name="call").json()
            found = self.client.get(f"/gradio_api/call/identify/{event['event_id']}", name="wait").text
            if "event: complete" not in found:
                raise ValueError(found[-300:])
            answer = json.loads(found.split("event: complete")[1].split("data: ", 1)[1].split("\n")[0])[0]
            if {photo["name"]: photo["sha256"] for photo in answer["photos"]} != sent:
                raise ValueError("the answer is about other photos")
            cosines = [one["cosine"] for one in answer["traditions"]]
            before = answers.setdefault(" ".join(map(str, chosen)), cosines)
            if max(abs(one - two) for one, two in zip(before, cosines, strict=True)) > 1e-3:
                raise ValueError("the same picture had other cosines before")
        except Exception as failure:
            error = failure
        events.request.fire(
            request_type="",
            name="ANSWER",
            response_time=1000 * (time.perf_counter() - begun),
            response_length=0,
            exception=error,
        )

    @task(1)
    def page(self):
        self.client.get("/", name="page")


def _watch(begun):
    while True:
        status = Path(f"/proc/{PID}/status").read_text()
        memory.append((time.time() - begun, int(status.split("VmRSS:")[1].split()[0]) / 1024))
        time.sleep(2)


@events.test_start.add_listener
def _start(**_):
    if PID:
        threading.Thread(target=_watch, args=(time.time(),), daemon=True).start()


@events.quitting.add_listener
def _end(environment, **_):
    found = environment.stats.get("ANSWER", "")
    print(
        f"\n{found.num_requests} answers, {found.num_failures} failures; p50 "
        f"{found.get_response_time_percentile(0.5) / 1000:.2f} s, p95 "
        f"{found.get_response_time_percentile(0.95) / 1000:.2f} s; {found.total_rps:.2f} a second"
    )
    early = [size for when, size in memory if 50 <= when <= 70]
    if early:
        # Means of 20 s, since the memory goes up and down by an answer's worth.
        first = sum(early) / len(early)
        last_ones = [size for when, size in memory if when >= memory[-1][0] - 20]
        last = sum(last_ones) / len(last_ones)
        print(f"memory after a minute {first:.0f} MB, at the end {last:.0f} MB ({last / first - 1:+.1%})")
