"""The history as the reactor sees it: a thread that may be slow, a disk that fails and comes back, a budget."""

from __future__ import annotations

import queue
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from operator import sub
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as Time
from twisted.python.failure import Failure

from drivers.api import Quantity
from gateway import config
from gateway.clock import Clock
from gateway.history import inbox, service
from gateway.history.budget import DAY, SELDOM, Budget, Meter
from gateway.history.file import CHECKPOINT, MEMORY, PAGE, Damaged
from gateway.history.opening import opened
from gateway.history.question import Deed, HistoryError, Question
from gateway.history.service import History
from gateway.hub import Hub

WALL = 1_790_000_000.0
KEPT = config.History(None, keep=None, size=2 * 10**9, bytes_per_day=10**9)
DEGREES = Quantity("temperature", "°C", low=-1e6, high=1e6, digits=2)
STATE = Quantity("state", "", "flag")


class Reactor(Time):
    """Time by hand; what the thread has to say is taken when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: queue.SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = queue.SimpleQueue()

    def callFromThread(self, call: Callable[..., object], *args: Any) -> None:
        self.said.put((call, args))

    def until(self, done: Callable[[], object]) -> None:
        while not done():
            call, args = self.said.get(timeout=60)
            call(*args)

    def result(self, deferred: Deferred[Any]) -> Any:
        """What *deferred* fires with; raises what it fails with."""
        got: list[Any] = []
        deferred.addCallbacks(lambda value: got.append((value, None)), lambda why: got.append((None, why.value)))
        self.until(lambda: got)
        value, error = got[0]
        if error is not None:
            raise error
        return value


class House:
    """A hub with a history."""

    def __init__(self, path: str | None = None, **more: Any) -> None:
        self.reactor = Reactor()
        store, why = opened(path)
        self.clock = Clock(store.boot + 1, self.reactor.seconds, store.times(), store.floor())
        self.hub = Hub(self.clock)
        self.history = History(self.reactor, self.clock, store, replace(KEPT, **more), path=path, why=why)
        self.hub.subscribe(self.history.hear, "*")
        self.history.startService()
        self.settle()

    def settle(self) -> None:
        """All that the thread was given is done."""
        self.reactor.result(self.history.worker.do(lambda: None))

    def tell(self, count: int = 1, seconds: float = 1.0) -> None:
        for at in range(count):
            self.hub.publish("attic", {DEGREES: at / 4}, keeps=60)
            self.reactor.advance(seconds)

    def values(self, name: str = "attic.temperature", **more: Any) -> list[Any]:
        question = Question(name, 0, 2**33, limit=100_000, running=not self.clock.now(), **more)
        return [point.value for point in self.reactor.result(self.history.ask(question)).points]

    def close(self) -> None:
        if self.history.running:
            self.reactor.result(self.history.stopService())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(str(tmp_path / "h.db"))
    yield made
    made.close()


def test_a_reading_is_there_at_once_and_after_the_next_start(house: House, tmp_path: Path) -> None:
    house.clock.set(WALL)
    house.hub.publish("attic", {DEGREES: 21.5})
    assert house.values() == [21.5]  # nothing was committed yet
    house.close()
    again = House(str(tmp_path / "h.db"))
    assert again.clock.boot == house.clock.boot + 1 and again.clock.floor >= WALL
    assert again.history.names() == ("attic.temperature",)
    again.clock.set(WALL + 100)
    again.hub.publish("attic", {DEGREES: 22.5})
    assert again.values() == [21.5, 22.5]
    again.close()


def test_a_copy_is_made_while_readings_go_on(house: House, tmp_path: Path) -> None:
    house.clock.set(WALL)
    house.tell(50)
    done = house.history.copy()
    with pytest.raises(HistoryError, match="copied already"):
        house.reactor.result(house.history.copy())
    house.tell(50)
    path, size = house.reactor.result(done)
    assert path == str(tmp_path / "h.db.backup") and size == Path(path).stat().st_size > 0

    # Nobody else gets in: the copying gave up no lock.
    look = f"import sqlite3; sqlite3.connect({str(tmp_path / 'h.db')!r}, timeout=0).execute('SELECT * FROM series')"
    other = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)
    assert "database is locked" in other.stderr
    assert house.history.store.db.execute("PRAGMA wal_autocheckpoint").fetchone() == (CHECKPOINT,)
    wanted = [at / 4 for at in range(50)]
    assert house.values() == wanted * 2

    copy = House(path)
    copy.clock.set(WALL + 1000)
    assert copy.values()[:50] == wanted
    copy.close()


def test_of_a_history_in_memory_there_is_no_copy() -> None:
    house = House()
    with pytest.raises(HistoryError, match="in memory"):
        house.reactor.result(house.history.copy())
    house.close()


def test_a_copy_that_finds_no_room_says_so_and_all_goes_on(house: House, tmp_path: Path) -> None:
    (tmp_path / "h.db.backup").mkdir()
    (tmp_path / "h.db.backup/h.db").mkdir()  # cp cannot put a file there
    with pytest.raises(HistoryError, match="no copy: cp:"):
        house.reactor.result(house.history.copy())
    (tmp_path / "h.db.backup/h.db").rmdir()
    (tmp_path / "h.db.backup").rmdir()
    house.clock.set(WALL)
    house.tell(3)
    assert house.values() == [0.0, 0.25, 0.5]
    assert house.reactor.result(house.history.copy())[1] > 0


def test_the_reactor_goes_on_while_the_disk_does_not(house: House) -> None:
    """A commit that takes for ever: readings are taken, and all are there in the end."""
    gate, commit = threading.Event(), house.history.store.commit

    def slow() -> int:
        gate.wait(20)
        return commit()

    house.history.store.commit = slow  # type: ignore[method-assign]
    house.clock.set(WALL)
    house.tell(300)
    gate.set()
    assert len(house.values()) == 300


def test_what_waits_for_a_stuck_disk_is_bounded_and_the_oldest_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "UNSAVED", 100)
    gate, commit = threading.Event(), house.history.store.commit

    def stuck() -> int:
        gate.wait(20)
        return commit()

    house.clock.set(WALL)
    house.tell(3)
    house.settle()
    house.history.store.commit = stuck  # type: ignore[method-assign]
    house.tell(1)
    house.reactor.until(lambda: not house.history.inbox.given)
    house.tell(199)
    asked = house.history.ask(Question("attic.temperature", 0, 2**33))
    house.tell(200)
    waiting = sum(map(len, [house.history.inbox.batch, *house.history.inbox.given]))
    assert 0 < waiting <= 100 and len(house.history.worker.jobs) < 20
    gate.set()
    house.reactor.result(asked)
    values = house.values()
    assert values[-80:] == [at / 4 for at in range(120, 200)] and len(values) + house.history.inbox.dropped == 403


def test_a_disk_that_is_full_is_said_so_and_used_again(house: House) -> None:
    house.clock.set(WALL)
    house.tell(3)
    house.settle()
    db = house.history.store.db
    house.reactor.result(house.history.worker.do(lambda: db.execute("PRAGMA query_only=1")))
    house.tell(5)
    house.settle()
    house.reactor.until(lambda: "read-only" in house.history.facts["history"])
    assert len(house.values()) == 8
    deed = Deed("me", "here", "tcp", "pump.state", "off", "on", "OK")
    house.reactor.result(house.history.deed(deed))  # answered, though it is in memory only
    house.reactor.result(house.history.worker.do(lambda: db.execute("PRAGMA query_only=0")))
    house.tell(5)
    house.settle()
    house.reactor.until(lambda: ":" not in house.history.facts["history"])
    assert len(house.values()) == 13
    ((_, kept),) = house.reactor.result(house.history.deeds(0, 2**33))
    assert kept == deed


def test_a_disk_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    """Another process has it; when it lets go, all that came meanwhile goes to the disk."""
    path = str(tmp_path / "h.db")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    house = House(path)
    assert house.history.store.path == MEMORY and "in use by another process" in house.history.facts["history"]
    house.clock.set(WALL)
    house.tell(50)
    other.close()
    house.reactor.advance(service.AGAIN)
    house.reactor.until(lambda: house.history.store.path == path)
    house.settle()
    assert len(house.values()) == 50
    house.tell(10)
    house.close()
    again = House(path)
    again.clock.set(WALL + 1000)
    assert len(again.values()) == 60
    again.close()


def test_a_database_that_breaks_while_it_is_used_is_replaced(house: House, tmp_path: Path) -> None:
    house.clock.set(WALL)
    house.tell(3)
    house.settle()

    def broken() -> int:
        error = sqlite3.DatabaseError("database disk image is malformed")
        raise house.history.explained(error)

    house.history.store.commit = broken  # type: ignore[method-assign]
    house.tell(3)
    old = house.history.store
    house.reactor.until(lambda: house.history.store is not old)
    house.settle()
    assert len(house.values()) == 6
    assert len([each for each in tmp_path.iterdir() if "h.db.damaged-" in each.name]) >= 1


def test_what_was_acknowledged_outlives_a_damaged_database(house: House, tmp_path: Path) -> None:
    """Jobs, the audit trail and what happened, once found while it runs and once at a start."""
    house.clock.set(WALL)
    house.tell(3)
    deed = Deed("me", "here", "tcp", "pump.state", "off", "on", "OK")
    house.reactor.result(house.history.keep("job", "7", b"{}"))
    house.reactor.result(house.history.deed(deed))
    house.history.note("attic", "lost", "unplugged")
    house.settle()
    old = house.history.store
    house.history.failed(Failure(Damaged("it is damaged")))
    house.reactor.until(lambda: house.history.store is not old)
    house.settle()

    def check(house: House) -> None:
        assert house.reactor.result(house.history.kept("job")) == {"7": b"{}"}
        assert house.reactor.result(house.history.deeds(0, 2**33)) == ((WALL + 3, deed),)
        found = house.reactor.result(house.history.events(0, 2**33, ("attic",)))
        assert [(each.boot, each.wall, each.what) for each in found] == [(1, WALL + 3, "lost")]

    check(house)
    assert len(house.values()) == 3 and house.history.store.segments == {1: [(0, WALL * 1000)]}
    house.close()
    with closing(sqlite3.connect(tmp_path / "h.db")) as db:
        ((root,),) = db.execute("SELECT rootpage FROM sqlite_master WHERE name='log'")
    with (tmp_path / "h.db").open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(b"\xff" * PAGE)
    again = House(str(tmp_path / "h.db"))
    assert "gateway history repair" in again.history.trouble and again.clock.boot == 2
    check(again)
    again.close()


def test_two_failures_that_tell_of_one_damage_set_one_file_aside(house: House, tmp_path: Path) -> None:
    house.clock.set(WALL)
    house.tell(3)
    house.settle()
    old = house.history.store
    for _ in range(2):
        house.history.failed(Failure(Damaged("it is damaged")))
    house.reactor.until(lambda: house.history.store is not old)
    house.settle()
    assert len(house.values()) == 3
    assert len(list(tmp_path.glob("h.db.damaged-*[0-9]"))) == 1


def test_two_boots_never_have_one_number(tmp_path: Path) -> None:
    """A database with starts of its own that could not be opened at first: this start is one of its numbers."""
    path = str(tmp_path / "h.db")
    for _ in range(2):
        house = House(path)
        house.clock.set(WALL)
        house.tell(2)
        house.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    house = House(path)
    house.tell(5)
    other.close()
    house.reactor.advance(service.AGAIN)
    house.reactor.until(lambda: "takes over when the gateway is restarted" in house.history.facts["history"])
    assert house.history.store.path == MEMORY and len(house.values()) == 5
    house.close()
    again = House(path)  # nothing of ours holds the file
    assert again.history.store.path == path and again.clock.boot == 3
    again.close()


def test_a_table_that_is_taken_away_deletes_nothing(house: House) -> None:
    before = house.history.limits
    house.history.settle(None, None)
    assert house.history.limits is before


def test_small_facts_and_writes_are_on_the_disk_before_they_are_answered(house: House, tmp_path: Path) -> None:
    house.clock.set(WALL)
    house.reactor.result(house.history.keep("job", "7", b"{}"))
    house.reactor.result(house.history.keep("job", "8", b"{}"))
    house.reactor.result(house.history.keep("job", "8", None))
    deed = Deed("me", "here", "tcp", "pump.state", "off", "on", "OK")
    house.reactor.result(house.history.deed(deed))
    house.history.store.db.close()  # no last commit: the process was killed
    again = House(str(tmp_path / "h.db"))
    assert again.reactor.result(again.history.kept("job")) == {"7": b"{}"}
    assert again.reactor.result(again.history.deeds(0, 2**33)) == ((WALL, deed),)
    again.close()
    house.history.running = False


def test_what_happens_to_devices_is_kept(house: House) -> None:
    house.history.failures = lambda: (("attic", "NoAnswer", 3, "silent"),)
    house.clock.set(WALL)
    house.history.note("attic", "lost", "unplugged")
    house.tell(2)
    found = house.reactor.result(house.history.events(0, 2**33, ("attic",)))
    assert [(each.what, each.text, each.count) for each in found] == [
        ("lost", "unplugged", 1),
        ("NoAnswer", "silent", 3),
    ]
    house.history.failures = lambda: (("attic", "NoAnswer", 5, "silent"),)
    house.tell(int(SELDOM) + 1)
    found = house.reactor.result(house.history.events(0, 2**33, ("attic",)))
    assert [each.count for each in found if each.what == "NoAnswer"] == [3, 2]


def test_memory_is_all_there_is_without_a_path() -> None:
    house = House()
    house.tell(20)
    assert len(house.values()) == 20 and house.history.facts["history"] == "in memory"
    house.close()
    with pytest.raises(HistoryError, match="closed"):
        house.values()


def test_a_question_nobody_waits_for_is_given_up(house: House) -> None:
    house.clock.set(WALL)
    house.tell(10)
    asked = house.history.ask(Question("attic.temperature", 0, 2**33))
    asked.addErrback(lambda failure: None)
    asked.cancel()
    house.settle()
    assert not house.history.worker.going and len(house.values()) == 10


def test_commits_come_less_often_as_the_budget_empties() -> None:
    now = [0.0]
    budget = Budget(86_400_000, lambda: now[0])  # 1000 bytes a second

    def run(seconds: float, size: float) -> None:
        end = now[0] + seconds
        while now[0] < end:
            now[0] += budget.interval
            budget.spend(size)

    run(3600, 500)
    assert (budget.interval, budget.thin) == (1.0, 0.0) and budget.written() == pytest.approx(1_800_000, rel=0.01)
    run(DAY, 8000)
    assert 7 < budget.interval < 9 and budget.thin == 0  # 8000 bytes each 8 s are what it may be
    run(DAY, 200_000)
    assert budget.interval == SELDOM and budget.thin > 0  # even once a minute is too much: readings go
    run(2 * DAY, 300)
    assert (budget.interval, budget.thin) == (1.0, 0.0)


class Counting(Meter):
    """Remembers how much it was."""

    bytes = 0

    def spent(self, pages: int) -> int:
        self.bytes += (spent := super().spent(pages))
        return spent


def test_a_budget_is_kept_by_longer_intervals_and_then_by_fewer_readings(tmp_path: Path) -> None:
    """Two days with a tenth of the bytes that would be written without a budget, whoever counts them."""
    spent = {}
    for budget in (10**9, 3_000_000, 400_000):
        house = House(str(tmp_path / f"{budget}.db"), bytes_per_day=budget)
        house.clock.set(WALL)
        meter = house.history.meter = Counting(PAGE, tmp_path / "none")
        house.history.store.db.execute("PRAGMA synchronous=OFF")
        for at in range(17_280):
            house.hub.publish("attic", {DEGREES: at / 4}, keeps=60)
            if at % 100 == 0:
                house.hub.publish("pump", {STATE: at % 200 == 0})
            house.reactor.advance(10)
            house.settle()
            if at == 8640:
                first = meter.bytes
        facts = house.history.facts
        spent[budget] = meter.bytes - first
        assert facts["history_written"] == pytest.approx(spent[budget], rel=0.1)
        assert len(house.values(name="pump.state")) == 173
        temperatures = len(house.values())
        if budget == 10**9:
            assert (facts["history_commit"], facts["history_thinned"], temperatures) == (1.0, 0, 17_280)
        else:
            assert spent[budget] <= 1.15 * budget < spent[10**9] / 5  # an eighth may be left from the day before
            assert facts["history_commit"] > 1 and temperatures + house.history.store.thinned == 17_280
            assert facts["history_thinned"] > 0 and temperatures > 100
            later = Question("attic.temperature", WALL + DAY, 2**33, limit=20_000)
            times = [point.wall or 0 for point in house.reactor.result(house.history.ask(later)).points]
            assert budget == 400_000 or max(map(sub, times[1:], times)) < 1200  # not all or nothing
        house.close()


def test_the_kernel_says_what_was_written_or_pages_are_counted(tmp_path: Path) -> None:
    io = tmp_path / "io"
    io.write_text("rchar: 5\nwrite_bytes: 4096\n")
    meter = Meter(2048, io)
    io.write_text("rchar: 5\nwrite_bytes: 20480\n")
    assert meter.spent(3) == 16_384
    assert meter.spent(3) == 2 * 3 * 2048  # a disk in memory
    assert Meter(2048, tmp_path / "none").spent(1) == 4096
