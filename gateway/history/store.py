"""What is kept, and where: the log, the blocks it is packed into, hours, and what is newer than all of them.

Everything here happens on one thread, and waits for the disk.  A batch of readings is in ``heads`` first, where
questions find it; ``commit`` adds what is new to the log, and then it outlives us.  ``pack`` turns the log into blocks
and forgets it.  When a commit fails nothing is lost but time: the same is tried again with the next.
"""

from __future__ import annotations

import sqlite3
import zlib
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import inf, isfinite
from typing import Any

import msgspec

from drivers.api import Value
from gateway.clock import Segment
from gateway.history.block import SIZE, Points, Sum, pack, summed, unpack
from gateway.history.file import MEMORY, PAGE, Damaged, HistoryError, connect, told
from gateway.history.head import MOST, Head, Series, together
from gateway.reading import Reading, Readings

FOREVER = 2**40  # milliseconds: a value that only its successor ends
UNSAVED = 200_000  # readings that are remembered while nothing can be written
ASKED = 32  # series of which the ends of all boots are remembered
BESIDE = 16  # rows of the log in one page, at least
PACKED = 50_000  # readings in the log that make it be packed, all of it
EVENT = "boot, ms, device, what, text, count"
DEED = "boot, ms, who, origin, interface, name, old, new, result"
SUMS = "n, total, low, high, first, last, area, held, growth"
Statement = tuple[str, tuple[Any, ...]]
Fresh = tuple[int, int, int, Value]  # series (below 0: suspect), milliseconds, number, value


