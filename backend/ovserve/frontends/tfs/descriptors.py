"""Declarations -> descriptors, in a pool of their own: a program that has TensorFlow's may have ours beside them."""

import re
from typing import Any

from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from ovserve.frontends.tfs.declarations import ENUMS, MESSAGES, SERVICES

_FIELD = re.compile(r"(?:(\w+): )?(repeated )?(map<string, )?([\w.]+)(?(3)>) (\w+) = (\d+)")
_LABEL = {False: FieldDescriptorProto.LABEL_OPTIONAL, True: FieldDescriptorProto.LABEL_REPEATED}
# A package refers to those before it.
_PACKAGES = ("tensorflow", "tensorflow.error", "tensorflow.serving")
_WELL_KNOWN_FILES = (any_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR)
WELL_KNOWN = [f"{file.package}.{name}" for file in _WELL_KNOWN_FILES for name in file.message_types_by_name]


def make_pool() -> DescriptorPool:
    """Make a pool that has the messages and services, and nothing that anybody else registered."""
    made = DescriptorPool()
    pool: Any = made
    for known in _WELL_KNOWN_FILES:
        pool.AddSerializedFile(known.serialized_pb)
    known_files = [known.name for known in _WELL_KNOWN_FILES]
    for package in _PACKAGES:
        file = FileDescriptorProto(name=f"ovserve/{package}.proto", package=package, syntax="proto3")
        file.dependency.extend(known_files)
        _fill(file)
        pool.AddSerializedFile(file.SerializeToString())
        known_files.append(file.name)
    return made


def _fill(file: FileDescriptorProto) -> None:
    messages: dict[str, Any] = {file.package: file}
    for name, fields in MESSAGES.items():
        outer, _, own = name.rpartition(".")
        if outer in messages:
            is_inner = outer != file.package
            messages[name] = (messages[outer].nested_type if is_inner else file.message_type).add(name=own)
            for line in fields.strip().splitlines():
                _add_field(messages[name], name, line.strip())
    for name, values in ENUMS.items():
        outer, _, own = name.rpartition(".")
        if outer in messages:
            enum = messages[outer].enum_type.add(name=own)
            for value in values.split(","):
                label, number = value.split()
                enum.value.add(name=label, number=int(number))
    for name, methods in SERVICES.items():
        outer, _, own = name.rpartition(".")
        if outer in messages:
            service = file.service.add(name=own)
            for method in methods:
                service.method.add(
                    name=method, input_type=f".{outer}.{method}Request", output_type=f".{outer}.{method}Response"
                )


def _add_field(message: DescriptorProto, full_name: str, line: str) -> None:
    found = _FIELD.fullmatch(line)
    assert found is not None, line  # noqa: S101 - the declarations are our own
    oneof, repeated, is_map, kind, name, number = found.groups()
    if is_map:
        kind = _add_entry(message, full_name, kind, name)
    field = message.field.add(name=name, number=int(number), label=_LABEL[bool(repeated or is_map)])
    _set_type(field, kind)
    if oneof:
        if oneof not in [one.name for one in message.oneof_decl]:
            message.oneof_decl.add(name=oneof)
        field.oneof_index = [one.name for one in message.oneof_decl].index(oneof)


def _add_entry(message: DescriptorProto, full_name: str, kind: str, name: str) -> str:
    """Declare what a map consists of, as the protocol compiler does, and return its name."""
    entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=FieldDescriptorProto.TYPE_STRING, label=_LABEL[False])
    _set_type(entry.field.add(name="value", number=2, label=_LABEL[False]), kind)
    return f"{full_name}.{entry.name}"


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    if "." not in kind:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
        return
    field.type = FieldDescriptorProto.TYPE_ENUM if kind in ENUMS else FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = f".{kind}"
