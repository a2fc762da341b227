"""The figures that are printed, computed from slices whose results are known."""

import pytest

from ovserve.bench.records import InputTensor, Machine, Measured, Probe, Run, Setup, Subject
from ovserve.bench.summary import Spread, spread, summarize, transport_bound
from ovserve.bench.tables import markdown, text


def row(
    index: int, kind: str, rate: float, cpu_us: float, client_cpu_us: float = 0, *, clients: int = 4, **more: object
) -> Measured:
    times = {} if kind in {"limit", "matched"} else {"p50_ms": 10.0 + index, "p90_ms": 15.0, "p99_ms": 20.0 + index}
    return Measured(
        index=index,
        clients=clients,
        kind=kind,
        seconds=1,
        requests=int(rate),
        requests_per_s=rate,
        cpu_us=cpu_us,
        client_cpu_us=client_cpu_us,
        others_cpu=0.1,
        **times,
        **more,
    )


def slices(clients: int = 4) -> list[Measured]:
    return [
        *(row(0, "limit", 100, 9000, clients=clients), row(0, "echo", 900, 600, 400, clients=clients)),
        row(0, "served", 80, 9700, 500, clients=clients),
        *(row(1, "limit", 50, 9000, clients=clients), row(1, "echo", 400, 600, 400, clients=clients)),
        row(1, "served", 45, 9900, 500, clients=clients),
        *(row(2, "limit", 100, 9000, clients=clients), row(2, "echo", 900, 600, 400, clients=clients)),
        row(2, "served", 85, 9800, 500, clients=clients),
    ]


def run(*measured: Measured) -> Run:
    throughput, latency = Setup(config="THROUGHPUT", in_flight=2), Setup(config="LATENCY", in_flight=1)
    return Run(
        started="2026-01-01T00:00:00+00:00",
        machine=Machine(cpu="a CPU", cores=2, system="Linux", versions={"openvino": "1.2"}),
        subject=Subject(
            name="m",
            inputs={"x": InputTensor(datatype="FP32", shape=[1, 10])},
            message_bytes=63,
            target_device="CPU",
            plugin_config={},
            nireq=0,
        ),
        slices=3,
        seconds=1,
        limits={0: throughput, 1: latency, 4: throughput},
        probes=[Probe(setup=throughput, requests_per_s=[100])],
        measured=list(measured),
    )


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    assert spread([5, 1, 3, 2, 4]) == Spread(2, 3, 4)


def test_the_spread_of_a_single_slice_is_its_value() -> None:
    assert spread([7.0]) == Spread(7, 7, 7)


def test_the_transport_bound_is_what_is_left_for_inference() -> None:
    assert transport_bound(9000, 600 + 400) == 0.9


def test_ratios_are_taken_slice_by_slice_before_the_median() -> None:
    (four,) = summarize(run(*slices()))
    # 0.80, 0.90, 0.85; the ratio of the medians would be 0.80
    assert four.limit.of_limit == spread([0.80, 0.90, 0.85])
    assert four.limit.bound == Spread(0.9, 0.9, 0.9)
    assert four.limit.of_bound.median == pytest.approx(0.85 / 0.9)


def test_figures_are_medians_over_the_slices() -> None:
    (four,) = summarize(run(*slices()))
    assert (four.limit.limit.median, four.echo.median, four.served.median) == (100, 900, 80)
    assert (four.server_cpu_us.median, four.client_cpu_us.median) == (9800, 500)
    assert (four.p50_ms, four.p99_ms) == (11, 21)


def test_fewer_clients_are_also_compared_with_a_limit_of_as_many_in_flight() -> None:
    matched = [row(index, "matched", 85, 12000, clients=1) for index in range(3)]
    one, four = summarize(run(*slices(clients=1), *matched, *slices()))
    assert one.matched.of_limit == spread([80 / 85, 45 / 85, 85 / 85])
    assert one.matched.bound.median == pytest.approx(12 / 13)
    assert four.matched is None


def test_failed_requests_are_counted_and_named() -> None:
    failed = row(3, "served", 0, 100, errors={"UNAVAILABLE": 3})
    run_ = run(*slices(), failed, row(3, "limit", 100, 9000), row(3, "echo", 900, 600, 400, errors={"INTERNAL": 1}))
    assert summarize(run_)[0].errors == {"served: UNAVAILABLE": 3, "echo: INTERNAL": 1}
    assert "ERRORS, clients 4, served: UNAVAILABLE: 3" in text(run_)


def test_a_slice_without_an_answer_has_no_times() -> None:
    dead = row(0, "served", 0, 100, errors={"UNAVAILABLE": 3}).model_copy(update={"p50_ms": None, "p99_ms": None})
    (four,) = summarize(run(row(0, "limit", 100, 9000), row(0, "echo", 900, 600, 400), dead))
    assert four.p50_ms is None
    assert "p50, ms" in text(run(row(0, "limit", 100, 9000), row(0, "echo", 900, 600, 400), dead))


def test_the_text_says_what_was_measured_where_and_how() -> None:
    printed = text(run(*slices()))
    assert printed.startswith("m: 63 bytes per request; device CPU, plugin_config {}, nireq 0\n2 cores of a CPU; ")
    assert "served/bound       " in printed
    assert "0.94 (0.92..0.97)" in printed
    assert "others took 10% of the machine (median of slices; most 10%)" in printed


def test_a_run_survives_being_written_and_read() -> None:
    before = run(*slices())
    assert Run.model_validate_json(before.model_dump_json()) == before


def test_the_table_for_documents_has_a_line_per_model_and_number_of_clients() -> None:
    lines = markdown([run(*slices())]).splitlines()
    assert lines[2] == (
        "| m | 4 | 100.0 (75.0..100.0) | 80.0 (62.5..82.5) | 0.85 (0.82..0.88) | 0.94 (0.92..0.97) | - "
        "| 9800 (9750..9850) | 500 (500..500) | 11.00 / 21.00 |"
    )
