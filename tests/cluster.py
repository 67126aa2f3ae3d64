"""A Redis Cluster of three masters for tests, and the steps of moving one of its slots."""

from __future__ import annotations

from itertools import pairwise

from redis.crc import key_slot

from tests.servers import NEWEST, Server, free_port, wait_until

SLOTS = 16_384
MASTERS = 3
FORM_TIMEOUT_S = 30.0
NODE_TIMEOUT_MS = 2_000


class Cluster:
    """Three masters that share all slots. One slot at a time may be on the move."""

    def __init__(self, kind: str = NEWEST) -> None:
        self.nodes: list[Server] = []
        self._move: tuple[int, Server, Server] | None = None
        try:
            for _ in range(MASTERS):
                self.nodes.append(_start_node(kind))
            self._form()
        except BaseException:
            self.discard()
            raise
        self._ids = {self._id(node): node for node in self.nodes}

    @property
    def url(self) -> str:
        """All nodes, as the service takes them."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @staticmethod
    def slot_of(key: bytes | str) -> int:
        """The slot of *key*, its hash tag considered."""
        return key_slot(key.encode() if isinstance(key, str) else key)

    def node_of(self, slot: int) -> Server:
        """The master that owns *slot*, as the first node tells it."""
        for first, last, master, *_ in self.nodes[0].cli("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return self._ids[master[2]]
        raise LookupError(f"nobody owns slot {slot}")

    def other_than(self, node: Server) -> Server:
        """Some master that is not *node*."""
        return next(other for other in self.nodes if other is not node)

    def begin_move(self, slot: int, to: Server) -> Server:
        """Open *slot* on both sides and return the source: now its keys can be moved."""
        source = self.node_of(slot)
        to.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", self._id(source))
        source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", self._id(to))
        self._move = (slot, source, to)
        return source

    def move_keys(self, *keys: bytes | str) -> None:
        """Carry *keys* of the open slot to its target; the others stay behind."""
        _, source, target = self._moving()
        source.cli("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)

    def finish_move(self) -> None:
        """Carry what is left and give the slot to its target, on every node."""
        slot, source, target = self._moving()
        while keys := source.cli("CLUSTER", "GETKEYSINSLOT", slot, 100):
            self.move_keys(*keys)
        rest = [node for node in self.nodes if node is not source and node is not target]
        for node in (target, source, *rest):
            node.cli("CLUSTER", "SETSLOT", slot, "NODE", self._id(target))
        self._move = None

    def cancel_move(self) -> None:
        """Close the open slot; its owner stays. Keys that were carried are lost to the source."""
        slot, source, target = self._moving()
        for node in (source, target):
            node.cli("CLUSTER", "SETSLOT", slot, "STABLE")
        self._move = None

    def flush(self) -> None:
        """Forget every key and script of every master."""
        for node in self.nodes:
            node.flush()

    def reset(self) -> None:
        """Whatever a test did: all nodes run, no slot is open, nothing is stored."""
        for node in self.nodes:
            node.resume()
            if not node.running:
                node.restart()
        if self._move is not None:
            self.cancel_move()
        self._wait_until_formed()
        self.flush()

    def discard(self) -> None:
        """End all nodes for good."""
        while self.nodes:
            self.nodes.pop().discard()

    def _form(self) -> None:
        bounds = [SLOTS * part // MASTERS for part in range(MASTERS + 1)]
        shares = pairwise(bounds)
        for epoch, (node, (first, end)) in enumerate(zip(self.nodes, shares, strict=True), 1):
            node.cli("CLUSTER", "SET-CONFIG-EPOCH", epoch)
            node.cli("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        first_node, *others = self.nodes
        for node in others:
            bus = str(node.conf["cluster-port"])
            first_node.cli("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        self._wait_until_formed()

    def _wait_until_formed(self) -> None:
        wait_until(lambda: all(map(_agrees, self.nodes)), "cluster formed", FORM_TIMEOUT_S)

    def _moving(self) -> tuple[int, Server, Server]:
        if self._move is None:
            raise RuntimeError("no slot is on the move: call begin_move first")
        return self._move

    @staticmethod
    def _id(node: Server) -> bytes:
        return node.cli("CLUSTER", "MYID")


def _start_node(kind: str) -> Server:
    return Server(
        kind,
        {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            "cluster-port": str(free_port()),
        },
    )


def _agrees(node: Server) -> bool:
    """True when *node* sees three masters that own everything, and works."""
    lines = node.cli("CLUSTER", "INFO").decode().splitlines()
    state = dict(line.split(":", 1) for line in lines if ":" in line)
    everything = (state["cluster_known_nodes"], state["cluster_slots_ok"]) == ("3", str(SLOTS))
    return state["cluster_state"] == "ok" and everything
