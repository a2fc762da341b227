from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from tritonclient.grpc import service_pb2

from ovserve.frontends.grpc.rights import RIGHTS
from ovserve.frontends.tfs import declarations
from ovserve.frontends.tfs.messages import POOL
from ovserve.security.keys import Right

SERVICES = [
    service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"],
    *(POOL.FindServiceByName(name) for name in declarations.SERVICES),
    health_pb2.DESCRIPTOR.services_by_name["Health"],
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
]


def test_every_call_of_every_service_has_its_right() -> None:
    calls = {f"/{service.full_name}/{method.name}" for service in SERVICES for method in service.methods}
    assert len(SERVICES[0].methods) == 20
    assert calls - RIGHTS.keys() == set()
    assert {call.rpartition("/")[0] for call in RIGHTS} == {call.rpartition("/")[0] for call in calls}


def test_only_probes_and_reflection_are_open() -> None:
    assert {call.rpartition("/")[2] for call, right in RIGHTS.items() if right is None} == {
        *("ServerLive", "ServerReady", "ModelReady", "Check", "List", "Watch", "ServerReflectionInfo"),
    }


def test_shared_memory_of_the_servers_machine_is_for_those_who_manage_it() -> None:
    assert {right for call, right in RIGHTS.items() if "SharedMemory" in call} == {Right.MANAGEMENT}


def test_what_changes_the_server_needs_the_right_to_manage() -> None:
    managing = {call.rpartition("/")[2] for call, right in RIGHTS.items() if right is Right.MANAGEMENT}
    assert {name for name in managing if "SharedMemory" not in name} == {
        *("RepositoryModelLoad", "RepositoryModelUnload", "TraceSetting", "LogSettings", "HandleReloadConfigRequest"),
    }
