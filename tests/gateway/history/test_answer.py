"""Whatever happened to a store, its answers are those of a plain list."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.api import Quantity, Value
from gateway.clock import Clock
from gateway.history.block import SIZE, Points
from gateway.history.blocks import whole
from gateway.history.file import HistoryError
from gateway.history.keep import finish
from gateway.history.store import Store
from gateway.reading import Reading
from tests.gateway.history.past import WALL, Past, Told, done

NAME = "attic.temperature"
FOLDS: dict[str, Callable[[list[Told]], Value]] = {
    "mean": lambda told: sum(each.value for each in told) / len(told),  # type: ignore[misc]
    "min": lambda told: min(each.value for each in told),
    "max": lambda told: max(each.value for each in told),
    "first": lambda told: told[0].value,
    "last": lambda told: told[-1].value,
    "count": len,
    "sum": lambda told: sum(each.value for each in told),  # type: ignore[misc]
}
some = st.integers(1, 40)
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), some, st.sampled_from([1, 250, 1000, 7000, 400_000])),
        st.tuples(st.just("tell"), st.just(SIZE), st.just(1000)),
        st.tuples(st.just("commit")),
        st.tuples(st.just("pack")),
        st.tuples(st.just("pack all")),
        st.tuples(st.just("kill")),
        st.tuples(st.just("kill early")),
        st.tuples(st.just("set"), st.sampled_from([0, 1, 3600, 90_000, -5000])),
        st.tuples(st.just("roll")),
        st.tuples(st.just("tidy")),
    ),
    min_size=1,
    max_size=25,
)


METER = "meter.count"


def carried_out(deeds: list[tuple[object, ...]], folder: Path, name: str = NAME) -> Past:
    past, value, known = Past(folder), 20.0, False
    for deed, *more in deeds:
        match deed, *more:
            case "tell", int(count), int(after):
                for at in range(count):
                    if name == METER:  # which begins again from nothing now and then
                        value = at % 3 if at % 37 == 23 else int(value) + at * 7919 % 13 // 4
                    else:
                        value += ((at * 7919) % 13 - 6) / 100
                    past.tell(name, value, after, suspect=at % 17 == 3)
            case ("commit",):
                past.commit()
            case ("pack",):
                past.commit()
                past.store.pack()
            case ("pack all",):
                past.commit()
                past.store.pack(everything=True)
            case ("kill" | "kill early",):
                past.kill(finished=deed == "kill")
                known = False
            case "set", int(shift):
                if known or shift >= 0:
                    past.now += 400  # the value before it still holds
                    past.set_clock(WALL + shift + past.now / 1000 + 1000 * past.store.boot)
                    past.commit()
                    known = True
            case ("roll" | "tidy",):
                past.commit()
                if deed == "tidy":
                    past.store.pack(everything=True)
                past.roll()
    return past


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DEEDS, st.integers(-5000, 5000), st.integers(1, 200_000), st.integers(40, 700))
def test_readings_are_those_that_were_told(deeds: list[tuple[object, ...]], start: int, width: int, limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        past = carried_out(deeds, Path(folder))
        if not any(told.name == NAME for told in past.told) and not past.store.of(NAME):
            return
        for begin, end in ((0, 2**33), (WALL + start, WALL + start + width)):
            wanted = past.listed(NAME, begin, end)
            assert past.all(NAME, begin, end, limit=limit) == wanted
            assert past.all(NAME, begin, end, limit=limit, backwards=True) == wanted[::-1]
        assert past.store.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    DEEDS,
    st.integers(-5000, 5000),
    st.integers(1, 200_000),
    st.sampled_from([0.5, 7, 60, 1000, 3600, 7200, 86_400]),
    st.sampled_from(sorted(FOLDS)),
    st.integers(40, 600),
)
def test_buckets_are_those_of_the_readings(
    deeds: list[tuple[object, ...]], start: int, width: int, step: float, aggregate: str, limit: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        past = carried_out(deeds, Path(folder))
        if not past.store.of(NAME):
            return
        for begin, end in ((WALL - 10_000, WALL + 10**7), (WALL + start, WALL + start + width)):
            wanted = past.gathered(NAME, begin, end, step, FOLDS[aggregate])
            for backwards in (False, True):
                found = past.all(NAME, begin, end, step=step, aggregate=aggregate, limit=limit, backwards=backwards)
                assert [at for at, _ in found] == [at for at, _ in (wanted[::-1] if backwards else wanted)]
                assert [value for _, value in found] == pytest.approx(
                    [value for _, value in (wanted[::-1] if backwards else wanted)]
                )


@pytest.mark.parametrize("aggregate", ["delta", "rate", "twa"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    DEEDS,
    st.integers(-5000, 5000),
    st.integers(1, 200_000),
    st.sampled_from([0.5, 7, 60, 1000, 3600, 7200, 86_400]),
    st.integers(3, 600),
    st.booleans(),
)
def test_growth_and_means_over_time_are_those_of_the_readings(
    aggregate: str, deeds: list[tuple[object, ...]], start: int, width: int, step: float, limit: int, backwards: bool
) -> None:
    name = NAME if aggregate == "twa" else METER
    with tempfile.TemporaryDirectory() as folder:
        past = carried_out(deeds, Path(folder), name)
        if not past.store.of(name):
            return
        for begin, end in ((WALL - 10_000, WALL + 10**7), (WALL + start, WALL + start + width)):
            if aggregate == "twa":
                wanted = past.weighed(name, begin, end, step, 5.0)
            else:
                wanted = past.growing(name, begin, end, step)
            if aggregate == "rate":
                wanted = [(at, float(value) / step) for at, value in wanted]
            found = past.all(name, begin, end, step=step, aggregate=aggregate, limit=limit, backwards=backwards)
            wanted = wanted[::-1] if backwards else wanted
            assert [at for at, _ in found] == [at for at, _ in wanted]
            assert [value for _, value in found] == pytest.approx([value for _, value in wanted])


def counted(*values: int, keeps: float = 5.0) -> Past:
    past = Past()
    past.set_clock(WALL)
    for value in values:
        past.tell("meter.count", value, 1000, keeps)
    return past


@pytest.mark.parametrize("packed", [False, True])
def test_a_counter_that_falls_began_again_from_nothing(packed: bool) -> None:
    past = counted(10, 14, 15, 3, 5, 5, 0, 2)
    if packed:
        past.commit()
        past.store.pack(everything=True)
    (page,) = past.all("meter.count", WALL, WALL + 10_000, step=10_000, aggregate="delta")
    assert page[1] == 4 + 1 + 3 + 2 + 0 + 0 + 2
    (page,) = past.all("meter.count", WALL, WALL + 10_000, step=10_000, aggregate="rate")
    assert page[1] == pytest.approx(12 / 10_000)


def test_growth_at_the_beginning_is_since_the_reading_before_whatever_boot_came_before(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.set_clock(WALL)
    past.tell("meter.count", 10)
    past.commit()
    past.kill()
    past.set_clock(WALL + 100)
    for value in (500, 501, 502, 503):
        past.tell("meter.count", value)
    found = past.all("meter.count", WALL + 103, WALL + 200, step=1, aggregate="delta")
    assert found == past.growing("meter.count", WALL + 103, WALL + 200, 1) == [(WALL + 103, 1), (WALL + 104, 1)]


def test_what_a_boot_of_no_known_time_counted_is_growth_of_the_next(tmp_path: Path) -> None:
    """Else the sum of all growth would be less than what a meter shows."""
    past = Past(tmp_path)
    past.set_clock(WALL)
    past.tell("meter.count", 10)
    past.commit()
    past.kill()
    past.tell("meter.count", 20)
    past.commit()
    past.kill()
    past.set_clock(WALL + 100)
    past.tell("meter.count", 25)
    for start in (WALL, WALL + 50):
        assert past.all("meter.count", start, WALL + 200, step=1, aggregate="delta")[-1] == (WALL + 101, 15)


def test_a_value_that_holds_over_a_step_of_the_clock_counts_once() -> None:
    past = Past()
    past.set_clock(WALL + 29)
    past.tell(NAME, 10.0, 1000, keeps=60)
    past.now += 9000
    past.set_clock(WALL + 41)  # it was 39
    past.tell(NAME, 40.0, 10_000, keeps=60)
    found = past.all(NAME, WALL + 29, WALL + 61, step=3600, aggregate="twa")
    assert found[0][1] == pytest.approx((10.0 * 19 + 40.0 * 10) / 29)


def test_growth_belongs_to_the_bucket_in_which_it_was_seen() -> None:
    past = counted(10, 14, 15, 20)  # at 1, 2, 3 and 4 s
    found = past.all("meter.count", WALL + 2.5, WALL + 10, step=1, aggregate="delta")
    assert [value for _, value in found] == [1, 5]


@pytest.mark.parametrize("packed", [False, True])
def test_a_mean_over_time_weighs_each_value_by_how_long_it_held(packed: bool) -> None:
    past = Past()
    past.set_clock(WALL + 629)  # a minute begins
    for value, after in ((10.0, 0), (20.0, 6000), (40.0, 24_000), (0.0, 60_000)):
        past.tell(NAME, value, after, keeps=30)
    if packed:
        past.commit()
        past.store.pack(everything=True)
    found = past.all(NAME, WALL + 600, WALL + 1000, step=60, aggregate="twa")
    # 10 for 6 s, 20 for 24 s, 40 for 30 s: to the end of the minute, and of its time; then nothing until 0 comes
    assert [value for _, value in found] == pytest.approx([(60 + 480 + 1200) / 60, 0.0])


def test_a_value_holds_into_the_range_that_is_asked_for() -> None:
    past = Past()
    past.set_clock(WALL + 629)
    past.tell(NAME, 10.0, 0, keeps=60)
    past.tell(NAME, 20.0, 40_000, keeps=60)
    found = past.all(NAME, WALL + 629 + 30, WALL + 629 + 60, step=60, aggregate="twa")
    assert found[0][1] == pytest.approx((10 * 10 + 20 * 20) / 30)


def test_the_first_and_the_last_of_a_day_are_right_where_it_has_a_restart(tmp_path: Path) -> None:
    """The start before it had lasted longer than this one does."""
    past = Past(tmp_path)
    past.now = 10**9
    past.set_clock(WALL)
    past.tell("attic.count", 1)
    past.commit()
    past.kill()
    past.set_clock(WALL + 10)
    for value in (2, 3, 4):
        past.tell("attic.count", value)
        past.commit()
        past.store.pack(everything=value != 4)
    day = {"step": 86_400, "limit": 10}
    for aggregate, value in ("first", 1), ("last", 4):
        assert past.all("attic.count", 0, 2**33, aggregate=aggregate, **day)[0][1] == value


def test_extremes_keep_both_ends_for_a_drawing() -> None:
    past = Past()
    past.set_clock(WALL)
    for value in (5.0, 9.0, -3.0, 4.0):
        past.tell(NAME, value)
    found = past.all(NAME, WALL, WALL + 100, step=1000, aggregate="extremes")
    assert [value for _, value in found] == [-3.0, 9.0]
    newest = past.all(NAME, WALL, WALL + 100, step=1000, aggregate="extremes", backwards=True)
    assert newest == found[::-1]


def test_flags_and_texts_are_kept_too() -> None:
    past = Past()
    past.set_clock(WALL)
    for at in range(2500):
        past.tell("pump.state", at % 3 == 0)
        past.tell("pump.note", f"number {at % 7} »ü«")
    past.commit()
    past.store.pack()
    assert past.all("pump.state", 0, 2**33) == past.listed("pump.state", 0, 2**33)
    assert past.all("pump.note", 0, 2**33) == past.listed("pump.note", 0, 2**33)
    counted = past.all("pump.note", 0, 2**33, step=100_000, aggregate="count")
    assert sum(value for _, value in counted) == 2500
    with pytest.raises(HistoryError, match="pump.note is text"):
        past.ask("pump.note", 0, 2**33, step=60.0)
    means = past.all("pump.state", 0, 2**33, step=100_000, aggregate="mean")
    assert all(0.3 < value < 0.4 for _, value in means)
    with pytest.raises(HistoryError, match="pump.flow: no reading"):
        past.ask("pump.flow", 0, 2**33)


def test_a_boot_that_never_knew_the_time_stands_behind_the_one_before(tmp_path: Path) -> None:
    past = Past(tmp_path)
    past.set_clock(WALL)
    past.tell(NAME, 1.0, 10_000)
    past.commit()
    past.kill()
    past.tell(NAME, 2.0, 5000)
    past.commit()
    page = past.ask(NAME, WALL, WALL + 100)
    assert [(point.wall, point.monotonic, point.value, point.quality) for point in page.points] == [
        (WALL + 10, 10.0, 1.0, "good"),
        (None, 5.0, 2.0, "unsynced"),
    ]
    assert len(past.ask(NAME, WALL, WALL + 9)) == 0
    page = past.ask(NAME, 0, 100, running=True)
    assert [(point.wall, point.value) for point in page.points] == [(None, 2.0)]


def test_a_damaged_block_is_passed_over_and_counted() -> None:
    past = Past()
    past.set_clock(WALL)
    for at in range(3 * SIZE):
        past.tell(NAME, float(at))
    past.commit()
    past.store.pack()
    assert len(past.ask(NAME, 0, 2**33, limit=10_000)) == 3 * SIZE
    past.store.db.execute("UPDATE block SET data=substr(data, 1, 100) WHERE id=2")
    assert len(past.ask(NAME, 0, 2**33, limit=10_000)) == 2 * SIZE
    assert past.store.damaged == 1
    past.store.db.execute("UPDATE block SET data=substr(data, 1, length(data) - 20) WHERE id=1")  # its numbers
    for backwards in (False, True):
        assert len(past.ask(NAME, 0, 2**33, limit=10_000, backwards=backwards)) == SIZE
    assert past.store.damaged == 5


@pytest.mark.parametrize("backwards", [False, True])
def test_a_page_unpacks_nothing_that_the_pages_before_have_shown(
    backwards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    past, unpacked = Past(), list[int]()
    past.set_clock(WALL)
    for at in range(20 * SIZE):
        past.tell(NAME, at / 7)
    past.commit()
    past.store.pack(everything=True)

    def counted(store: Store, number: Any, boot: int, rest: bool) -> Points | None:
        unpacked.append(number)
        return whole(store, number, boot, rest)

    monkeypatch.setattr("gateway.history.past.whole", counted)
    wanted = past.listed(NAME, 0, 2**33)
    assert past.all(NAME, 0, 2**33, limit=500, backwards=backwards) == (wanted[::-1] if backwards else wanted)
    assert 20 <= len(unpacked) <= 40 + 2 * 20  # a page that ends with its block looks into that once more


def test_of_many_boots_only_those_are_looked_into_that_the_question_is_about() -> None:
    past, asked = Past(), list[str]()
    for boot in range(1, 201):
        past.store.begin(boot, 0)
        past.now = 0
        past.set_clock(WALL + 10_000 * boot)
        for _ in range(30):
            past.tell(NAME, 20.0, 300_000, keeps=600)
        past.commit()
        past.store.pack(everything=True)
        past.store.heads.clear()
    done(finish(past.store))
    start, end = WALL + 1_005_000, WALL + 1_025_000
    wanted = past.listed(NAME, start, end)
    for more in ({}, {"backwards": True}, {"step": 7200, "aggregate": "count"}, {"step": 60, "aggregate": "delta"}):
        past.ask(NAME, start, end, **more)  # what is looked up once
        past.store.db.set_trace_callback(asked.append)
        found = past.ask(NAME, start, end, **more)
        past.store.db.set_trace_callback(None)
        assert len(found) > 3 and len(asked) < 100, more
        asked.clear()
    assert past.all(NAME, start, end) == wanted and len(wanted) > 50


def test_a_name_that_changes_its_kind_is_told_page_by_page() -> None:
    """A key may be a text, then a number, then a text again: each page says how all of it is written."""
    past = Past()
    past.set_clock(WALL)
    kinds = {"word": Quantity("x", kind="text"), "half": Quantity("x", "V", low=-9, high=99, digits=1)}
    turns = ["word", "word", "half", "word", "half", "half"]
    for at, kind in enumerate(turns):
        past.now, past.seq = past.now + 1000, past.seq + 1
        clock = Clock(past.store.boot, lambda: 0.0)
        value: Any = f"text {at}" if kind == "word" else at / 2
        past.store.take([(Reading("manual.x", kinds[kind], value, past.store.boot, past.seq, past.now / 1000, clock),)])
        if at == 2:
            past.commit()
            past.store.pack(everything=True)
    for backwards in (False, True):
        found: list[tuple[str, str, Any]] = []
        page = past.ask("manual.x", 0, 2**33, backwards=backwards)
        while True:
            found += [(page.kind, page.unit, point.value) for point in page.points]
            if page.more is None:
                break
            page = past.ask("manual.x", 0, 2**33, backwards=backwards, after=page.more)
        wanted: list[tuple[str, str, Any]] = [
            ("text", "", f"text {at}") if kind == "word" else ("float", "V", at / 2) for at, kind in enumerate(turns)
        ]
        assert found == (wanted[::-1] if backwards else wanted)
    for need, told in ("count", 6), ("first", "text 0"), ("last", "2.5"):
        page = past.ask("manual.x", 0, 2**33, step=86_400.0, aggregate=need)
        assert [point.value for point in page.points] == [told] and page.unit == ""
        assert page.kind == ("int" if need == "count" else "text")
    page = past.ask("manual.x", 0, 2**33, step=86_400.0, aggregate="max")  # of its numbers
    assert [point.value for point in page.points] == [2.5] and (page.kind, page.unit) == ("float", "V")
