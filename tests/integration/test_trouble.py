"""What goes wrong on a wire, told by `devices`, while every other device goes on."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import serial

from drivers import gps, mhz19, pms5003
from drivers.gps import sentence
from tests.integration.daemon import PATIENCE, Adapter, Bench, Daemon, config, free_port, running, until

DUST = pms5003.DRIVER[0]


class Noise:
    """What a port at the wrong speed hears: bytes, and no sense in them."""

    def __init__(self) -> None:
        self.random = random.Random(9600)

    def receive(self, data: bytes) -> bytes:
        return self.random.randbytes(4) if data else b""

    def tick(self, seconds: float) -> bytes:
        return self.random.randbytes(int(seconds * 300))


class Asked(Noise):
    def tick(self, seconds: float) -> bytes:
        return b""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, dict[str, Adapter]]]:
    """One gateway with two good devices, and one device for each kind of trouble."""
    folder = tmp_path_factory.mktemp("trouble")
    bench = Bench(folder)
    emulators = {"roof": gps.DRIVER[0].emulator(), "street": DUST.emulator(), "noisy": Noise(), "babble": Asked(),
                 "mute": None, "taken": gps.DRIVER[0].emulator(), "boat": None, "office": mhz19.DRIVER.emulator(),
                 "loose": mhz19.DRIVER.emulator()}  # fmt: skip
    adapters = {name: bench.adapter(name, emulator) for name, emulator in emulators.items()}
    drivers = {"street": "pms5003", "noisy": "pms5003", "babble": "mhz19", "mute": "mhz19", "office": "mhz19",
               "loose": "mhz19"}  # fmt: skip
    devices = {name: {"driver": drivers.get(name, "gps"), "port": folder / name} for name in (*emulators, "missing")}
    devices["office"]["period"] = "500ms"
    adapters["loose"].unplug()
    http = f'[http]\nlisten = "tcp:{free_port()}:interface=127.0.0.1"\n'
    try:
        with (
            serial.Serial(str(folder / "taken"), exclusive=True),  # another program
            running(folder, http + config(**devices)) as daemon,
        ):
            yield daemon, adapters
    finally:
        bench.close()


World = tuple[Daemon, dict[str, Adapter]]


def test_a_port_that_is_not_there(world: World) -> None:
    assert world[0].reaches("missing", "absent").endswith("missing: no such port")


def test_a_port_that_another_program_has(world: World) -> None:
    assert world[0].reaches("taken", "absent").endswith("taken: is open in another program")


def test_our_ports_are_closed_to_others(world: World) -> None:
    daemon, adapters = world
    daemon.reaches("roof", "running")
    with pytest.raises(serial.SerialException, match="lock"):
        serial.Serial(str(adapters["roof"].link), exclusive=True)


def test_a_device_that_never_answers(world: World) -> None:
    assert "silent for" in world[0].reaches("mute", "absent", "silent")


def test_answers_at_the_wrong_speed(world: World) -> None:
    assert "is the baud rate right?" in world[0].reaches("babble", "absent", "4 bytes came")


def test_plugged_in_later(world: World) -> None:
    daemon, adapters = world
    daemon.reaches("loose", "absent", "no such port")
    plugged(daemon, adapters["loose"])


def test_unplugged_and_plugged_in_again_while_it_is_asked(world: World) -> None:
    daemon, adapters = world
    for _ in range(2):
        daemon.reaches("office", "running")
        adapters["office"].unplug()
        assert "unplugged" in daemon.reaches("office", "lost")
        assert daemon.value("office.co2") == "-"
        plugged(daemon, adapters["office"], "office")


def plugged(daemon: Daemon, adapter: Adapter, name: str = "loose") -> None:
    """It is noticed at once, not only when it is tried again.  We may be held up ourselves: one time in ten will do."""
    for _ in range(10):
        adapter.heard = b""
        began = time.monotonic()
        adapter.plug()
        until(lambda: adapter.heard, f"a question to {name}", every=0.01)
        took = time.monotonic() - began
        daemon.reaches(name, "running")
        if took < 0.5:
            return
        adapter.unplug()
        daemon.reaches(name, "lost")
        time.sleep(2)  # the pauses between attempts grow
    raise AssertionError(f"{name} was noticed after {took:.1f} s")


def test_torn_sentences_and_noise_between_good_ones(world: World) -> None:
    daemon, adapters = world
    boat = adapters["boat"]

    def fix(second: int) -> bytes:
        return sentence(f"GPGGA,1200{second:02},4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,") + sentence(
            f"GPRMC,1200{second:02},A,4807.038,N,01131.000,E,022.4,084.4,201126,,,A"
        )

    daemon.until(lambda: "identifying" in daemon.state("boat"), "an open port")
    with daemon.client() as client:
        client.ask("watch boat.time")
        pushed = client.take()
        boat.say(fix(1))
        assert "T12:00:01" in next(pushed)
        boat.say(fix(2)[:50] + b"\n" + random.Random(1).randbytes(300) + b"\r\n" + fix(3))
        assert "T12:00:03" in next(pushed)
        flipped = bytearray(fix(4))
        flipped[20] ^= 1
        flipped[100] ^= 1
        boat.say(bytes(flipped) + fix(5))
        assert "T12:00:05" in next(pushed)
    with daemon.client() as client:
        client.ask("json on")
        (device,) = client.ask("devices boat")
        assert '"BadFrame":' in device and '"state":"running"' in device
    boat.emulator = Noise()  # see the last test of this world


def test_clients_that_talk_nonsense(world: World) -> None:
    daemon, _ = world
    for sent, told in [
        (b"x" * 1_000_000 + b"\nget roof.mode\n", b"ERR too-long"),
        (b"get \xff\xfe\n", b"ERR syntax not UTF-8"),
        (b"\x16\x03\x01\x02\x00\x01", b"ERR no-tls"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"ERR no-http"),
        (b"get roof.latitued\n", b"did you mean `roof.latitude`"),
    ]:
        with socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as client:
            client.sendall(sent)
            assert told in client.recv(4096)


def test_a_client_that_never_reads(world: World) -> None:
    daemon, _ = world
    with socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as client:
        client.settimeout(1.0)
        with pytest.raises(TimeoutError):
            while True:
                client.sendall(b"devices\n" * 1000)
        assert daemon.ask("count manual.*") == []


def test_chip_that_is_not_there_and_a_bus_that_hangs(tmp_path: Path) -> None:
    hang = tmp_path / "board.log.hang"
    devices = {
        "attic": {"driver": "sht31", "bus": "i2c:1", "period": "200ms"},
        "other": {"driver": "sht31", "bus": "i2c:2", "period": "200ms"},
        "gone": {"driver": "bme280", "bus": "i2c:1"},
    }
    with running(tmp_path, config(**devices), board=True) as daemon:
        daemon.reaches("attic", "running"), daemon.reaches("other", "running")
        assert "address 0x76 of i2c-1 does not answer" in daemon.reaches("gone", "absent", "answer")
        hang.touch()
        assert "stuck" in daemon.reaches("attic", "lost")
        assert "stuck" in daemon.reaches("other", "lost")  # the file holds both buses
        hang.unlink()
        daemon.reaches("attic", "running")
        daemon.reaches("other", "running")
        hang.touch()
        daemon.reaches("attic", "lost", "stuck")
        daemon.stop()  # a thread that never ends keeps nobody


def test_port_that_is_taken(bench: Bench, tmp_path: Path) -> None:
    """The other interfaces listen, and this one does as soon as it can."""
    bench.adapter("roof", gps.DRIVER[0].emulator())
    roof = config(roof={"driver": "gps", "port": tmp_path / "roof"})
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as taken:
        http = f'[http]\nlisten = "tcp:{port}:interface=127.0.0.1"\n'
        with running(tmp_path, http + roof) as daemon:
            assert (
                daemon.facts()["not_listening"] == f"tcp:{port}:interface=127.0.0.1: [Errno 98] Address already in use"
            )
            daemon.says(
                f"http cannot listen at tcp:{port}:interface=127.0.0.1: [Errno 98] Address already in use; tried"
            )
            daemon.reaches("roof", "running")
            taken.close()
            daemon.says(f"http listens on 127.0.0.1:{port}")
            assert daemon.facts()["not_listening"] == "-"
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/")


def test_good_devices_never_noticed(world: World) -> None:
    """They talk once a second, and so they are heard."""
    daemon, _ = world
    came: dict[str, list[float]] = {"roof.time": [], "street.pm2_5": []}

    def regular(times: list[float]) -> bool:
        return len(times) > 3 and all(0.5 < after - before < 1.5 for before, after in pairwise(times[-4:]))

    began = time.monotonic()
    with daemon.client() as client:
        for line in client.pushed(*came):
            came[line.split(" ")[0]].append(time.monotonic())
            if all(map(regular, came.values())):
                break
            assert time.monotonic() - began < PATIENCE, came  # we, too, may be held up for a while
    assert daemon.text().count("roof: lost") == daemon.text().count("street: lost") == 0


def test_talk_at_the_wrong_speed(world: World) -> None:
    """Near the end of the file, because it is waited for: nothing good may come for ten seconds."""
    reason = world[0].reaches("noisy", "baud")  # tried again, it keeps its reason
    assert "bytes came, but nothing understood for 10 s; is the baud rate right?" in reason


def test_speed_that_changed_while_it_ran(world: World) -> None:
    assert "is the baud rate right?" in world[0].reaches("boat", "baud")
