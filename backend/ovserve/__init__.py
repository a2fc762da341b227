"""A model server for OpenVINO: `ovserve` on the command line, `ovserve.load` in your own process."""

from ovserve.inprocess import InProcess, load

__all__ = ["InProcess", "load"]