class Store:
    """One database, and the readings that are not in it yet.  Every method raises HistoryError when the file fails."""

    def __init__(self, path: str = MEMORY) -> None:
        self.path = path
        self.db = connect(path)
        self.heads: dict[str, Head] = {}  # of the running boot, by name
        self.series: dict[int, Series] = {}
        self.named: dict[str, dict[int, Series]] = {}  # the same by name
        self.retired: list[Head] = []  # whose name has another kind of value now
        self.fresh: list[Fresh] = []  # what no commit has written yet
        self.queue: list[Statement] = []  # for the next commit
        self.rolled: dict[tuple[int, int, int], int] = {}  # series, boot, segment -> until when its hours are made
        self.rows: deque[tuple[int, int, int]] = deque()  # of the log: row, number of its last reading, how many
        self.logged = self.lost = self.thinned = self.damaged = 0
        self.ended: dict[int, dict[int, int]] = {}  # series -> boot -> its last millisecond, once asked
        self.spared = 0  # changed rows that cost no page of their own
        self.edition = 0  # grows when readings move from the log into blocks
        self.thin = 0  # milliseconds that a series of numbers keeps between two readings
        try:
            with self.reading():
                self.load()
                self.recover()
        except (ValueError, TypeError, OverflowError) as error:  # what is read there is not what was written
            self.db.close()
            raise Damaged(f"{path} is damaged: {error}") from error
        except BaseException:
            self.db.close()
            raise

    def load(self) -> None:
        """What is known of series and times."""
        with self.reading():
            rows = self.db.execute("SELECT id, name, kind, unit, digits, keeps FROM series")
            for row in rows:
                self.know(Series(*row))
            self.segments: dict[int, list[tuple[int, int]]] = {}  # boot -> (since, offset), in milliseconds
            for boot, since, offset in self.db.execute("SELECT * FROM segment ORDER BY boot, since"):
                self.segments.setdefault(boot, []).append((int(since), int(offset)))
            rows = self.db.execute("SELECT key, data FROM kept WHERE kind='floor'")
            self.floors = {int(key): int(at) for key, at in rows}  # boot -> the last time known before it
        self.boot = self.boots()

    @contextmanager
    def reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise told(error, self.path) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of it, or nothing."""
        try:
            self.db.execute("BEGIN")
            yield
            self.db.execute("COMMIT")
        except BaseException as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise told(error, self.path) from error
            raise

    def boots(self) -> int:
        """The number of the last boot that left something here."""
        with self.reading():
            asked = "SELECT max(boot) FROM (SELECT max(boot) boot FROM log UNION SELECT max(boot) FROM segment)"
            (last,) = self.db.execute(asked).fetchone()
            row = self.db.execute("SELECT data FROM kept WHERE kind='gateway' AND key='boot'").fetchone()
        return max(last or 0, int(row[0]) if row else 0)

    def begin(self, boot: int, floor: int) -> None:
        """The readings that come now belong to *boot*, which began after *floor* (milliseconds of Unix time)."""
        self.floors[boot] = floor
        self.boot = boot
        self.put("INSERT OR REPLACE INTO kept VALUES ('gateway', 'boot', ?)", b"%d" % boot)
        self.put("INSERT OR REPLACE INTO kept VALUES ('floor', ?, ?)", str(boot), b"%d" % floor)
        self.commit()

    def floor_ms(self, boot: int | None = None) -> int:
        """What time it was at the end of *boot* (the last one), at least, in milliseconds of Unix time.  Not the latest
        that there ever was: a clock that was an hour ahead, and was set right, must not be ahead for ever."""
        boot = self.boot if boot is None else boot
        asked = "SELECT max(stop) FROM span WHERE series=? AND boot=?"
        with self.reading():
            stops = [self.db.execute(asked, (series, boot)).fetchone()[0] or 0 for series in self.series]
        since, offset = self.segments.get(boot, [(0, self.floors.get(boot, 0))])[-1]
        return offset + max(since, *stops, 0)

    def floor(self) -> float:
        return self.floor_ms() / 1000

    def times(self) -> list[Segment]:
        """The clock segments of all boots."""
        return [
            Segment(boot, since / 1000, offset / 1000) for boot, all in self.segments.items() for since, offset in all
        ]

    def recover(self) -> None:
        """Pack what the log of an earlier boot still holds."""
        with self.reading():
            rows = self.db.execute("SELECT id, boot, data FROM log ORDER BY id").fetchall()
        for boot in sorted({row[1] for row in rows}):
            self.boot = boot
            self.replay([data for _, of, data in rows if of == boot])
            self.rows.extend((number, -1, 0) for number, of, _ in rows if of == boot)
            self.pack(everything=True)
            self.heads.clear()
        self.boot = self.boots()

    def replay(self, batches: Iterable[bytes]) -> None:
        """Take what the log says; what is in a block already is passed over."""
        heads: dict[int, tuple[Head, int]] = {}
        for data in batches:
            try:
                batch = list(unbatched(data))
            except ValueError:
                self.damaged += 1
                continue
            for number, ms, seq, value, suspect in batch:
                if number not in self.series:
                    self.damaged += 1
                    continue
                if number not in heads:
                    made = self.heads[str(number)] = Head(self.series[number], None, self.boot, 0)
                    heads[number] = made, self.packed_until(number)
                head, until = heads[number]
                if seq > until:
                    if suspect:
                        head.suspects.append(len(head.ms))
                    head.ms.append(ms)
                    head.seqs.append(seq)
                    head.values.append(value)

    def packed_until(self, series: int) -> int:
        """The number of the last reading of this boot in a block."""
        row = self.tail(series)
        return row[1].more()[0][-1] if row else -1

    # What comes

    def take(self, batch: Iterable[Readings]) -> None:
        """Remember readings of the running boot."""
        heads, fresh = self.heads, self.fresh
        for readings in batch:
            ms = round(readings[0].monotonic * 1000)
            for reading in readings:
                head = heads.get(reading.name)
                if head is None or head.quantity is not reading.quantity:
                    head = self.head(reading)
                value, seq, number = reading.value, reading.seq, head.number
                if head.scale:
                    if self.thin and head.ms and ms - head.ms[-1] < self.thin and not head.switch:
                        self.thinned += 1
                        continue
                    try:
                        exact = value * head.scale  # type: ignore[operator]
                        kept = round(exact)
                        if not -0.49 < exact - kept < 0.49:  # which way it is shown is decided by all of its decimals
                            kept = round(round(value, head.series.digits) * head.scale)  # type: ignore[arg-type]
                        value = kept if -MOST < kept < MOST else float(kept)
                    except (OverflowError, ValueError):  # no number
                        self.lost += 1
                        continue
                else:
                    value = characters(value)  # type: ignore[arg-type]  # a text
                if reading.mark != "good":
                    head.suspects.append(len(head.ms))
                    number = -number
                head.ms.append(ms)
                head.seqs.append(seq)
                head.values.append(value)
                fresh.append((number, ms, seq, value))

    def head(self, reading: Reading) -> Head:
        """Where readings of this name and kind go."""
        name, quantity = reading.name, reading.quantity
        digits = quantity.digits if quantity.kind == "float" else 0
        old = self.heads.get(name)
        keeps = reading.until - reading.monotonic
        key = name, quantity.kind, quantity.unit, digits
        series = next((each for each in self.of(name) if (each.name, each.kind, each.unit, each.digits) == key), None)
        if series is None or series.keeps != lasting(keeps):
            series = self.know(Series(series.id if series else self.next(), *key, lasting(keeps)))
            put = "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET keeps=excluded.keeps"
            self.put(put, *(getattr(series, each) for each in ("id", "name", "kind", "unit", "digits", "keeps")))
        if old is not None and old.series.id == series.id:  # the device was made anew, and nothing changed
            old.series, old.quantity = series, quantity
            return old
        if old is not None and len(old.ms):
            self.retired.append(old)
        back = next((each for each in self.retired if each.series.id == series.id), None)
        if back is not None:
            self.retired.remove(back)
            back.series, back.quantity = series, quantity
        scale = 0 if series.textual else 10**digits
        made = self.heads[name] = back or Head(series, quantity, self.boot, scale)
        return made

    def of(self, name: str) -> list[Series]:
        """The series of this name."""
        return list(self.named.get(name, {}).values())

    def know(self, series: Series) -> Series:
        self.series[series.id] = self.named.setdefault(series.name, {})[series.id] = series
        return series

    def next(self) -> int:
        """The number of a new series; none is ever taken away."""
        number = len(self.series) + 1
        return number if number not in self.series else max(self.series) + 1

    def put(self, statement: str, *values: Any) -> None:
        """Have *statement* carried out with the next commit."""
        self.queue.append((statement, tuple(characters(each) if isinstance(each, str) else each for each in values)))

    # What stays

    def every(self) -> list[Head]:
        return [*self.retired, *self.heads.values()]

    def commit(self) -> int:
        """Write what is new to the log.  How many readings these were; they and all before outlive us now."""
        fresh = self.fresh
        if not fresh and not self.queue:
            return 0
        try:
            with self.writing():
                for statement, values in self.queue:
                    self.db.execute(statement, values)
                if fresh:
                    values = self.boot, batched(fresh)
                    row = self.db.execute("INSERT INTO log (boot, data) VALUES (?, ?)", values).lastrowid
        except HistoryError:
            self.forget()
            raise
        self.queue.clear()
        if fresh:
            self.rows.append((row or 0, fresh[-1][2], len(fresh)))
            self.logged += len(fresh)
            self.fresh = []
        return len(fresh)

    def forget(self) -> None:
        """Nothing can be written: let the oldest go before they are too many."""
        if (over := len(self.fresh) - UNSAVED) > 0:
            over += UNSAVED // 10
            last = self.fresh[over - 1][2]
            del self.fresh[:over]
            self.lost += over
            for head in self.every():
                head.drop(bisect_right(head.seqs, last))
        if (over := len(self.queue) - UNSAVED) > 0:  # without these two no reading could be read again
            self.queue[:over] = [each for each in self.queue[:over] if "series" in each[0] or "segment" in each[0]]

    def pack(self, everything: bool = False) -> None:
        """Put what is in the log into blocks: runs of ``SIZE``, or with *everything* all there is."""
        if self.fresh:  # it could not be written, so neither can a block
            return
        everything = everything or self.logged > PACKED
        if not everything and all(len(head.ms) < SIZE for head in self.every()):
            return
        done: list[tuple[Head, int]] = []
        with self.writing():
            for head in self.every():
                count = 0
                while count < len(head.ms) and (everything or len(head.ms) - count >= SIZE):
                    end = self.cut(head, count)
                    self.add(head.series, head.points(count, end), merge=everything)
                    count = end
                done.append((head, count))
            first = min((head.seqs[count] for head, count in done if count < len(head.seqs)), default=inf)
            gone = [row for row, last, _ in self.rows if last < first]
            self.db.executemany("DELETE FROM log WHERE id=?", [(row,) for row in gone])
            self.spared += len(gone) - len(gone) // BESIDE
        self.edition += any(count for _, count in done)
        for head, count in done:
            if count:
                head.drop(count)
        for _ in gone:
            self.logged -= self.rows.popleft()[2]
        self.retired = [head for head in self.retired if len(head.ms)]

    def cut(self, head: Head, begin: int) -> int:
        """Where the block that begins at *begin* ends: full, or where the clock was set."""
        end = min(begin + SIZE, len(head.ms))
        for since, _ in self.segments.get(self.boot, ())[1:]:
            if head.ms[begin] < since <= head.ms[end - 1]:
                return head.find(since)
        return end

    def add(self, series: Series, points: Points, merge: bool) -> None:
        """Store one block.  A small one is stored together with the one before it, when that is not much larger: the
        blocks of a slow series grow, and none is written again too often."""
        while merge and (tail := self.tail(series.id, points.boot)) is not None:
            key, before = tail
            if len(before) + len(points) > SIZE or len(before) >= 2 * len(points):
                break
            if self.segment(points.boot, before.origin + before.ms[0]) != self.segment(points.boot, points.ms[0]):
                break
            points = together(before, points)
            self.db.execute("DELETE FROM span WHERE series=? AND boot=? AND start=? AND seq=?", key[:4])
            self.db.execute("DELETE FROM block WHERE id=?", key[4:])
        data, sums = pack(points), () if series.textual else summed(points, 0, len(points), series.keeps)
        put = "INSERT INTO block (series, boot, data) VALUES (?, ?, ?)"
        row = self.db.execute(put, (series.id, points.boot, data)).lastrowid
        place, last = points.place(0), points.place(len(points) - 1)
        head = (series.id, points.boot, place.ms, place.seq, last.ms, row, len(points))
        tailing = columns(sums) if isinstance(sums, Sum) else (None,) * 8
        self.db.execute(f"INSERT INTO span VALUES ({', '.join('?' * 15)})", head + tailing)
        if (ends := self.ended.get(series.id)) is not None:
            ends[points.boot] = max(last.ms, ends.get(points.boot, 0))

    def end(self, series: int, boot: int) -> int:
        """The millisecond of the last reading of *series* in *boot* that is in a block, or of which an hour is left; -1
        where there is none.  Of a thousand boots a question is about few."""
        if (ends := self.ended.get(series)) is None:
            if len(self.ended) >= ASKED:
                self.ended.clear()
            asked = "SELECT boot, max(stop) FROM {} WHERE series=? GROUP BY boot"
            ends = self.ended[series] = {}
            for table in ("hour", "span"):
                for each, stop in self.db.execute(asked.format(table), (series,)):
                    ends[each] = max(stop, ends.get(each, 0))
        return ends.get(boot, -1)

    def tail(self, series: int, boot: int | None = None) -> tuple[tuple[int, ...], Points] | None:
        """The last block of this series in a boot: its keys, and its points."""
        asked = (
            "SELECT span.series, span.boot, start, seq, block, data FROM span JOIN block ON block.id = block "
            "WHERE span.series=? AND span.boot=? ORDER BY start DESC, seq DESC LIMIT 1"
        )
        row = self.db.execute(asked, (series, self.boot if boot is None else boot)).fetchone()
        try:
            return None if row is None else (row[:5], unpack(row[5], row[1], rest=True))
        except ValueError:
            self.damaged += 1
            return None

    # Time

    def segment(self, boot: int, ms: int) -> int:
        """Which segment of *boot* that millisecond belongs to."""
        return max(0, bisect_right(self.segments.get(boot, []), (ms, MOST)) - 1)

    def learn(self, segment: Segment) -> None:
        """The clock was set."""
        since, offset = round(segment.since * 1000), round(segment.offset * 1000)
        self.segments.setdefault(segment.boot, []).append((since, offset))
        self.put("INSERT OR REPLACE INTO segment VALUES (?, ?, ?)", segment.boot, since, offset)

    def size(self) -> int:
        """Bytes of the database that are in use."""
        with self.reading():
            (pages,), (free,) = (
                self.db.execute(f"PRAGMA {each}").fetchone() for each in ("page_count", "freelist_count")
            )
        return int(pages - free) * PAGE

    def close(self) -> None:
        with self.reading():
            self.db.close()


def batched(fresh: Sequence[Fresh]) -> bytes:
    """A row of the log.  Times and numbers are counted from the first: a row is written once a second for ever."""
    _, ms, seq, _ = fresh[0]
    flat: list[Any] = [ms, seq]
    for number, at, each, value in fresh:
        flat += number, at - ms, each - seq, value
    return zlib.compress(msgspec.msgpack.encode(flat), 1)


def unbatched(data: bytes) -> Iterator[tuple[int, int, int, int | float | str, bool]]:
    """What ``batched`` made a row of, and whether each is suspect.  Raises ValueError when it is damaged."""
    try:
        ms, seq, *flat = msgspec.msgpack.decode(zlib.decompress(data))
    except (zlib.error, ValueError, TypeError) as error:
        raise ValueError(f"a damaged row of the log: {error}") from None
    for number, at, each, value in zip(*[iter(flat)] * 4, strict=True):
        yield abs(number), at + ms, each + seq, value, number < 0


def characters(text: str) -> str:
    """Half a character, as in the name of a file that is no UTF-8, is escaped: no database takes it."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def columns(made: Sum) -> tuple[float, ...]:
    """The columns of a sum behind ``n``; a whole number that SQLite has no room for becomes a float."""
    values = made.total, made.low, made.high, made.first, made.last, made.area, made.held, made.growth
    return tuple(value if isinstance(value, float) or abs(value) < MOST else float(value) for value in values)


def lasting(seconds: float) -> int:
    """How long a reading holds, in milliseconds."""
    return min(round(seconds * 1000), FOREVER) if isfinite(seconds) else FOREVER
