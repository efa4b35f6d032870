"""The same service under Twisted's own daemon: the plugin, and the example in docs/."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

import gateway
from drivers import gps
from tests.integration.daemon import CODE, Bench, Process, config, free_port, said, until

DOCS = Path(__file__).parents[2] / "docs"


def twistd(folder: Path, *words: object, **environ: str) -> Process:
    """``twistd --nodaemon``.  The installed wheel has the plugin among Twisted's own; the tree is given a folder
    that looks so."""
    if "site-packages" not in str(gateway.__file__):
        (folder / "twisted").mkdir(exist_ok=True)
        (folder / "twisted/plugins").symlink_to(CODE / "gateway/plugins")
        environ["PYTHONPATH"] = f"{CODE}:{folder}"
    command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile="]
    return Process(folder, [*command, *map(str, words)], **environ)


@pytest.mark.parametrize("way", ["plugin", "tac"])
def test_runs_reloads_and_stops(bench: Bench, tmp_path: Path, way: str) -> None:
    bench.adapter("gps", gps.DRIVER[0].emulator())
    port, file = free_port(), tmp_path / "gateway.toml"
    tcp = f'[tcp]\nlisten = "tcp:{port}:interface=127.0.0.1"\n'
    file.write_text(tcp + config(roof={"driver": "gps", "port": tmp_path / "gps"}))
    if way == "plugin":
        process = twistd(tmp_path, "gateway", "--config", file)
    else:
        process = twistd(tmp_path, "--python", DOCS / "gateway.tac", GATEWAY_CONFIG=str(file))
    try:
        process.says(f"tcp listens on 127.0.0.1:{port}")
        process.until(lambda: "roof running" in said(tmp_path, "devices", "--port", port).stdout, "a running receiver")
        file.write_text(tcp)
        assert said(tmp_path, "reload", "--port", port).stdout == "reloaded\n"
        assert "roof" not in said(tmp_path, "devices", "--port", port).stdout
        process.stop(status=-signal.SIGTERM)  # twistd ends by the signal it got
    finally:
        process.kill()


def test_mistakes_are_told_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[device.attic]\ndriver = "sht3"\nbus = "i2c:1"\n')
    process = twistd(tmp_path, "gateway", "--config", tmp_path / "gateway.toml")
    try:
        until(lambda: process.process.poll() is not None, "its end")
        assert "did you mean `sht31`?" in process.text()  # the exit status is 1, but 0 before Twisted 26
        assert "Traceback" not in process.text()
    finally:
        process.kill()
