"""The bench of what comes in: its traffic is Meta's, its figures follow from what was measured."""

import json
from collections import Counter
from itertools import pairwise

import pytest

from web.bench.figures import MEMORY, SQLITE
from web.bench.ingest import experiment
from web.bench.ingest.experiment import NO_ENGINE, RIVAL, SIDES, Round, Sizes, figures_of, last_quarter, share
from web.bench.ingest.load import Order
from web.bench.traffic import SECRET, Traffic
from web.whatsapp.payloads import parse
from web.whatsapp.signature import is_signed

# The traffic --------------------------------------------------------------------------------------


def bodies(traffic: Traffic) -> list[bytes]:
    return [request.partition(b"\r\n\r\n")[2] for request in traffic.requests()]


def test_each_message_comes_with_three_statuses() -> None:
    """Meta's own mix; the statuses of one row in their order, all of them what our parser knows."""
    parsed = [parse(body) for body in bodies(Traffic(first=5, messages=4, rows=["r1", "r2", "r3", "r4"]))]
    assert [message.id[-1] for each in parsed for message in each.messages] == ["5", "6", "7", "8"]
    reports = [report for each in parsed for report in each.reports]
    assert [report.row_id for report in reports] == ["r1", "r2", "r3", "r4"] * 3
    assert [report.delivery.value for report in reports] == ["sent"] * 4 + ["delivered"] * 4 + ["read"] * 4
    assert not any(each.others for each in parsed)


def test_rows_that_nobody_knows_stand_in_for_those_that_are_missing() -> None:
    """The first round has nothing that was sent; the mix is the same."""
    parsed = [parse(body) for body in bodies(Traffic(first=0, messages=2, rows=["r1"]))]
    counts = Counter(report.row_id for each in parsed for report in each.reports)
    assert counts == {"r1": 3, f"{0:032x}": 3}


def test_a_batch_has_so_many_updates() -> None:
    """One request less than full, in the end; nothing is lost or doubled."""
    traffic = Traffic(first=0, messages=10, batch=16)
    parsed = [parse(body) for body in bodies(traffic)]
    assert [len(each.messages) + len(each.reports) for each in parsed] == [16, 16, 8]
    assert traffic.updates == 40


def test_users_write_in_turn() -> None:
    """So many, that hardly anybody writes again before the reply."""
    parsed = [parse(body) for body in bodies(Traffic(first=0, messages=6, users=3, with_statuses=False))]
    people = [message.user.id for each in parsed for message in each.messages]
    assert people[:3] == people[3:]
    assert len(set(people)) == 3


def test_requests_are_signed() -> None:
    """As Meta signs them: the raw body."""
    (request,) = Traffic(first=0, messages=1, with_statuses=False).requests()
    head, _, body = request.partition(b"\r\n\r\n")
    signature = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"x-hub-signature-256"))
    assert is_signed(body, signature.partition(b": ")[2], SECRET)
    assert json.loads(body)["object"] == "whatsapp_business_account"


def test_an_order_comes_back_as_it_was_sent() -> None:
    """Through the pipe, as JSON."""
    order = Order(port=1, connections=2, traffic=Traffic(first=3, messages=4, rows=("r",)), per_second=5.0)
    fields = json.loads(json.dumps(order.as_json()))
    again = Order.of(fields)
    assert (again.port, again.connections, again.per_second) == (1, 2, 5.0)
    assert list(again.traffic.requests()) == list(order.traffic.requests())


# The figures --------------------------------------------------------------------------------------


def a_round(side: str, microseconds: float, latencies: tuple[float, ...] = (0.001, 0.002), stalled: int = 0):
    return Round(
        side=side,
        requests=100,
        cpu_seconds=microseconds / 1e4,
        seconds=2.0,
        latencies=latencies,
        stalled=stalled,
    )


def by_case(rounds: list[Round]):
    return {(one.case, one.rival): one for one in figures_of(rounds)}


def test_each_side_is_held_against_its_rival() -> None:
    """The engine's own cost against the same route without it; both against a route on another server."""
    rounds = [a_round(SQLITE, 600), a_round(MEMORY, 500), a_round(NO_ENGINE, 400), a_round(RIVAL, 100)]
    figures = by_case(rounds)
    disk = figures["a request, SQLite", NO_ENGINE]
    assert (disk.unit, disk.value, disk.ratio) == ("CPU µs", pytest.approx(600), pytest.approx(1.5))
    assert figures["a request, SQLite", RIVAL].ratio == pytest.approx(6)
    assert figures["a request, no engine", RIVAL].ratio == pytest.approx(4)
    assert figures["requests a second, stalls included, SQLite", RIVAL].value == 50


@pytest.mark.parametrize(("microseconds", "is_met"), [(599, True), (601, False)])
def test_the_engine_may_cost_half_as_much_again_as_its_route(microseconds, is_met) -> None:
    """The target is a ratio, of pairs."""
    rounds = [a_round(SQLITE, microseconds), a_round(MEMORY, 1), a_round(NO_ENGINE, 400), a_round(RIVAL, 1)]
    assert by_case(rounds)["a request, SQLite", NO_ENGINE].is_met is is_met


def test_a_round_that_stalled_as_a_whole_has_no_latency() -> None:
    """What is left says how many answers it used, and how many not."""
    rounds = [a_round(side, 100) for side in SIDES]
    rounds += [a_round(side, 100, latencies=(), stalled=7) for side in SIDES]
    figures = by_case(rounds)
    assert figures["to the 200, p50, SQLite", RIVAL].runs == 1
    assert figures["to the 200, p50, SQLite", RIVAL].windows == 2
    assert figures["to the 200, p50, SQLite", RIVAL].stalled == 7
    none = by_case([a_round(side, 100, latencies=()) for side in SIDES])
    assert ("to the 200, p50, SQLite", RIVAL) not in none


def test_a_share_is_cpu_time_in_wall_clock_time() -> None:
    """Of two looks at both clocks."""
    assert share((10.0, 1.0), (14.0, 2.0)) == 0.25


def test_a_backlog_shows_in_what_was_due_last() -> None:
    """By when it was due, not by when it was answered."""
    answers = [(4.0, 9.0), (1.0, 0.1), (2.0, 0.2), (3.0, 0.3)]
    assert last_quarter(answers) == [9.0]


def test_real_servers_yield_every_figure(tmp_path) -> None:
    """Real sockets, a real file, the rival too; a tier of one second."""
    figures = experiment.measure(tmp_path, Sizes(rounds=1, messages=8, tier_seconds=1))
    cases = [one.case for one in figures]
    assert len([case for case in cases if case.startswith("a request")]) == 4
    assert len([case for case in cases if "default tier" in case]) == 4
    assert len([case for case in cases if "top tier" in case]) == 4
    assert all(one.value >= 0 for one in figures)
    assert [one.case for one in figures if one.target] == [
        "a request, SQLite",
        "default tier, 80 messages/s and their statuses: all that follows, of one core",
        *(
            f"{tier}/s and their statuses: to the 200 in its last quarter, p50, stalls included"
            for tier in ("default tier, 80 messages", "top tier, 1,000 messages")
        ),
    ]


def test_tiers_are_in_their_order() -> None:
    """The top tier is the larger one, in batches as Meta makes of so many."""
    assert all(
        one.messages_per_second < other.messages_per_second and one.batch <= other.batch <= 1_000
        for one, other in pairwise((experiment.DEFAULT, experiment.TOP))
    )
