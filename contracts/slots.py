"""Which partition of the frames topics a camera's pictures go to."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from zlib import crc32

from contracts.config import Config

NOBODY: Mapping[str, int] = MappingProxyType({})


def slots(config: Config, held: Mapping[str, int] = NOBODY) -> dict[str, int]:
    """Each camera's slot: as given, else as `held`, else by its name; slot % partitions is its partition.

    With nothing held all parts that have the config find the same, in whatever order its lines stand. A name leads to a
    partition, or to the next one that has not got its share yet: so no partition has more than one camera above the
    mean, and a camera that comes or goes moves few others (consistent hashing with bounded loads: Mirrokni, Thorup,
    Zadimoghaddam 2018), about a quarter of them where that changes what a share is. Who runs holds what it has, and so
    moves none: what waits in a partition that a camera leaves may be read after newer pictures, and be passed over.
    """
    partitions = config.kafka.partitions
    given = {name: camera.slot for name, camera in config.cameras.items() if camera.slot is not None}
    found = {name: held[name] for name in config.cameras if name in held} | given
    share = math.ceil(len(config.cameras) / partitions)
    taken = set(found.values())
    filled = Counter(slot % partitions for slot in found.values())
    for name in sorted(config.cameras.keys() - found.keys()):
        home = crc32(name.encode())
        partition = next(one for step in range(partitions) if filled[one := (home + step) % partitions] < share)
        filled[partition] += 1
        found[name] = next(slot for slot in itertools.count(partition, partitions) if slot not in taken)
        taken.add(found[name])
    return {name: found[name] for name in config.cameras}
