"""A model's configuration as JSON."""

from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ovserve.frontends.model_config import model_config
from ovserve.serving.servable import Servable

_LONG = {FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64}


def model_config_document(servable: Servable) -> Any:
    """Write a configuration with Triton's names; its numbers are numbers, which protobuf's own JSON has as strings."""
    message = model_config(servable)
    document = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _with_numbers(document, message.DESCRIPTOR)


def _with_numbers(document: dict[str, Any], kind: Descriptor) -> dict[str, Any]:
    return {key: _value(value, kind.fields_by_name[key]) for key, value in document.items()}


def _value(value: Any, field: FieldDescriptor) -> Any:
    if isinstance(value, list):
        return [_value(element, field) for element in value]
    if field.cpp_type in _LONG:
        return int(value)
    kind = field.message_type
    if kind is None:
        return value
    if kind.GetOptions().map_entry:
        of_value = kind.fields_by_name["value"]
        return {key: _value(element, of_value) for key, element in value.items()}
    return _with_numbers(value, kind)
