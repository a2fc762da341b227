"""The pure parts of the comparison with other servers."""

from pathlib import Path

import pytest
from peers import contestants as who
from peers import pages, tables
from peers.environment import Environment
from peers.on_triton import pbtxt
from peers.records import Comparison, Run, Slice, Trial
from peers.signature import Signature, Tensor
from peers.summary import summarize
from peers.tree import descendants
from peers.trial import choose

from ovserve.bench.records import Machine, Setup
from ovserve.bench.summary import Spread
from readme import CHECKOUT


def slices(by: str, rates: list[float], cpu_us: float, **more: float) -> list[Slice]:
    return [
        Slice(
            cycle=cycle,
            by=by,
            seconds=1,
            requests=9,
            requests_per_s=rate,
            cpu_us=cpu_us,
            p50_ms=cycle,
            others_cpu=0.5,
            **more,
        )
        for cycle, rate in enumerate(rates)
    ]


def comparison(**more: object) -> Comparison:
    measured = [
        *slices(who.KSERVE, [50, 20, 10], 2000),
        *slices(who.LIMIT, [200, 100, 100], 900),
        *slices(who.ECHO, [900, 900, 900], 60, client_cpu_us=40),
        *slices(who.OURS, [100, 75, 100], 1000),
    ]
    found = {
        "case": "tiny",
        "title": "adds 1",
        "clients": 4,
        "message_bytes": 60,
        "limit": Setup(config="THROUGHPUT", in_flight=2),
        "trials": {who.KSERVE: Trial(chosen="a", requests_per_s={"a": [2, 9, 3], "b": [1]})},
        "left_out": {who.MLSERVER: "it did not\nstart"},
        "slices": measured,
    }
    return Comparison.model_validate(found | more)


def run(one: Comparison) -> Run:
    where = Machine(cpu="a CPU", cores=2, system="Linux", versions={"openvino": "1.2"})
    return Run(started="today", machine=where, peers={"kserve": "0.21.0"}, cycles=3, seconds=1, comparisons=[one])


def test_ratios_are_taken_cycle_by_cycle() -> None:
    found = summarize(comparison())
    assert found.lines[who.OURS].of_limit == Spread(0.625, 0.75, 0.875)
    assert found.lines[who.KSERVE].ours_by_its == Spread(2.875, 3.75, 6.875)
    assert found.lines[who.KSERVE].cpu_ours_by_its == Spread(0.5, 0.5, 0.5)


def test_the_part_of_the_limit_by_cpu_counts_server_and_clients() -> None:
    found = summarize(
        comparison(slices=[*comparison().slices, *slices(who.TRITON, [1, 1, 1], 800, client_cpu_us=1000)])
    )
    assert found.lines[who.TRITON].of_limit_by_cpu == Spread(0.5, 0.5, 0.5)


def test_the_bound_is_what_transport_leaves_of_the_limit() -> None:
    found = summarize(comparison())
    assert found.bound.median == pytest.approx(0.9)
    assert found.of_bound.median == pytest.approx(0.75 / 0.9)


def test_lines_stand_in_the_order_of_the_contestants() -> None:
    assert list(summarize(comparison()).lines) == [who.LIMIT, who.ECHO, who.OURS, who.KSERVE]


def test_a_slice_in_which_the_clock_of_the_cpu_did_not_move_divides_nothing_by_zero() -> None:
    measured = [*comparison().slices, *slices(who.TRITON, [1, 1, 1], 0)]
    assert summarize(comparison(slices=measured)).lines[who.TRITON].cpu_us.median == 0


def test_the_short_table_has_a_line_per_model_and_a_dash_for_who_was_left_out() -> None:
    *_, line = tables.short(run(comparison())).splitlines()
    assert line == (
        "| adds 1; 4 clients | 100.0 (87.5..100.0) | 0.75 (0.62..0.88) | 0.83 (0.69..0.97) | - | - | 3.75 (2.88..6.88) | - |"
    )


def test_a_stream_is_told_by_what_is_in_flight_and_by_single_calls() -> None:
    measured = [*comparison().slices, *slices(who.STREAM, [200, 225, 100], 500)]
    text = tables.full(run(comparison(slices=measured, stream_in_flight=16)))
    assert "16 requests in flight on one ModelStreamInfer stream" in text
    assert "its requests/s by those of ovserve's single calls 2.00 (1.50..2.50)" in text
    assert who.STREAM not in tables.full(run(comparison()))


def test_the_full_table_names_errors_choices_and_who_was_left_out() -> None:
    broken = [
        one.model_copy(update={"errors": {"UNAVAILABLE": 2}}) if one.by == who.KSERVE else one
        for one in comparison().slices
    ]
    text = tables.full(run(comparison(slices=broken)))
    assert "- KServe: a (tried, requests/s: a 3.0, b 1.0)" in text
    assert "- MLServer is left out: it did not start" in text
    assert "- ERRORS, KServe: UNAVAILABLE: 6" in text


def test_the_way_with_the_highest_median_is_chosen() -> None:
    assert choose({"lucky once": [1, 100, 1], "steady": [5, 5, 5]}) == "steady"


def test_a_section_replaces_what_stood_between_the_marks() -> None:
    page = f"before\n{pages.BEGIN}\nold\n{pages.END}\nafter\n"
    once = pages.replaced(page, "new\n")
    assert once == f"before\n{pages.BEGIN}\nnew\n{pages.END}\nafter\n"
    assert pages.replaced(once, "new\n") == once


def test_the_pages_hold_what_the_raw_slices_give() -> None:
    kept = CHECKOUT / "tests/perf/results/peers.json"
    measured = Run.model_validate_json(kept.read_text()) if kept.is_file() else None
    for page, table in (("README.md", tables.short), ("backend/docs/performance.md", tables.full)):
        text = (CHECKOUT / page).read_text()
        assert pages.replaced(text, table(measured) if measured else "") == text, "python tests/perf/peers write"


@pytest.mark.parametrize("page", ["", pages.BEGIN, pages.END + pages.BEGIN, (pages.BEGIN + pages.END) * 2])
def test_a_page_without_one_pair_of_marks_is_not_written(page: str) -> None:
    with pytest.raises(ValueError, match="the page needs one"):
        pages.replaced(page, "new")


def test_other_requirements_are_another_environment(tmp_path: Path) -> None:
    one, other = Environment("peer", ("a==1",)), Environment("peer", ("a==2",))
    assert one.folder(tmp_path) == Environment("peer", ("a==1",)).folder(tmp_path)
    assert one.folder(tmp_path) != other.folder(tmp_path)


def test_a_tree_holds_the_descendants_and_no_others() -> None:
    assert sorted(descendants(2, {2: 1, 3: 2, 4: 3, 5: 1, 6: 2})) == [2, 3, 4, 6]


def test_triton_is_told_the_tensors_and_the_instances() -> None:
    text = pbtxt(Signature([Tensor("x", "FP32", [1, 10])], [Tensor("y", "BYTES", [1])]), 2)
    assert "instance_group { count: 2 kind: KIND_CPU }" in text
    assert 'input { name: "x" data_type: TYPE_FP32 dims: [1, 10] }' in text
    assert 'output { name: "y" data_type: TYPE_STRING dims: [1] }' in text
