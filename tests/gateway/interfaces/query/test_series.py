"""Time series over the query port, answered by a real store."""

from __future__ import annotations

import pytest

from gateway.interfaces.query.resp import series
from tests.gateway.commands.house import House
from tests.gateway.interfaces.query.talk import Talk, Wrong

START = 1_795_194_000_000  # milliseconds
ATTIC = {"name": "attic.temperature", "device": "attic", "quantity": "temperature", "unit": "°C"}


@pytest.fixture(params=[2, 3])
def talk(request: pytest.FixtureRequest) -> Talk:
    """A house that measured 20, 21 ... 29 °C, one every ten seconds."""
    house = House()
    for at in range(10):
        house.measure(20.0 + at)
        house.time.advance(10)
    return Talk(house, request.param)


def numbers(samples: list[list[object]]) -> list[tuple[int, float]]:
    """Seconds since the start, and values: RESP2 has them as strings."""
    return [((at - START) // 1000, float(value)) for at, value in samples]  # type: ignore[arg-type, operator]


def test_a_range_of_all_and_of_some(talk: Talk) -> None:
    every = [(10 * at, 20.0 + at) for at in range(10)]
    assert numbers(talk.line("TS.RANGE attic.temperature - +")) == every
    assert numbers(talk.line("TS.REVRANGE attic.temperature - +")) == every[::-1]
    assert numbers(talk.line(f"TS.RANGE attic.temperature {START + 10_000} {START + 30_000}")) == every[1:4]
    assert numbers(talk.line(f"TS.RANGE attic.temperature {START + 10_001} {START + 29_999} LATEST")) == every[2:3]
    assert numbers(talk.line("TS.REVRANGE attic.temperature - + COUNT 2")) == every[:-3:-1]
    assert talk.line("TS.RANGE attic.temperature - + COUNT 0") == []
    assert talk.line("TS.RANGE attic.temperature 0 1000") == []


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("avg", [20, 22, 25, 27.5, 29]),
        ("min", [20, 21, 24, 27, 29]),
        ("max", [20, 23, 26, 28, 29]),
        ("sum", [20, 66, 75, 55, 29]),
        ("count", [1, 3, 3, 2, 1]),
        ("first", [20, 21, 24, 27, 29]),
        ("last", [20, 23, 26, 28, 29]),
    ],
)
def test_aggregation(talk: Talk, word: str, values: list[float]) -> None:
    """17:00:00 is no multiple of 27 seconds: the first bucket begins before it."""
    first = START // 27_000 * 27_000
    got = talk.line(f"TS.RANGE attic.temperature - + AGGREGATION {word} 27000")
    assert [at for at, _ in got] == [first + 27_000 * at for at in range(len(values))]
    assert [float(value) for _, value in got] == values
    middle = talk.line(f"TS.RANGE attic.temperature - + AGGREGATION {word} 27000 BUCKETTIMESTAMP mid")
    assert middle[0][0] == first + 13_500


def test_a_mean_over_time(talk: Talk) -> None:
    got = talk.line("TS.RANGE attic.temperature - + ALIGN 0 AGGREGATION twa 100000")
    assert all(20 <= float(value) <= 29 for _, value in got) and got


def test_the_newest(talk: Talk) -> None:
    (newest,) = numbers([talk.line("TS.GET attic.temperature")])
    assert newest == (90, 29.0)
    del talk.house.hub.latest["attic.temperature"]  # the device is lost: the past has it still
    assert numbers([talk.line("TS.GET attic.temperature LATEST")]) == [newest]
    assert talk.line("TS.GET pump.speed") == []


def test_many_by_their_labels(talk: Talk) -> None:
    got = talk.line("TS.MGET WITHLABELS FILTER device=attic unit!=%")
    labels = got["attic.temperature"][0] if talk.port.dialect.version == 3 else dict(got[0][1])  # type: ignore[attr-defined]
    assert labels == ATTIC and len(got) == 1
    both = talk.line("TS.MRANGE - + COUNT 1 SELECTED_LABELS unit nothing FILTER device=(attic,pump) quantity!=speed")
    if talk.port.dialect.version == 3:  # type: ignore[attr-defined]
        assert set(both) == {"attic.humidity", "attic.temperature", "pump.level", "pump.state"}
        assert both["attic.temperature"] == [{"unit": "°C", "nothing": None}, {"aggregators": []}, [[START, 20.0]]]
    else:
        assert [name for name, _, _ in both] == ["attic.humidity", "attic.temperature", "pump.level", "pump.state"]
        assert both[1] == ["attic.temperature", [["unit", "°C"], ["nothing", None]], [[START, "20"]]]
    back = talk.line("TS.MREVRANGE - + COUNT 1 AGGREGATION max 1000 FILTER name=attic.temperature")
    last = back["attic.temperature"][-1] if talk.port.dialect.version == 3 else back[0][2]  # type: ignore[attr-defined]
    assert numbers(last) == [(90, 29.0)]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ("device=attic", {"attic.temperature", "attic.humidity"}),
        ("quantity=temperature", {"attic.temperature"}),
        ("device=attic unit=%", {"attic.humidity"}),
        ("device=(attic,pump) unit=", {"pump.state"}),
        ("device=pump unit!=", {"pump.speed", "pump.level"}),
        ("device=nobody", set()),
    ],
)
def test_an_index_of_names(talk: Talk, filters: str, names: set[str]) -> None:
    """The pump's mode and note are words, and no time series."""
    assert set(talk.line(f"TS.QUERYINDEX {filters}")) == names


