"""A headless Chromium, spoken to over a pipe with the standard library alone (its DevTools protocol)."""

import json
import os
import select
import subprocess
import time
from pathlib import Path

TIMEOUT_S = 120


class Chromium:
    """One browser with one page, without a network: every name is unknown to it."""

    def __init__(self, executable: str, folder: Path):
        """folder: where its profile goes."""
        command_end, self._write = os.pipe()
        self._read, answer_end = os.pipe()
        os.set_inheritable(command_end, True)
        os.set_inheritable(answer_end, True)
        flags = [
            "--headless",
            "--no-sandbox",  # root has none
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder}",
            "--remote-debugging-pipe",
        ]
        # The browser reads commands on 3 and writes answers on 4.
        shell = ["bash", "-c", f'exec "$@" 3<&{command_end} 4>&{answer_end}', "chromium", executable, *flags]
        with (folder / "chromium.log").open("w") as log:
            self._process = subprocess.Popen(
                [*shell, "about:blank"], stdout=log, stderr=log, pass_fds=(command_end, answer_end)
            )
        os.close(command_end)
        os.close(answer_end)
        self._number, self._unread, self.events = 0, b"", []
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def call(self, method: str, **parameters) -> dict:
        """One command's answer; events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        number = self._number
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self) -> dict:
        end_s = time.monotonic() + TIMEOUT_S
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._read], [], [], max(0, end_s - time.monotonic()))
            assert ready, "Chromium does not answer"
            found = os.read(self._read, 1 << 20)
            assert found, "Chromium has ended"
            self._unread += found
        text, self._unread = self._unread.split(b"\0", 1)
        return json.loads(text)

    def open(self, page: Path, *, width_px: int, height_px: int = 800, scheme: str = "light") -> None:
        """Load a file on a screen of that size, `light` or `dark`."""
        screen = {"deviceScaleFactor": 1, "mobile": width_px < 600}
        self.call("Emulation.setDeviceMetricsOverride", width=width_px, height=height_px, **screen)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def evaluate(self, expression: str):
        """A JavaScript expression's value, promises awaited."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key by its name."""
        code = {"Tab": 9, "Enter": 13}[key]
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def of(self, *methods: str) -> list[dict]:
        """What events of these kinds said since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") in methods]
