"""What `plugin_config` says -> what OpenVINO is told (spec C.1)."""

import pytest

from ovserve.config.plugin_config import PluginConfig, translate


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, {}),
        ({"NUM_STREAMS": 4}, {"NUM_STREAMS": "4"}),
        ({"NUM_STREAMS": "AUTO"}, {"NUM_STREAMS": "AUTO"}),
        ({"INFERENCE_NUM_THREADS": " 4 "}, {"INFERENCE_NUM_THREADS": 4}),
        ({"INFERENCE_NUM_THREADS": 4}, {"INFERENCE_NUM_THREADS": 4}),
        ({"AUTO_BATCH_TIMEOUT": "200"}, {"AUTO_BATCH_TIMEOUT": 200}),
        ({"ENABLE_CPU_PINNING": "True"}, {"ENABLE_CPU_PINNING": True}),
        ({"ENABLE_CPU_PINNING": "NO"}, {"ENABLE_CPU_PINNING": False}),
        ({"ENABLE_CPU_PINNING": False}, {"ENABLE_CPU_PINNING": False}),
        ({"ANYTHING": 0.5, "ELSE": "4"}, {"ANYTHING": 0.5, "ELSE": "4"}),
    ],
)
def test_values_get_their_types(given: PluginConfig, told: PluginConfig) -> None:
    translated = translate(given)
    assert (translated.properties, translated.warnings) == (told, ())
    assert list(map(type, translated.properties.values())) == list(map(type, told.values()))


@pytest.mark.parametrize(
    ("given", "told", "warning"),
    [
        (
            {"CPU_THROUGHPUT_STREAMS": 2},
            {"NUM_STREAMS": "2"},
            "CPU_THROUGHPUT_STREAMS is an old name: taken as NUM_STREAMS 2",
        ),
        (
            {"GPU_THROUGHPUT_STREAMS": "GPU_THROUGHPUT_AUTO"},
            {"PERFORMANCE_HINT": "THROUGHPUT"},
            "GPU_THROUGHPUT_STREAMS is an old name: taken as PERFORMANCE_HINT THROUGHPUT",
        ),
        (
            {"CPU_THREADS_NUM": "3"},
            {"INFERENCE_NUM_THREADS": 3},
            "CPU_THREADS_NUM is an old name: taken as INFERENCE_NUM_THREADS 3",
        ),
        (
            {"CPU_THROUGHPUT_STREAMS": 2, "NUM_STREAMS": 3},
            {"NUM_STREAMS": "3"},
            (
                "CPU_THROUGHPUT_STREAMS is an old name for NUM_STREAMS, which is given too; "
                "CPU_THROUGHPUT_STREAMS is ignored"
            ),
        ),
        (
            {"CPU_THROUGHPUT_STREAMS": 2, "GPU_THROUGHPUT_STREAMS": 3},
            {"NUM_STREAMS": "2"},
            (
                "GPU_THROUGHPUT_STREAMS is an old name for NUM_STREAMS, which is given too; "
                "GPU_THROUGHPUT_STREAMS is ignored"
            ),
        ),
    ],
)
def test_old_names_are_translated_and_told(given: PluginConfig, told: PluginConfig, warning: str) -> None:
    translated = translate(given)
    assert translated.properties == told
    assert translated.warnings[-1] == warning


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"INFERENCE_NUM_THREADS": "many"}, "INFERENCE_NUM_THREADS must be a whole number, got 'many'"),
        ({"CPU_THREADS_NUM": "²"}, "INFERENCE_NUM_THREADS must be a whole number, got '²'"),
        ({"ENABLE_CPU_PINNING": "maybe"}, "ENABLE_CPU_PINNING must be true or false, got 'maybe'"),
    ],
)
def test_a_value_of_the_wrong_type_is_told(given: PluginConfig, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        translate(given)
    assert str(refusal.value) == sentence
