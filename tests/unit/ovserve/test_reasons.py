import pytest

from ovserve.engine.reasons import reason


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            (
                "Exception from src/inference/src/cpp/core.cpp:84:\nException from src/inference/src/model_reader.cpp:148:\n"
                'Unable to read the model: "/srv/models/m/1/model.xml" Please check that model format: ".xml" is supported.\n\n'
            ),
            'Unable to read the model: "model.xml" Please check that model format: ".xml" is supported',
        ),
        (
            (
                "Exception from src/inference/src/cpp/core.cpp:84:\nCheck 'm_weights_provider' failed at "
                "src/core/xml_util/src/xml_deserialize_util.cpp:887:\nEmpty weights data in bin file or bin file cannot be found!"
            ),
            "Empty weights data in bin file or bin file cannot be found!",
        ),
        (
            (
                "Exception from src/plugins/intel_cpu/src/config.cpp:88:\nWrong value X for property key PERFORMANCE_HINT. "
                "Expected only ov::hint::PerformanceMode::LATENCY/THROUGHPUT/CUMULATIVE_THROUGHPUT."
            ),
            (
                "Wrong value X for property key PERFORMANCE_HINT. "
                "Expected only ov::hint::PerformanceMode::LATENCY/THROUGHPUT/CUMULATIVE_THROUGHPUT"
            ),
        ),
        ("cannot open shared object file /usr/lib/libOpenCL.so.1", "cannot open shared object file libOpenCL.so.1"),
        ("cannot open /secret.bin", "cannot open secret.bin"),
    ],
)
def test_the_sentence_keeps_what_was_said_and_drops_where(text: str, sentence: str) -> None:
    assert reason(RuntimeError(text)) == sentence


def test_an_empty_message_is_named_by_its_kind() -> None:
    assert reason(MemoryError()) == "MemoryError"


def test_a_long_message_is_cut() -> None:
    assert len(reason(RuntimeError("x" * 5000))) == 1003
