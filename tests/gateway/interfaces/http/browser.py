"""A real Chromium, steered by chromedriver over the WebDriver protocol, which is JSON over HTTP."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]  # fmt: skip


class Browser:
    """One window.  Close it when done."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        assert self.driver.stdout is not None
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                break
        port = line.rstrip(". \n").rpartition(" ")[2]
        self.base = f"http://127.0.0.1:{port}/session"
        options = {"args": [*FLAGS, f"--user-data-dir={folder}", *flags], "binary": shutil.which("chromium")}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.base += "/" + self.call("", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def call(self, path: str, body: Any = None, method: str = "POST") -> Any:
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, address: str) -> None:
        self.call("/url", {"url": address})

    def run(self, script: str) -> Any:
        """What *script*, the body of a function, returns."""
        return self.call("/execute/sync", {"script": script, "args": []})

    def until(self, script: str, seconds: float = 60.0) -> Any:
        """What *script* returns, once that is true."""
        deadline = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < deadline, f"waited in vain: {script}"
            time.sleep(0.1)
        return found

    def complaints(self) -> list[str]:
        """What the console was told of warnings and errors."""
        told = self.call("/se/log", {"type": "browser"})
        return [entry["message"] for entry in told if entry["level"] in ("WARNING", "SEVERE")]

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("/screenshot", method="GET")))

    def close(self) -> None:
        try:
            self.call("", method="DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait()
            assert self.driver.stdout is not None
            self.driver.stdout.close()
