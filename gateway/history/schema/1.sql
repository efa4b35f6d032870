-- The history as it was first.  A later version stands in a file of its own, 2.sql and so on, which brings a database
-- of the version before up to it.

-- One name with one kind of value.  A key of `manual` may change its kind, and is another series then.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,             -- float int flag choice text
    unit TEXT NOT NULL,
    digits INTEGER NOT NULL,        -- decimals that a number is kept with
    keeps INTEGER NOT NULL,         -- milliseconds for which a reading holds when no other follows
    UNIQUE (name, kind, unit, digits)
);

-- What was committed and is not packed yet: readings of all series, in the order they came.
CREATE TABLE log (id INTEGER PRIMARY KEY, boot INTEGER NOT NULL, data BLOB NOT NULL);

-- Readings of one series, one boot and one clock segment, packed: see block.py.  Each can be read by itself, should
-- all else be damaged.
CREATE TABLE block (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL, boot INTEGER NOT NULL, data BLOB NOT NULL
);

-- What a block holds, apart from it and in the order of questions.  Times are milliseconds of the boot; values are
-- whole numbers of the last decimal; both ends belong to it.
CREATE TABLE span (
    series INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    start INTEGER NOT NULL,
    seq INTEGER NOT NULL,           -- of its first reading; two readings of one series may share a millisecond
    stop INTEGER NOT NULL,
    block INTEGER NOT NULL,
    n INTEGER NOT NULL,
    total, low, high, first, last, area, held, growth,
    PRIMARY KEY (series, boot, start, seq)
) WITHOUT ROWID;

-- The same of whole hours of one clock segment; they stay when the blocks are gone.
CREATE TABLE hour (
    series INTEGER NOT NULL,
    hour INTEGER NOT NULL,          -- since 1970
    boot INTEGER NOT NULL,
    since INTEGER NOT NULL,         -- the segment's first millisecond
    start INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    n INTEGER NOT NULL,
    total, low, high, first, last, area, held, growth,
    PRIMARY KEY (series, hour, boot, since)
) WITHOUT ROWID;

-- Wall time, from a millisecond of a boot on: Unix time in milliseconds is offset + ms.
CREATE TABLE segment (
    boot INTEGER NOT NULL, since INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (boot, since)
) WITHOUT ROWID;

-- What happened to devices.
CREATE TABLE event (
    id INTEGER PRIMARY KEY, boot INTEGER NOT NULL, ms INTEGER NOT NULL,
    device TEXT NOT NULL, what TEXT NOT NULL, text TEXT NOT NULL, count INTEGER NOT NULL
);

-- Who wrote what.
CREATE TABLE deed (
    id INTEGER PRIMARY KEY, boot INTEGER NOT NULL, ms INTEGER NOT NULL, who TEXT NOT NULL, origin TEXT NOT NULL,
    interface TEXT NOT NULL, name TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, result TEXT NOT NULL
);

-- Small facts that others keep here: jobs, counters.
CREATE TABLE kept (kind TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
