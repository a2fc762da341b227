"""Ask eight times at once with asyncio: python gather.py localhost:9000 resnet."""  # noqa: INP001 - a script

import asyncio
import sys

import numpy as np

from ovclient import AsyncClient


async def main(address: str, model: str) -> None:
    async with AsyncClient(address) as client:
        shape = [max(dimension, 1) for dimension in (await client.metadata(model)).inputs[0].shape]
        await asyncio.gather(*(client.infer(model, np.zeros(shape, np.float32)) for _ in range(8)))
    print("8 answers")


asyncio.run(main(*sys.argv[1:]))
