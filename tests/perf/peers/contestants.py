"""Who is compared, and in which order tables name them."""

from collections.abc import Callable, Mapping

from peers import on_kserve, on_mlserver, on_triton
from peers.place import Place
from peers.process import Way

LIMIT = "OpenVINO in process"
ECHO = "ovserve without inference"
OURS = "ovserve"
SHARED_MEMORY = "ovserve, system shared memory"
STREAM = "ovserve, one stream"
TRITON = "Triton, Python backend"
PLUGIN = "Triton, our plug-in"
KSERVE = "KServe"
MLSERVER = "MLServer"

PEERS: Mapping[str, Callable[[Place], dict[str, Way]]] = {
    TRITON: on_triton.python_ways,
    PLUGIN: on_triton.plugin_ways,
    KSERVE: on_kserve.ways,
    MLSERVER: on_mlserver.ways,
}
"""Each with the ways to run it, of which the fastest in a short trial is the one compared."""

VERSIONS = {"triton": on_triton.VERSION, "kserve": on_kserve.VERSION, "mlserver": on_mlserver.VERSION}
