"""A recording played to its driver: what the device said then gives the same readings, and what we send is compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers import bme280, button, ds18b20, gps, mhz19, relay, sht31
from drivers.api import Driver
from drivers.codec.modbus import sealed
from gateway import catalog
from gateway.client import GatewayError
from gateway.recording import FIRST, Piece, Recording, parse
from gateway.replay import Replay, expected, load

CORPUS = Path(__file__).parents[1] / "corpus"
START = "0.000 > 36 82\n0.002 < 01 02 17 03 04 68\n"  # an SHT31's serial number
MEASURED = "{0:.3f} > 24 00\n{1:.3f} < be ef 92 be ef 92\n"
CO2 = "{0:.3f} > ff 01 86 00 00 00 00 00 79\n{1:.3f} < ff 86 02 7c 42 00 00 00 ba\n"


def made(text: str, about: str = "") -> Recording:
    return parse(f"{FIRST}\n{about}{text}")


hexed = bytes.fromhex


def asked(*times: float, text: str = MEASURED) -> str:
    return "".join(text.format(at, at + 0.016) for at in times)


def said(driver: Driver[Any], text: str, about: str = "") -> list[str]:
    return expected(driver, made(text, about))


def test_a_chip_says_again_what_it_said() -> None:
    lines = said(sht31.DRIVER, START + asked(0.003, 10, 20), "# date: 2026-11-20T17:00:00Z\n# device: attic\n")
    assert lines[0] == "attic.temperature 85.52 °C 2026-11-20T17:00:00.019Z good"
    assert len(lines) == 7 and lines[-1] == "# 6 readings; no errors"


def test_a_pause_is_cut_short_and_readings_have_the_times_they_had() -> None:
    """Between how a connection began and its last minutes there may be days."""
    late = "2026-11-22T17:00:00.016Z good"
    steps = list[float]()
    replay = Replay(sht31.DRIVER, made(START + asked(0.003, 172_800), "# date: 2026-11-20T17:00:00Z\n"), print)
    replay.hub.subscribe(lambda readings: steps.append(replay.time.seconds()), "*")
    replay.run()
    assert replay.hub.latest["sht31.temperature"].text.endswith(late) and steps[-1] < 20
    assert replay.end < 50
    fixes = [line for line in (CORPUS / "gps/nmea-fuzzy-cases.rec").read_text().splitlines() if line[:1] != "#"]
    talks = "".join(f"{at}.000 {line.split(' ', 1)[1]}\n" for at, line in enumerate(fixes[:20]))
    later = "".join(f"{at + 5000}.000 {line.split(' ', 1)[1]}\n" for at, line in enumerate(fixes[:20]))
    replay = Replay(gps.DRIVER[0], made(talks + later), print)
    replay.run()
    assert replay.time.seconds() < 100
    assert max(each.monotonic for each in replay.hub.latest.values()) > 5000


def test_what_is_seldom_asked_for_is_asked_when_it_was_then() -> None:
    """A meter's first reading, and three of its last minutes: one of them asks for the settings."""
    volts = hexed("01 04 00 00 00 0a 70 0d"), sealed(1, bytes((4, 20)) + bytes(14) + b"\1\xf4" + bytes(4))
    settings = hexed("01 03 00 01 00 02 95 cb"), hexed("01 03 04 59 d8 00 01 a9 54")
    text = ""
    for at, (ask, answer) in ((0, volts), (0.1, settings), (900, volts), (905, volts), (905.1, settings), (910, volts)):
        text += f"{at:.3f} > {ask.hex(' ')}\n{at + 0.05:.3f} < {answer.hex(' ')}\n"
    lines = said(catalog.find("pzem004t"), text, "# resumed: 900.000\n")
    assert [line.split()[0] for line in lines].count("pzem004t.power_alarm") == 2
    assert lines[-1].endswith("no errors") and not any("was sent" in line for line in lines)


def test_without_a_date_no_time_is_made_up() -> None:
    assert said(sht31.DRIVER, START + asked(0.003))[0].endswith(" unsynced")


