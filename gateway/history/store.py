"""What is kept, and where: the log, the blocks it is packed into, hours, and what is newer than all of them.

Everything here happens on one thread, and waits for the disk.  A batch of readings is in ``heads`` first, where
questions find it; ``commit`` adds what is new to the log, and then it outlives us.  ``pack`` turns the log into blocks
and forgets it.  When a commit fails nothing is lost but time: the same is tried again with the next.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from math import inf, isfinite

from gateway.history import blocks
from gateway.history.block import SIZE
from gateway.history.database import Database, characters
from gateway.history.file import MEMORY, HistoryError
from gateway.history.head import MOST, Head, Series
from gateway.history.log import Fresh, batched, unbatched
from gateway.reading import Reading, Readings

FOREVER = 2**40  # milliseconds: a value that only its successor ends
UNSAVED = 200_000  # readings that are remembered while nothing can be written
BESIDE = 16  # rows of the log in one page, at least
PACKED = 50_000  # readings in the log that make it be packed, all of it


class Store(Database):
    """One database, and the readings that are not in it yet."""

    def __init__(self, path: str = MEMORY) -> None:
        self.heads: dict[str, Head] = {}  # of the running boot, by name
        self.retired: list[Head] = []  # whose name has another kind of value now
        self.fresh: list[Fresh] = []  # what no commit has written yet
        self.rolled: dict[tuple[int, int, int], int] = {}  # series, boot, segment -> until when its hours are made
        self.rows: deque[tuple[int, int, int]] = deque()  # of the log: row, number of its last reading, how many
        self.logged = self.lost = self.thinned = 0
        self.spared = 0  # changed rows that cost no page of their own
        self.edition = 0  # grows when readings move from the log into blocks
        self.thin = 0  # milliseconds that a series of numbers keeps between two readings
        super().__init__(path)  # loads

    def load(self) -> None:
        super().load()
        self.recover()

    def begin(self, boot: int, floor: int) -> None:
        """The readings that come now belong to *boot*, which began after *floor* (milliseconds of Unix time)."""
        self.floors[boot] = floor
        self.boot = boot
        self.put("INSERT OR REPLACE INTO kept VALUES ('gateway', 'boot', ?)", b"%d" % boot)
        self.put("INSERT OR REPLACE INTO kept VALUES ('floor', ?, ?)", str(boot), b"%d" % floor)
        self.commit()

    def recover(self) -> None:
        """Pack what the log of an earlier boot still holds."""
        rows = self.db.execute("SELECT id, boot, data FROM log ORDER BY id").fetchall()
        for boot in sorted({row[1] for row in rows}):
            self.boot = boot
            self.replay([data for _, of, data in rows if of == boot])
            self.rows.extend((number, -1, 0) for number, of, _ in rows if of == boot)
            self.pack(everything=True)
            self.heads.clear()
        self.boot = self.last_boot()

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
        last = blocks.tail(self, series, self.boot)
        return last[1].more()[0][-1] if last else -1

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
        keeps = lasting(reading.until - reading.monotonic)
        series = self.same(Series(0, name, quantity.kind, quantity.unit, digits, keeps))
        if series.keeps != keeps:
            series = self.have(replace(series, keeps=keeps))
        old = self.heads.get(name)
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

    # What stays

    def every(self) -> list[Head]:
        return [*self.retired, *self.heads.values()]

    def commit(self) -> int:
        """Write what is new to the log.  How many readings these were; they and all before outlive us now."""
        fresh = self.fresh
        if not fresh and not self.queue:
            return 0
        try:
            with self.committing():
                if fresh:
                    values = self.boot, batched(fresh)
                    row = self.db.execute("INSERT INTO log (boot, data) VALUES (?, ?)", values).lastrowid
        except HistoryError:
            self.forget()
            raise
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
        add = blocks.merge if everything else blocks.add
        done: list[tuple[Head, int]] = []
        with self.writing():
            for head in self.every():
                count = 0
                while count < len(head.ms) and (everything or len(head.ms) - count >= SIZE):
                    end = self.cut(head, count)
                    add(self, head.series, head.points(count, end))
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


def lasting(seconds: float) -> int:
    """How long a reading holds, in milliseconds."""
    return min(round(seconds * 1000), FOREVER) if isfinite(seconds) else FOREVER
