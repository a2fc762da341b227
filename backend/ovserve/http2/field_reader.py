"""Header blocks -> fields (HPACK, RFC 7541, sections 3 to 6).

The table, the numbers and Huffman's code are the library's. Its `Decoder` copies what is left of the block for each
field, and takes more time than all the rest of a small call.
"""

from typing import TypeAlias

from hpack.exceptions import HPACKDecodingError, InvalidTableSizeError, OversizedHeaderListError
from hpack.hpack import decode_integer
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

Field: TypeAlias = tuple[bytes, bytes]

_INDEXED = 0x80  # the first bit that is set says what a field is
_KEPT = 0x40
_RESIZED = 0x20
_INDEX = 0x7F  # the bits of a number that share the byte: of a field that is in a table,
_KEPT_NAME = 0x3F  # of its name, where it is kept in the table,
_NAME = 0x0F  # of its name, where it is not,
_SIZE = 0x1F  # of the table's size,
_LENGTH = 0x7F  # of a string's length
_HUFFMAN = 0x80
_FIELD_BYTES = 32  # what a field counts for beside its name and value
_NUMBER_BYTES = 16  # and a number is no longer


class FieldReader:
    """Reads the blocks of one connection, in the order in which they come.

    `changed` tells whether the last one changed the table. `most_bytes` are those of a block's fields, unpacked.
    """

    def __init__(self, most_bytes: int) -> None:
        self.changed = False
        self._most_bytes = most_bytes
        self._table = HeaderTable()
        self._most_table_bytes = self._table.maxsize

    def read(self, block: bytes) -> list[Field]:
        """Read a block; raises an `HPACKError` or `IndexError`, and then the table is lost."""
        self.changed = False
        known = self._table.get_by_index
        fields: list[Field] = []
        at, end, size = 0, len(block), 0
        while at < end:
            first = block[at]
            if first > _INDEXED and first != _INDEXED | _INDEX:
                at += 1
                field = known(first & _INDEX)
            elif first >= _INDEXED:
                index, at = _number(block, at, _INDEX)
                field = known(index)
            elif first & (_KEPT | _RESIZED) == _RESIZED:
                at = self._resize(block, at, is_first=not fields)
                continue
            else:
                field, at = self._literal(block, at)
            fields.append(field)
            size += len(field[0]) + len(field[1]) + _FIELD_BYTES
            if size > self._most_bytes:
                raise OversizedHeaderListError(f"more than {self._most_bytes} bytes unpacked")
        return fields

    def _literal(self, block: bytes, at: int) -> tuple[Field, int]:
        is_kept = block[at] & _KEPT
        index, at = _number(block, at, _KEPT_NAME if is_kept else _NAME)
        if index:
            name: bytes = self._table.get_by_index(index)[0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        if is_kept:
            self.changed = True
            self._table.add(name, value)
        return (name, value), at

    def _resize(self, block: bytes, at: int, *, is_first: bool) -> int:
        size, at = _number(block, at, _SIZE)
        if not is_first:
            raise HPACKDecodingError("the table's size is not at the start")
        if size > self._most_table_bytes:
            raise InvalidTableSizeError(f"the table's size is {size}, expected at most {self._most_table_bytes}")
        self.changed = True
        self._table.maxsize = size
        return at


def _number(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """Read a number that begins with these bits of a byte, and say where it ends."""
    number = block[at] & bits
    if number < bits:
        return number, at + 1
    number, size = decode_integer(block[at : at + _NUMBER_BYTES], bits.bit_length())
    return number, at + size


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    is_huffman = block[at] & _HUFFMAN
    length, begin = _number(block, at, _LENGTH)
    end = begin + length
    if end > len(block):
        raise HPACKDecodingError("a string is longer than its block")
    text = block[begin:end]
    return decode_huffman(text) if is_huffman else text, end
