"""What config.pbtxt says of dynamic batching."""

import pytest

from ovserve.config.batching_document import read_dynamic_batching
from ovserve.config.declared import WrongTritonConfig
from ovserve.config.dynamic_batching import DynamicBatching, QueuePolicy
from ovserve.config.pbtxt import parse_pbtxt


def read(text: str, most: int = 8) -> DynamicBatching | None:
    return read_dynamic_batching(parse_pbtxt(f"dynamic_batching {{ {text} }}"), most)


def test_there_may_be_none_of_it() -> None:
    assert read_dynamic_batching({}, 8) is None
    assert read("") == DynamicBatching()


def test_every_field_is_read() -> None:
    assert read("""
        preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 preserve_ordering: false
        priority_levels: 2 default_priority_level: 1
        default_queue_policy {
          timeout_action: DELAY default_timeout_microseconds: 5 allow_timeout_override: true max_queue_size: 7
        }
        priority_queue_policy { key: 2 value { default_timeout_microseconds: 9 } }
    """) == DynamicBatching(
        preferred=frozenset({4, 8}),
        delay_us=100,
        levels=2,
        default_level=1,
        policy=QueuePolicy(5, delays=True, allows_override=True, max_queue_size=7),
        policies={2: QueuePolicy(9)},
    )
    assert read("preserve_ordering: true") == DynamicBatching(keeps_order=True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("preferred_batch_size: 9", "preferred_batch_size is 9, expected from 1 to max_batch_size 8"),
        ("preferred_batch_size: 0", "preferred_batch_size is 0, expected from 1 to max_batch_size 8"),
        ("priority_levels: 2", "default_priority_level is 0, expected from 1 to priority_levels 2"),
        ("priority_levels: 2 default_priority_level: 3", "default_priority_level is 3, expected from 1 to"),
        ("priority_queue_policy { key: 1 value { } }", "priority_queue_policy of level 1, expected from 1 to"),
        ("preserve_ordering: true priority_levels: 2 default_priority_level: 1", "preserve_ordering allows one of"),
        (
            "preserve_ordering: true default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 1 }",
            "preserve_ordering does not go with the timeout_action DELAY",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(WrongTritonConfig, match=f"^dynamic_batching: {sentence}"):
        read(text)
