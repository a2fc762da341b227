from ovserve.bench.probing import ANY, beyond, choose
from ovserve.bench.records import Probe, Setup


def probe(config: str, in_flight: int, *rates: float) -> Probe:
    return Probe(setup=Setup(config=config, in_flight=in_flight), requests_per_s=list(rates))


PROBES = [
    probe("LATENCY", 1, 60, 10, 62),  # once disturbed
    probe("THROUGHPUT", 1, 50, 51, 52),
    probe("THROUGHPUT", 2, 95, 96, 20),
    probe("THROUGHPUT", 3, 90, 91, 92),
]


def test_the_limit_is_the_fastest_way_by_the_median_of_its_rounds() -> None:
    assert choose(PROBES, [])[ANY] == Setup(config="THROUGHPUT", in_flight=2)


def test_so_many_clients_are_matched_with_no_more_in_flight() -> None:
    limits = choose(PROBES, [1, 2, 4])
    assert limits[1] == Setup(config="LATENCY", in_flight=1)
    assert limits[2] == limits[4] == limits[ANY]


def test_only_fewer_clients_than_the_limit_has_in_flight_need_a_match() -> None:
    assert beyond(choose(PROBES, [1, 2, 4])) == {1}