def test_it_may_begin_in_the_middle() -> None:
    lines = said(sht31.DRIVER, "0.000 < be ef 92 be ef 92\n1.000 > 24 00\n" + START.replace("0.00", "2.00") + asked(3))
    assert lines[-1] == "# 2 readings; no errors"


def test_what_did_not_answer_then_does_not_answer_now() -> None:
    silent = "10.000 > 24 00\n20.000 > 24 00\n"
    lines = said(sht31.DRIVER, START + asked(0.003) + silent + asked(30))
    assert lines[-1] == "# 4 readings; 2 NoAnswer"


def test_a_device_that_was_lost_begins_anew() -> None:
    silent = "".join(f"{at}.000 > 24 00\n" for at in (10, 20, 30))
    again = START.replace("0.000", "40.000").replace("0.002", "40.002")
    lines = said(sht31.DRIVER, START + asked(0.003) + silent + again + asked(40.003, 50))
    assert lines[-1] == "# 6 readings; 3 NoAnswer"


def test_what_is_sent_now_and_was_not_then_is_told() -> None:
    low = '# settings: {"repeatability": "low"}\n'
    assert said(sht31.DRIVER, START + asked(0.003))[-1] == "# 2 readings; no errors"
    lines = said(sht31.DRIVER, START + asked(0.003), low)
    assert "# 24 16 is sent now, and was not then" in lines and lines[-1].startswith("# 0 readings; ")


def test_what_was_sent_then_and_is_not_now_is_told() -> None:
    lines = said(sht31.DRIVER, START + asked(0.003) + "5.000 > 30 a2\n" + asked(10))
    assert lines[-2:] == ["# 5.000 s: 30 a2 was sent, and is not now", "# 4 readings; no errors"]


def test_where_it_goes_on_after_its_beginning_it_may_be_in_the_middle() -> None:
    rest = "50.000 > 24 00\n50.010 > 30 a2\n" + asked(60, 70)
    lines = said(sht31.DRIVER, START + asked(0.003) + rest.partition("\n")[2], "# resumed: 50.010\n")
    assert lines[-1] == "# 6 readings; no errors" and len(lines) == 7
    lines = said(sht31.DRIVER, START + asked(0.003) + rest.partition("\n")[2])
    assert lines[-2] == "# 50.010 s: 30 a2 was sent, and is not now"
    again = rest.partition("\n")[2] + "75.000 > 30 a2\n" + asked(80)
    lines = said(sht31.DRIVER, START + asked(0.003) + again, "# resumed: 50.010\n")
    assert lines[-2] == "# 75.000 s: 30 a2 was sent, and is not now"  # later it is a difference


def test_bytes_of_several_transfers_at_one_time_are_told_apart() -> None:
    """As a bus has them: within a millisecond."""
    file = CORPUS / "bme280/emulated.rec"
    assert "0.096 > f5 00" in file.read_text() and "0.096 > f2 01" in file.read_text()
    assert expected(bme280.DRIVER[0], load(file))[-1].endswith("readings; no errors")


def test_a_serial_device_is_asked_and_answers() -> None:
    assert said(mhz19.DRIVER, asked(0, 10, text=CO2))[-1] == "# 2 readings; no errors"
    lines = said(mhz19.DRIVER, asked(0, 10, text=CO2).replace("> ff 01 86", "> ff 01 85", 1))
    assert lines[-1] == "# 1 readings; no errors"  # it begins with what we do not ask


def test_a_modbus_unit_answers_by_its_number_and_over_tcp_as_well() -> None:
    text = (CORPUS / "sdm120/emulated.rec").read_text()
    lines = expected(catalog.find("sdm120"), parse(text))
    assert lines[-1].endswith("readings; no errors") and "> 03 04" in text  # it is unit 3
    over = parse(text)
    pieces = (Piece(each.at, each.way, wrapped(at, each.data)) for at, each in enumerate(over.pieces))
    assert expected(catalog.find("sdm120"), Recording(tuple(pieces), over.about)) == lines


def wrapped(number: int, frame: bytes) -> bytes:
    """A frame of a serial line as it goes over TCP."""
    return number.to_bytes(2, "big") + bytes(2) + (len(frame) - 2).to_bytes(2, "big") + frame[:-2]