def test_how_much_there_is(talk: Talk) -> None:
    got = talk.line("TS.INFO attic.temperature")
    rows = got if isinstance(got, dict) else dict(zip(got[::2], got[1::2], strict=True))
    assert (rows["totalSamples"], rows["firstTimestamp"], rows["lastTimestamp"]) == (10, START, START + 90_000)
    assert rows["labels"] == (ATTIC if isinstance(got, dict) else [list(pair) for pair in ATTIC.items()])


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("TS.GET attic.nothing", "ERR TSDB: the key does not exist"),
        ("TS.RANGE attic.nothing - +", "ERR TSDB: the key does not exist"),
        ("TS.RANGE pump.mode - +", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("TS.RANGE attic.temperature x +", "ERR TSDB: wrong fromTimestamp"),
        ("TS.RANGE attic.temperature - x", "ERR TSDB: wrong toTimestamp"),
        ("TS.RANGE attic.temperature - + COUNT", "ERR TSDB: Couldn't parse COUNT"),
        ("TS.RANGE attic.temperature - + COUNT x", "ERR TSDB: Couldn't parse COUNT"),
        ("TS.RANGE attic.temperature - + AGGREGATION avg", "ERR TSDB: Couldn't parse AGGREGATION"),
        ("TS.RANGE attic.temperature - + AGGREGATION avg 0", "ERR TSDB: bucketDuration must be greater than zero"),
        ("TS.RANGE attic.temperature - + FILTER_BY_VALUE 1 2", "ERR TSDB: FILTER_BY_VALUE is not known here"),
        ("TS.RANGE attic.temperature - + BUCKETTIMESTAMP x", "ERR TSDB: unknown BUCKETTIMESTAMP parameter"),
        (
            "TS.RANGE attic.temperature 7 + ALIGN start AGGREGATION avg 1000",
            "ERR TSDB: ALIGN: buckets stand at the multiples of their duration, here",
        ),
        ("TS.RANGE attic.temperature -", "ERR wrong number of arguments for 'ts.range' command"),
        ("TS.MGET FILTER device!=attic", "ERR TSDB: please provide at least one matcher"),
        ("TS.MGET FILTER attic", "ERR TSDB: failed parsing labels"),
        ("TS.MRANGE - + FILTER device=attic GROUPBY unit REDUCE max", "ERR TSDB: GROUPBY is not known here"),
        ("TS.MGET WITHLABELS LATEST", "ERR TSDB: missing FILTER argument"),
        ("TS.ADD x * 5", "ERR unknown command 'TS.ADD', with args beginning with: 'x' '*' '5' "),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(talk: Talk, line: str, answer: str) -> None:
    assert talk.line(line) == Wrong(answer)


def test_an_unknown_aggregation_is_told_which_there_are(talk: Talk) -> None:
    got = talk.line("TS.RANGE attic.temperature - + AGGREGATION std.p 1000")
    assert got == Wrong("ERR TSDB: Unknown aggregation type; there are avg, min, max, sum, count, first, last, twa")


def test_flags_and_what_has_no_time(talk: Talk) -> None:
    talk.line("SET light on")
    talk.line("SET light off")
    assert [float(value) for _, value in talk.line("TS.RANGE light - +")] == [1, 0]
    other = Talk(House(None))
    other.house.measure()
    assert other.line("TS.RANGE attic.temperature - +") == other.line("TS.GET attic.temperature") == []


def test_pages_join_without_a_seam(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    every = talk.line("TS.RANGE attic.temperature - +")
    back = talk.line("TS.REVRANGE attic.temperature - + AGGREGATION max 27000")
    monkeypatch.setattr(series, "PAGE", 3)
    assert talk.line("TS.RANGE attic.temperature - +") == every and len(every) == 10
    assert talk.line("TS.RANGE attic.temperature - + COUNT 7") == every[:7]
    assert talk.line("TS.REVRANGE attic.temperature - + AGGREGATION max 27000") == back and len(back) == 5


def test_samples_in_one_answer_have_a_bound(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "POINTS", 15)
    limit = "ERR limit over 15 samples in one answer; ask with AGGREGATION, COUNT or less time"
    assert len(talk.line("TS.RANGE attic.temperature - +")) == 10
    assert talk.line("TS.MRANGE - + FILTER device=attic") == Wrong(limit)
    assert len(talk.line("TS.MRANGE - + COUNT 7 FILTER device=attic")) == 2


def test_who_leaves_no_longer_asks(talk: Talk) -> None:
    talk.house.past.slow = True
    talk.send(b"*4\r\n$8\r\nTS.RANGE\r\n$17\r\nattic.temperature\r\n$1\r\n-\r\n$1\r\n+\r\n*1\r\n$4\r\nPING\r\n")
    ((question, answer),) = talk.house.past.asked
    assert question.name == "attic.temperature" and talk.heard() == []
    talk.port.connectionLost()
    assert answer.called and len(talk.house.past.asked) == 1


def test_an_answer_waits_for_the_history(talk: Talk) -> None:
    talk.house.past.slow = True
    talk.send(b"*4\r\n$8\r\nTS.RANGE\r\n$17\r\nattic.temperature\r\n$1\r\n-\r\n$1\r\n+\r\n*1\r\n$4\r\nPING\r\n")
    ((question, answer),) = talk.house.past.asked
    talk.house.past.slow = False
    talk.house.past.ask(question).chainDeferred(answer)
    talk.turn()
    samples, pong = talk.heard()
    assert len(samples) == 10 and pong == "PONG"


def test_a_text_that_is_gone_does_not_end_the_answer() -> None:
    talk = Talk()
    for line in ("SET word hello", "SET number 5", "DEL word"):
        talk.line(line)
    found = talk.line("TS.MRANGE - + AGGREGATION max 60000 FILTER device=manual")
    assert [(name, len(samples)) for name, _, samples in found] == [("manual.number", 1), ("manual.word", 0)]
