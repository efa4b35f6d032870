"""The page in a real browser: values that move, a switch, trouble told, and a gateway that goes away and comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.gateway.interfaces.http.browser import Browser
from tests.integration.daemon import free_port

ROOT = Path(__file__).parents[4]
TILE = "[...document.querySelectorAll('#devices ul > li')].find(e => e.querySelector('summary').textContent === '{}')"


class Gateway:
    def __init__(self, port: int = 0, *words: str) -> None:
        wanted = str(port or free_port())  # one may come back to it
        command = [sys.executable, "-m", "tests.gateway.interfaces.http.program", wanted, *words]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def gateway(browser: Browser) -> Iterator[Gateway]:
    gateway = Gateway()
    browser.open(f"http://127.0.0.1:{gateway.port}/")
    browser.until("return document.querySelectorAll('li').length >= 10")
    yield gateway
    browser.open("about:blank")  # else the page goes on to ask who is gone, and complains in the middle of another test
    gateway.close()


def test_a_configuration_that_is_refused_is_told_to_an_open_page(browser: Browser, gateway: Gateway) -> None:
    shown = "const n = document.getElementById('notice'); return n.hidden ? '' : n.textContent"
    assert browser.run(shown) == ""
    values = browser.run(f"return {part('pump.state', '.number')}.textContent")
    order(browser, "set mistakes gateway.toml:3: sth31")
    told = browser.until(shown)
    assert told == "The configuration was not taken over:\ngateway.toml:3: sth31"
    order(browser, 'set mistakes ""')
    browser.until(f"return (() => {{ {shown} }})() === ''")
    assert browser.run(f"return {part('pump.state', '.number')}.textContent") == values, "the rest stays as it was"


def order(browser: Browser, command: str) -> None:
    browser.run(f"""fetch("api/v1/commands", {{method: "POST", headers: {{"Content-Type": "application/json"}},
                    body: JSON.stringify({{command: {json.dumps(command)}}})}})""")


def part(name: str, selector: str) -> str:
    return f"{TILE.format(name)}.querySelector('{selector}')"


def test_values_move_and_are_drawn(browser: Browser, gateway: Gateway) -> None:
    shown = f"return {part('attic.temperature', '.value')}.textContent"
    first = browser.until(f"{shown}.replace('–°C', '')")
    assert first.endswith("°C") and 19 < float(first.removesuffix("°C")) < 24
    browser.until(f"{shown} !== '{first}'")
    browser.until(f"return ({part('attic.temperature', '.line')}.getAttribute('d') ?? '').split('L').length > 3")
    assert " to " in browser.run(f"return {part('attic.temperature', 'svg')}.getAttribute('aria-label')")
    assert browser.run("return document.getElementById('link').textContent") == "Live · 7 of 9 devices running"
    assert browser.complaints() == []


def test_trouble_and_age_are_told(browser: Browser, gateway: Gateway) -> None:
    text = browser.run("return document.getElementById('devices').innerText")
    assert "is /dev/ttyUSB1 still plugged in?" in text and "set driver to bmp280" in text
    assert browser.run(f"return {part('cellar.temperature', '.value')}.textContent") == "–°C"
    browser.until(f"return {part('roof.mode', '.quality')}.textContent === 'stale'")  # it falls silent
    assert browser.run(f"return {TILE.format('roof.mode')}.className") == "old"
    assert browser.run(f"return {part('roof.mode', '.value')}.textContent") == "3d"


def test_a_switch_moves_when_the_device_says_so(browser: Browser, gateway: Gateway) -> None:
    state = f"return {part('pump.state', '[role=switch]')}.getAttribute('aria-checked')"
    assert browser.until(state) == "false"
    browser.run(f"{part('pump.state', '[role=switch]')}.click()")
    browser.until(f"{state} === 'true'")
    assert browser.run(f"return {part('pump.state', '.number')}.textContent") == "on"
    browser.run(f"{part('gate.state', '[role=switch]')}.click()")
    refused = browser.until(f"return {part('gate.state', '.refused')}.innerText")
    assert refused == "Not set: no answer from gpio:GPIO27"
    assert browser.run(state.replace("pump", "gate")) == "false"


def test_an_output_s_rules_are_told_and_which_of_them_switched_it(browser: Browser, gateway: Gateway) -> None:
    rules = f"return {part('pump.state', '.rules')}.innerText"
    assert browser.until(rules) == "On only if attic.state · On for 10 min at most"
    for _ in range(2):
        state = browser.run(f"return {part('pump.state', '.number')}.textContent")
        browser.run(f"{part('pump.state', '[role=switch]')}.click()")
        browser.until(f"return {part('pump.state', '.number')}.textContent !== '{state}'")
    browser.until(f"{rules}.startsWith('By its rule max_on: on for 10 s · On only if')")
    assert browser.run(f"return {part('gate.state', '.rules')}.hidden")


def test_a_tile_shows_commands_that_work(browser: Browser, gateway: Gateway) -> None:
    browser.run(f"{part('attic.temperature', 'details')}.open = true")
    curl, netcat = browser.until(f"return (l => l.length && l)([...{TILE.format('attic.temperature')}"
                                 ".querySelectorAll('code')].map(e => e.textContent))")  # fmt: skip
    assert netcat == "printf 'get attic.temperature\\n' | nc -N 127.0.0.1 7600"
    got = subprocess.run(curl, shell=True, capture_output=True, text=True, check=True).stdout
    assert '"name":"attic.temperature"' in got
    browser.run(f"{part('pump.state', 'details')}.open = true")
    set_ = browser.until(f"return {TILE.format('pump.state')}.querySelector('code:last-child')?.textContent")
    assert '"ok":true' in subprocess.run(set_, shell=True, capture_output=True, text=True, check=True).stdout


def test_names_and_values_are_text_and_never_markup(browser: Browser, gateway: Gateway) -> None:
    browser.run("fetch('api/v1/commands', {method: 'POST', headers: {'Content-Type': 'application/json'},"
                " body: JSON.stringify({command: 'set note <img src=x onerror=alert(1)>'})})")  # fmt: skip
    browser.until(f"return {part('manual.note', '.value')}.textContent.startsWith('<img')")
    browser.run("fetch('api/v1/commands', {method: 'POST', headers: {'Content-Type': 'application/json'},"
                " body: JSON.stringify({command: 'set later 7'})})")  # fmt: skip
    browser.until(f"return {TILE.format('manual.later')} && {part('manual.later', '.value')}.textContent === '7'")


def test_a_gateway_that_goes_away_is_told_and_one_that_comes_back_is_shown(browser: Browser, gateway: Gateway) -> None:
    browser.until(f"return {part('attic.temperature', '.value')}.textContent !== '–°C'")
    gateway.close()
    browser.until("return document.body.className === 'lost'")
    assert "Connection lost" in browser.run("return document.getElementById('link').textContent")
    assert browser.run(f"return {part('attic.temperature', '.value')}.textContent") != "–°C"  # still there, greyed
    assert browser.run(f"return {part('pump.state', '[role=switch]')}.disabled")
    again = Gateway(gateway.port)
    try:
        browser.until("return document.getElementById('link').className === 'live'")
        assert browser.run("return document.body.className") == ""
        assert not browser.run(f"return {part('pump.state', '[role=switch]')}.disabled")
    finally:
        browser.open("about:blank")
        again.close()


def test_a_value_gets_its_time_when_the_gateway_does(browser: Browser) -> None:
    gateway = Gateway(0, "unsynced")
    try:
        browser.open(f"http://127.0.0.1:{gateway.port}/")
        browser.until(
            f"return {TILE.format('pump.state')} && {part('pump.state', '.quality')}.textContent === 'unsynced'"
        )
        when = f"return {part('pump.state', 'time')}.dateTime"
        assert browser.run(when) == ""
        browser.run("fetch('api/v1/commands', {method: 'POST', headers: {'Content-Type': 'application/json'},"
                    " body: JSON.stringify({command: 'set clock on'})})")  # fmt: skip
        browser.until(f"return {part('pump.state', '.quality')}.textContent === ''")
        age = datetime.now(UTC) - datetime.fromisoformat(browser.run(when))
        assert 0 < age.total_seconds() < 60
    finally:
        browser.open("about:blank")
        gateway.close()


def test_the_page_fits_a_phone_and_asks_the_gateway_only(browser: Browser, gateway: Gateway) -> None:
    size = {"width": 360, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    browser.call("/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})
    assert browser.run("return document.documentElement.scrollWidth") == 360
    browser.call("/goog/cdp/execute", {"cmd": "Emulation.clearDeviceMetricsOverride", "params": {}})
    asked = browser.run("return performance.getEntriesByType('resource').map(e => e.name)")
    assert asked and all(each.startswith(f"http://127.0.0.1:{gateway.port}/") for each in asked)


# A device's own page


@pytest.fixture
def past(browser: Browser) -> Iterator[Gateway]:
    gateway = Gateway(0, "past")
    browser.complaints()  # of the tests before
    browser.open(f"http://127.0.0.1:{gateway.port}/#attic.humidity")
    browser.until(f"return {summary('attic.temperature')}.startsWith('Lowest')")
    yield gateway
    browser.open("about:blank")
    gateway.close()


def summary(name: str) -> str:
    return f"({TILE.format(name)}?.querySelector('.summary').textContent ?? '')"


def test_a_device_has_a_page_with_its_past(browser: Browser, past: Gateway) -> None:
    shown = "return [...document.querySelectorAll('#devices > section')].filter(e => e.offsetHeight).map(e => e.id)"
    assert len(browser.run(shown)) == 1
    browser.until("return document.querySelectorAll('.open .plot canvas').length === 2")
    happened = browser.until("return document.querySelector('.open .happened ol').innerText")
    assert "lost: no answer: is it still plugged in?" in happened and "running" in happened
    hour = browser.run(f"return {summary('attic.temperature')}")
    assert "gap" in hour and "°C at" in hour
    for span, lowest in (("Day", 17), ("Month", 14), ("Year", 10)):  # a night, autumn, winter
        browser.run(f"document.querySelector('.open .spans input[value={span}]').click()")
        browser.until(f"return parseFloat({summary('attic.temperature')}.split(' ')[1]) < {lowest}")
    assert browser.run(f"return {summary('attic.temperature')}").endswith("gap")  # the forty days
    browser.run("document.querySelector('#back a').click()")
    browser.until("return document.body.className === ''")
    assert len(browser.run(shown)) > 5 and browser.complaints() == []


def test_live_readings_are_drawn_on(browser: Browser, past: Gateway) -> None:
    """Also where the last step has not ended."""
    for span in ("Hour", "Year"):
        browser.run(f"document.querySelector('.open .spans input[value={span}]').click()")
        first = browser.until(f"return {summary('attic.temperature')}.split('last ')[1]")
        browser.until(f"return {summary('attic.temperature')}.split('last ')[1] !== {first!r}")


def test_the_numbers_at_a_chart_are_whole(browser: Browser, past: Gateway) -> None:
    """However long they are: with its first digit cut off, one would be false."""
    canvas = f"{TILE.format('manual.place')}?.querySelector('canvas')"
    for value in "1234567.8912345", "1234567.8912347", "1234567.8912349":
        order(browser, f"set place {value}")
    browser.run("location.hash = 'manual'")
    browser.until(f"return {canvas}?.width && {summary('manual.place')}.includes('highest')")
    ink = f"const c = {canvas}, at = x => c.getContext('2d').getImageData(x, 0, 1, c.height).data.some(Boolean);"
    browser.until(f"{ink} return [...Array(c.width).keys()].some(at)")
    browser.until(f"{ink} return !at(0)", 10)


def test_a_chart_is_read_by_keyboard(browser: Browser, past: Gateway) -> None:
    slider = f"{TILE.format('attic.temperature')}.querySelector('input[type=range]')"
    browser.until(f"return {slider}.offsetHeight")
    browser.run(f"{slider}.focus()")
    element = browser.run("return document.activeElement")
    key = next(iter(element.values()))
    for _ in range(3):
        browser.call(f"/element/{key}/value", {"text": "\ue012"})  # to the left
    told = browser.until(f"return {slider}.getAttribute('aria-valuetext')")
    assert told.endswith("°C") and ":" in told
    assert browser.run(f"return {slider}.getAttribute('aria-label')") == "A moment of Temperature"
    hour = browser.run("return document.querySelector('.open .spans input:checked')")
    browser.call(f"/element/{next(iter(hour.values()))}/value", {"text": "\ue014"})  # to the right
    assert browser.until("return document.querySelector('.open .spans input:checked').value") == "Day"


def test_flags_have_steps_and_words_a_list(browser: Browser, past: Gateway) -> None:
    browser.run("location.hash = 'pump.state'")
    assert " changes, last o" in browser.until(f"return {summary('pump.state')}")
    browser.run(f"{part('pump.state', '[role=switch]')}.click()")
    browser.until(f"return {summary('pump.state')}.includes('last on')")
    browser.run("location.hash = 'manual'")
    browser.until(f"return {part('manual.note', '.changes')}.innerText.includes('Anna')")
    browser.run("fetch('api/v1/commands', {method: 'POST', headers: {'Content-Type': 'application/json'},"
                " body: JSON.stringify({command: 'set note <b>never mind</b>'})})")  # fmt: skip
    browser.until(f"return {part('manual.note', '.changes')}.firstChild.innerText.endsWith('<b>never mind</b>')")
    assert browser.run(f"return {summary('manual.note')}") == "1 change"
    assert browser.complaints() == []


def test_a_gateway_without_the_time_shows_seconds_since_its_start(browser: Browser) -> None:
    gateway = Gateway(0, "unsynced")
    try:
        browser.open(f"http://127.0.0.1:{gateway.port}/#attic")
        browser.until(f"return {summary('attic.temperature')}.includes('s after the start')")
        browser.until("return document.querySelectorAll('.open .plot canvas').length === 2")
        browser.run("fetch('api/v1/commands', {method: 'POST', headers: {'Content-Type': 'application/json'},"
                    " body: JSON.stringify({command: 'set clock on'})})")  # fmt: skip
        browser.until(f"return (t => t.startsWith('Lowest') && !t.includes('start'))({summary('attic.temperature')})")
        assert browser.complaints() == []
    finally:
        browser.open("about:blank")
        gateway.close()


def test_the_history_is_told(browser: Browser, gateway: Gateway) -> None:
    assert browser.until("return document.getElementById('kept').innerText").startswith("History in memory · ")


@pytest.mark.parametrize("dark", ["dark", "light"])
def test_charts_fit_a_phone(browser: Browser, past: Gateway, dark: str) -> None:
    size = {"width": 360, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    scheme = {"features": [{"name": "prefers-color-scheme", "value": dark}]}
    browser.call("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": scheme})
    browser.call("/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})
    try:
        browser.until(
            "return (e => e && e.getBoundingClientRect().width < 340)(document.querySelector('.open canvas'))"
        )
        assert browser.run("return document.documentElement.scrollWidth") == 360
    finally:
        browser.call("/goog/cdp/execute", {"cmd": "Emulation.clearDeviceMetricsOverride", "params": {}})
        browser.call("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": []}})
    asked = browser.run("return performance.getEntriesByType('resource').map(e => e.name)")
    assert any(each.endswith("/uPlot.js") for each in asked)
    assert all(each.startswith(f"http://127.0.0.1:{past.port}/") for each in asked)
