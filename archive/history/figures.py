"""What the rows add up to: occupancy and dwell over time, ways between zones and over lines, where people were."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archive.history.rows import PLACES
from archive.history.search import Search, Wanted

MOST_WAYS = 40
MOST_TRACKS = 100_000
"""A heat map of more is made from an even part of them: it shows shares, and those don't change."""

STANDING_MS = 10_000
"""A step of a path counts at most so long: behind a longer one the track was not seen."""


class Stay(NamedTuple):
    """One zone ("" is the whole picture) within one width of time.

    `occupancy` is the mean number of things in it while it was watched, `most` the greatest at once, `dwell_s` the mean
    stay of those that left.
    """

    start_ms: int
    zone: str
    occupancy: float
    most: int
    entered: int
    left: int
    dwell_s: float


class Way(NamedTuple):
    """How many tracks went from one zone to another (directly), or over a line in a direction."""

    start: str
    end: str
    tracks: int


def stays(search: Search, wanted: Wanted, since_ms: int, width_ms: int) -> list[Stay]:
    """Occupancy by zone in widths of time counted from `since_ms`; empty ones are left out.

    Parts of a window add up; lanes, labels and cameras do as well, each camera's own observed time aside.
    """
    query = """
        WITH parts AS (
            SELECT (start_ms - $since) // $width AS bucket, camera, zone, start_ms,
                   max(observed_ms) AS observed, sum(occupancy_ms) AS occupied, sum(occupancy_max) AS most,
                   sum(entered) AS entered, sum(departed) AS departed, sum(dwell_ms) AS dwell
            FROM {rows} GROUP BY ALL
        ), cameras AS (
            SELECT bucket, camera, zone, sum(occupied) / greatest(sum(observed), 1) AS occupancy, max(most) AS most,
                   sum(entered) AS entered, sum(departed) AS departed, sum(dwell) AS dwell
            FROM parts GROUP BY ALL
        )
        SELECT bucket, zone, sum(occupancy), sum(most), sum(entered), sum(departed),
               sum(dwell) / greatest(sum(departed), 1) / 1000
        FROM cameras GROUP BY ALL ORDER BY ALL
    """
    rows = search.ask("windows", wanted, query, {"since": since_ms, "width": width_ms})
    return [
        Stay(since_ms + bucket * width_ms, zone, float(occupancy), int(most), int(entered), int(left), float(dwell))
        for bucket, zone, occupancy, most, entered, left, dwell in rows
    ]


def flows(search: Search, wanted: Wanted) -> list[Way]:
    """From which zone to which the tracks went, the most first; within one camera."""
    query = f"""
        WITH steps AS (
            SELECT unnest(list_zip(zones[:-2], zones[2:])) AS step FROM {{rows}} WHERE len(zones) > 1
        )
        SELECT step[1], step[2], count(*) AS tracks FROM steps WHERE step[1] <> step[2]
        GROUP BY ALL ORDER BY tracks DESC, 1, 2 LIMIT {MOST_WAYS}
    """  # noqa: S608  our own number
    return [Way(*row) for row in search.ask("tracks", wanted, query)]


def crossings(search: Search, wanted: Wanted) -> list[Way]:
    """How many tracks went over each line (`start`), and in which direction (`end`), the most first."""
    query = f"""
        WITH over_ AS (SELECT unnest(crossed) AS crossing FROM {{rows}})
        SELECT regexp_replace(crossing, ':[^:]*$', '') AS line, regexp_extract(crossing, '[^:]*$') AS way, count(*) AS n
        FROM over_ GROUP BY ALL ORDER BY n DESC, 1, 2 LIMIT {MOST_WAYS}
    """  # noqa: S608
    return [Way(*row) for row in search.ask("tracks", wanted, query)]


def heat(search: Search, wanted: Wanted, columns: int, rows: int) -> NDArray[np.float32]:
    """Seconds that bottom centres were in each of rows x columns parts of the picture, float32[rows,columns]."""
    query = f"""
        WITH total AS (SELECT greatest(1, count(*) // {MOST_TRACKS}) AS every FROM {{rows}}),
        points AS (
            SELECT unnest(path_x) AS x, unnest(path_y) AS y, unnest(path_ms) AS since_,
                   unnest(list_append(path_ms[2:], path_ms[-1])) AS until_, every
            FROM {{rows}}, total WHERE hash(id) % every = 0
        )
        SELECT least(x * $columns // {PLACES}, $columns - 1) AS across, least(y * $rows // {PLACES}, $rows - 1) AS down,
               sum(every * least(greatest(until_ - since_, 0), {STANDING_MS})) / 1000
        FROM points GROUP BY ALL
    """  # noqa: S608
    grid = np.zeros((rows, columns), np.float32)
    for column, row, seconds in search.ask("tracks", wanted, query, {"columns": columns, "rows": rows}):
        grid[row, column] = seconds
    return grid