def test_files_of_the_kernel_are_read_again_and_written_to_in_vain() -> None:
    lines = expected(ds18b20.DRIVER, load(CORPUS / "ds18b20/emulated.rec"))
    assert lines[-1].endswith("readings; no errors") and len(lines) > 3


def test_a_device_that_talks_has_its_own_times() -> None:
    sentences = CORPUS / "gps/nmea-fuzzy-cases.rec"
    recording, times = load(sentences), list[float]()
    replay = Replay(gps.DRIVER[0], recording, lambda readings: times.append(readings[0].monotonic))
    replay.run()
    assert times == sorted(times) and 0 < times[-1] <= recording.pieces[-1].at - recording.pieces[0].at + 1e-6
    assert len(set(times)) > 10


def test_levels_of_lines_are_told_at_their_times() -> None:
    """Two edges of one millisecond are one piece; what an output was set to is what it was."""

    def line(at: float, way: str, *words: str) -> str:
        data = "".join(f"{word}\n" for word in words).encode()
        return f"{at:.3f} {way} {data.hex(' ')}\n"

    pressed = line(0, "<", "line 1") + line(2, "<", "line 0", "line 1") + line(500, "<", "line 0")
    replay = Replay(button.DRIVER, made(pressed), lambda readings: None)
    replay.run()
    state, count = (replay.hub.latest[f"button.{name}"] for name in ("state", "count"))
    assert (state.value, state.monotonic, count.value) == (True, 500.0, 2) and replay.time.seconds() < 20
    switched = line(0, ">", "line 0") + line(1, ">", "line 1")
    assert said(relay.DRIVER, switched)[-2:] == ["relay.state on - +1.000 unsynced", "# 2 readings; no errors"]
    assert said(relay.DRIVER, line(0, "<", "what it is"))[-1] == "# 0 readings; no errors"


def test_whoever_has_seen_enough_ends_it() -> None:
    replay = Replay(sht31.DRIVER, made(START + asked(0.003, 10, 20)), lambda readings: None)
    replay.run(lambda at: at < 5)
    assert replay.hub.seq == 2


def test_it_ends_where_the_driver_asks_no_more() -> None:
    lines = said(gps.DRIVER[0], "0.000 < 24\n1.000 > 24 00\n2.000 < 24\n")
    assert lines == ["# 1.000 s: here the replay ended; 1 questions were left", "# 0 readings; no errors"]


def test_it_ends_where_nobody_asks_for_an_answer() -> None:
    lines = said(sht31.DRIVER, START + asked(0.003) + "20.000 < be ef 92 be ef 92\n")
    assert "# 20.000 s: here the replay ended; 1 answers were left" in lines


@pytest.mark.parametrize(
    ("driver", "text", "about"),
    [
        (sht31.DRIVER, "# period: nan\n0.0 < 00\n", "first lines: the period is nan s"),
        (sht31.DRIVER, "# period: -1\n0.0 < 00\n", "first lines: the period is -1 s"),
        (sht31.DRIVER, "# date: yesterday\n0.0 < 00\n", "first lines"),
        (sht31.DRIVER, "# settings: [1]\n0.0 < 00\n", "first lines"),
        (sht31.DRIVER, "# settings: {\n0.0 < 00\n", "first lines"),
    ],
)
def test_what_cannot_be_replayed(driver: Driver[Any], text: str, about: str) -> None:
    with pytest.raises(GatewayError, match=about):
        said(driver, text)


def test_an_empty_recording_gives_nothing() -> None:
    assert said(sht31.DRIVER, "")[-1].startswith("# 0 readings")


def test_nobody_waits_for_what_comes_after_the_end() -> None:
    """A silence that nobody breaks any more, for one."""
    seen = list[float]()
    replay = Replay(gps.DRIVER[0], load(CORPUS / "gps/nmea-fuzzy-cases.rec"), lambda readings: None)
    replay.run(lambda at: not seen.append(at))  # type: ignore[func-returns-value]
    assert replay.hub.seq and max(seen) < replay.end + 10
