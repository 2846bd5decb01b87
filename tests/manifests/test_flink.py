"""Flink's jobs: memory by Flink's own arithmetic (heap, and Python, which no heap holds), tasks, slots, key groups."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from contracts.config.services import TASKS_MAX
from contracts.config_file import load
from tests.manifests.overlays import Object, built, every_overlay, name_of, site_of
from tests.standalone import FLINK
from vedette.java import child_environment, find_java
from vedette.scaling import DECIDE_TASKS
from vedette.sizing import BUSY

JOBS = [one for one in built("prod") if one["kind"] == "FlinkDeployment"]
MIB = 1024**2
HEAP_MIB, PYTHON_MIB = 200, 256
"""At least: what Flink's sources, sinks and state take; an interpreter with numpy, OpenCV and a small model."""
every_job = pytest.mark.parametrize("job", JOBS, ids=[one["metadata"]["name"] for one in JOBS])


@every_job
@pytest.mark.parametrize("part", ["job", "task"])
def test_flink_accepts_the_memory_and_leaves_room_for_heap_and_python(job: Object, part: str, tmp_path: Path) -> None:
    heap, beside = _memory_mib(job, part, tmp_path)
    assert heap >= HEAP_MIB
    assert beside >= PYTHON_MIB


def _memory_mib(job: Object, part: str, folder: Path) -> tuple[float, float]:
    """Heap, and what is kept free beside it, by Flink's own tool, which each of its start scripts asks."""
    manager = job["spec"][f"{part}Manager"]
    settings = {
        **job["spec"]["flinkConfiguration"],
        f"{part}manager.memory.process.size": manager["resource"]["memory"],
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    (distribution,) = (FLINK / "lib").glob("flink-dist-*.jar")
    classes = f"{FLINK / 'bin' / 'bash-java-utils.jar'}:{distribution}"
    what = {"job": "GET_JM_RESOURCE_PARAMS", "task": "GET_TM_RESOURCE_PARAMS"}[part]
    tool = ("org.apache.flink.runtime.util.bash.BashJavaUtils", what, "--configDir", str(folder))
    java = find_java()
    done = subprocess.run(
        [java.home / "bin" / "java", "-XX:TieredStopAtLevel=1", "-cp", classes, *tool],
        env={**child_environment(java), "FLINK_CONF_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    heap, beside = {"job": ("JVM Heap", "Off-heap"), "task": ("Total JVM Heap Memory", "Task")}[part]
    sizes = dict(
        re.findall(r" {2,}([\w -]+): .*?(\d+) bytes", done.stdout)
    )  # of two `Task` the last, which is off-heap
    return int(sizes[heap]) / MIB, int(sizes[beside]) / MIB


def test_decide_has_as_many_tasks_as_the_scaling_page_says() -> None:
    (decide,) = (one["spec"] for one in JOBS if one["metadata"]["name"] == "decide")
    assert decide["job"]["parallelism"] == DECIDE_TASKS
    assert "taskmanager.numberOfTaskSlots" not in decide["flinkConfiguration"]  # one: a core each


def test_jobs_that_grow_with_cameras_are_scaled_as_the_scaling_page_says() -> None:
    settings = {one["metadata"]["name"]: one["spec"]["flinkConfiguration"] for one in JOBS}
    scaled = {name for name, one in settings.items() if one.get("job.autoscaler.enabled") == "true"}
    assert scaled == {"detect", "decide"}
    for name in scaled:
        assert float(settings[name]["job.autoscaler.utilization.target"]) == BUSY
        assert int(settings[name]["job.autoscaler.vertex.max-parallelism"]) == TASKS_MAX


def test_keys_go_to_as_many_groups_as_the_scaling_page_says() -> None:
    assert {one["spec"]["flinkConfiguration"]["pipeline.max-parallelism"] for one in JOBS} == {str(TASKS_MAX)}


@every_overlay
def test_no_job_has_more_tasks_than_there_are_partitions(overlay: str) -> None:
    partitions = load(site_of(overlay)).kafka.partitions
    tasks = {
        name_of(one): one["spec"]["job"]["parallelism"] for one in built(overlay) if one["kind"] == "FlinkDeployment"
    }
    assert {name: count for name, count in tasks.items() if count > partitions} == {}


def test_a_gpus_tasks_fill_a_batch() -> None:
    """They are threads of one process, and its batcher takes a picture of each."""
    (detect,) = (one["spec"] for one in JOBS if one["metadata"]["name"] == "detect")
    assert detect["taskManager"]["podTemplate"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert detect["flinkConfiguration"]["taskmanager.numberOfTaskSlots"] == str(load(site_of("prod")).stream.batch_max)
