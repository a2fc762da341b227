"""`ovserve`, where --grpc_workers may be more than this machine's cores: as a script, with the server's arguments."""

from ovserve.config import listening

CORES = 64

if __name__ == "__main__":
    listening.usable_cores = lambda: CORES

    from ovserve import cli

    cli.main()
