"""The database as such: transactions, what waits for the next, and the little that is always known of it: which series
there are, and what time it was in each boot.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from typing import Any

from gateway.clock import Segment
from gateway.history.file import MEMORY, PAGE, Damaged, connect, told
from gateway.history.head import MOST, Series

Statement = tuple[str, tuple[Any, ...]]


class Database:
    """The file at *path*, or memory.  Every method raises HistoryError when the file fails."""

    def __init__(self, path: str = MEMORY) -> None:
        self.path = path
        self.db = connect(path)
        self.queue: list[Statement] = []  # for the next commit
        self.series: dict[int, Series] = {}
        self.named: dict[str, dict[int, Series]] = {}  # the same by name
        self.segments: dict[int, list[tuple[int, int]]] = {}  # boot -> (since, offset), in milliseconds
        self.floors: dict[int, int] = {}  # boot -> the last time known before it
        self.ended: dict[int, dict[int, int]] = {}  # series -> boot -> its last millisecond, once asked
        self.boot = self.damaged = 0
        try:
            with self.reading():
                self.load()
        except (ValueError, TypeError, OverflowError) as error:  # what is read there is not what was written
            self.db.close()
            raise Damaged(f"{path} is damaged: {error}") from error
        except BaseException:
            self.db.close()
            raise

    def load(self) -> None:
        """What is known of series and times."""
        for row in self.db.execute("SELECT id, name, kind, unit, digits, keeps FROM series"):
            self.know(Series(*row))
        for boot, since, offset in self.db.execute("SELECT * FROM segment ORDER BY boot, since"):
            self.segments.setdefault(boot, []).append((int(since), int(offset)))
        rows = self.db.execute("SELECT key, data FROM kept WHERE kind='floor'")
        self.floors.update((int(key), int(at)) for key, at in rows)
        self.boot = self.last_boot()

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

    # Transactions

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

    @contextmanager
    def committing(self) -> Iterator[None]:
        """One that has what waits in it, too."""
        waiting = len(self.queue)
        with self.writing():
            for statement, values in self.queue:
                self.db.execute(statement, values)
            yield
        del self.queue[:waiting]

    def put(self, statement: str, *values: Any) -> None:
        """Have *statement* carried out with the next commit."""
        self.queue.append((statement, tuple(characters(each) if isinstance(each, str) else each for each in values)))

    # Series

    def of(self, name: str) -> list[Series]:
        """The series of this name."""
        return list(self.named.get(name, {}).values())

    def know(self, series: Series) -> Series:
        self.series[series.id] = self.named.setdefault(series.name, {})[series.id] = series
        return series

    def same(self, series: Series) -> Series:
        """That of this name and kind of value here; made when there is none."""
        alike = (each for each in self.of(series.name) if each.key == series.key)
        return next(alike, None) or self.have(replace(series, id=self.next()))

    def have(self, series: Series) -> Series:
        """From the next commit on there is *series*, or lasts as long as it does."""
        put = "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET keeps=excluded.keeps"
        self.put(put, *astuple(series))
        return self.know(series)

    def next(self) -> int:
        """The number of a new series; none is ever taken away."""
        number = len(self.series) + 1
        return number if number not in self.series else max(self.series) + 1

    # Boots and times

    def last_boot(self) -> int:
        """The number of the last boot that left something here."""
        asked = "SELECT max(boot) FROM (SELECT max(boot) boot FROM log UNION SELECT max(boot) FROM segment)"
        (last,) = self.db.execute(asked).fetchone()
        row = self.db.execute("SELECT data FROM kept WHERE kind='gateway' AND key='boot'").fetchone()
        return max(last or 0, int(row[0]) if row else 0)

    def segment(self, boot: int, ms: int) -> int:
        """Which segment of *boot* that millisecond belongs to."""
        return max(0, bisect_right(self.segments.get(boot, []), (ms, MOST)) - 1)

    def learn(self, segment: Segment) -> None:
        """The clock was set."""
        since, offset = round(segment.since * 1000), round(segment.offset * 1000)
        self.segments.setdefault(segment.boot, []).append((since, offset))
        self.put("INSERT OR REPLACE INTO segment VALUES (?, ?, ?)", segment.boot, since, offset)

    def times(self) -> list[Segment]:
        """The clock segments of all boots."""
        return [
            Segment(boot, since / 1000, offset / 1000) for boot, all in self.segments.items() for since, offset in all
        ]

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


def characters(text: str) -> str:
    """Half a character, as in the name of a file that is no UTF-8, is escaped: no database takes it."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()
