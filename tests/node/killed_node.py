"""A node whose analysis takes a while, as a program that a test can kill: STORE PORT PEER."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from node_peers import FAST, Analysis

from tumorscan.app.node import worker
from tumorscan.app.node.node import Node
from tumorscan.app.node.peer import peer_from
from tumorscan.app.node.settings import Limits, NodeSettings


class Slow(Analysis):
    def __call__(self, pictures: Path, results: Path):
        time.sleep(0.2)
        return super().__call__(pictures, results)


if __name__ == "__main__":
    # The test ends it more often than a study may end a node.
    worker.MAX_ATTEMPTS = 100
    store, port, peer = sys.argv[1:]
    settings = NodeSettings(
        Path(store), port=int(port), send_to=(peer_from(peer),), patience=FAST, limits=Limits(free_bytes=0)
    )
    node = Node(settings, Slow(), lambda line: print(line, flush=True))
    node.start()
    node.wait()
