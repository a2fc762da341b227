"""Header blocks are read as the library's own decoder reads them, however right or wrong they are."""

import hpack
from hpack import HPACKError
from hypothesis import given
from hypothesis import strategies as st

from ovserve.http2.field_reader import Field, FieldReader

MOST_BYTES = 3000

texts = st.sampled_from([b"", b"a", b"grpc-timeout", b":path", b"x" * 126, b"y" * 127, b"z" * 300]) | st.binary(
    max_size=9
)
fields = st.tuples(texts, texts, st.booleans())
blocks = st.tuples(st.lists(fields, max_size=12), st.booleans(), st.none() | st.integers(0, 4096))


def read_by_us(reader: FieldReader, block: bytes) -> list[Field] | None:
    try:
        return reader.read(block)
    except (HPACKError, IndexError):
        return None


def read_by_library(decoder: hpack.Decoder, block: bytes) -> list[Field] | None:
    try:
        return [tuple(field) for field in decoder.decode(block, raw=True)]
    except (HPACKError, IndexError):
        return None


@given(st.lists(blocks, max_size=8))
def test_what_is_written_is_read(written: list[tuple[list[tuple[bytes, bytes, bool]], bool, int | None]]) -> None:
    encoder, reader = hpack.Encoder(), FieldReader(1 << 20)
    for content, huffman, table_size in written:
        if table_size is not None:
            encoder.header_table_size = table_size
        block = encoder.encode(content, huffman=huffman)
        assert reader.read(block) == [field[:2] for field in content]


@given(st.lists(blocks, max_size=4), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4))
def test_what_is_damaged_is_read_as_by_the_library(
    written: list[tuple[list[tuple[bytes, bytes, bool]], bool, int | None]], damage: list[tuple[int, int]]
) -> None:
    encoder, reader, decoder = hpack.Encoder(), FieldReader(MOST_BYTES), hpack.Decoder(MOST_BYTES)
    for content, huffman, _ in written:
        block = bytearray(encoder.encode(content, huffman=huffman))
        for at, value in damage:
            if at < len(block):
                block[at] = value
        ours = read_by_us(reader, bytes(block))
        assert ours == read_by_library(decoder, bytes(block))
        if ours is None:
            return


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_noise_is_read_as_by_the_library(noise: list[bytes]) -> None:
    reader, decoder = FieldReader(MOST_BYTES), hpack.Decoder(MOST_BYTES)
    for block in noise:
        ours = read_by_us(reader, block)
        assert ours == read_by_library(decoder, block)
        if ours is None:
            return


def test_only_fields_that_are_kept_change_the_table() -> None:
    encoder, reader = hpack.Encoder(), FieldReader(MOST_BYTES)
    changed = []
    for field in [(b"x", b"y", False), (b"x", b"y", False), (b"x", b"z", True), (b"x", b"z", False)]:
        reader.read(encoder.encode([field]))
        changed.append(reader.changed)
    assert changed == [True, False, False, True]


def test_a_table_of_another_size_is_a_changed_one() -> None:
    reader = FieldReader(MOST_BYTES)
    assert reader.read(b"\x20\x82") == [(b":method", b"GET")]
    assert reader.changed
