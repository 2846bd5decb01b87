"""Decoding from several threads at once, of types of which nobody has decoded anything before."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
# Each type is new, and has fields enough: describing it takes so long that the other threads come meanwhile.
import sys, threading
import msgspec
from contracts.decoding import convert, from_json, from_msgpack, from_yaml

def fresh():
    global Inner
    class Inner(msgspec.Struct):
        count: "int | None" = None
        names: "tuple[str, ...]" = ()
        shares: "dict[str, float]" = {}
        places: "list[int]" = []
    class Outer(msgspec.Struct):
        first: "Inner"
        others: "tuple[Inner, ...]" = ()
        share: "float" = 0.0
        word: "str" = ""
    return Outer

FIRST = {"count": 3, "names": ["x"], "shares": {"x": 1.0}, "places": [1]}
VALUE = {"first": FIRST, "others": [{"count": 1}], "share": 0.5, "word": "w"}
JSON, MSGPACK = msgspec.json.encode(VALUE), msgspec.msgpack.encode(VALUE)
WAYS = {
    "from_json": lambda kind: from_json(JSON, kind),
    "from_msgpack": lambda kind: from_msgpack(MSGPACK, kind),
    "from_yaml": lambda kind: from_yaml(JSON, kind),  # JSON is YAML
    "convert": lambda kind: convert(VALUE, kind),
}
sys.setswitchinterval(1e-6)
decoded = []

def work(kind):
    gate.wait()
    decoded.append(WAYS[sys.argv[1]](kind).others[0].count)

for _ in range(200):
    kind, gate = fresh(), threading.Barrier(4)
    threads = [threading.Thread(target=work, args=(kind,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(sum(decoded))
"""


@pytest.mark.parametrize("way", ["from_json", "from_msgpack", "from_yaml", "convert"])
def test_threads_that_decode_a_new_type_at_once_all_get_it(way: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, way], capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stdout.strip()) == (0, "800"), done.stderr
