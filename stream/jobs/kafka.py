"""The ends of a job: Kafka topics as streams of records, and sinks that write keyed records.

The DataStream API's Kafka source gives values only, so the source is the Table API's connector in `raw` format: it
also gives key, topic, partition and offset, which dead letters and `FrameRef` need. Sinks are at-least-once: a record
is visible at once, and what a restart repeats is dropped by place (decide) or by id and revision (stores).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyflink.common import Row, Types
from pyflink.common.serialization import RowFieldExtractorSchema
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, OutputTag, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink

from contracts.topics import MAX_MESSAGE_BYTES
from stream.jobs.kafka_source import record_stream

KEY, VALUE, TOPIC, PARTITION, OFFSET = range(5)
"""The fields of a source record."""


@dataclass(frozen=True)
class KafkaEnds:
    """Where the topics are. `prefix` sets a run's topics apart; `properties` are Kafka's own (security)."""

    bootstrap: str
    prefix: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    group: str = "vedette"

    def source(self, env: StreamExecutionEnvironment, topics: Sequence[str], name: str) -> DataStream:
        """All records of the topics from the earliest that is kept, as Row(key, value, topic, partition, offset)."""
        options = {
            "topic": ";".join(self.prefix + topic for topic in topics),
            "properties.bootstrap.servers": self.bootstrap,
            "properties.group.id": f"{self.group}-{name}",
            "properties.max.partition.fetch.bytes": str(MAX_MESSAGE_BYTES),
            # A record waits for nothing: the broker answers as soon as one byte is there.
            "properties.fetch.min.bytes": "1",
            "scan.startup.mode": "earliest-offset",
            "scan.topic-partition-discovery.interval": "0",
        }
        security = {f"properties.{key}": value for key, value in self.properties.items()}
        return record_stream(env, options | security, f"{name}-source")

    def sink(self, stream: DataStream, topic: str, uid: str) -> None:
        """Write Row(key, value) records to the topic; the key decides the partition, `uid` names the writer."""
        builder = (
            KafkaSink.builder()
            .set_bootstrap_servers(self.bootstrap)
            .set_record_serializer(
                KafkaRecordSerializationSchema.builder()
                .set_topic(self.prefix + topic)
                .set_key_serialization_schema(RowFieldExtractorSchema(0))
                .set_value_serialization_schema(RowFieldExtractorSchema(1))
                .build()
            )
            .set_delivery_guarantee(DeliveryGuarantee.AT_LEAST_ONCE)
            .set_property("linger.ms", "0")
            .set_property("max.request.size", str(MAX_MESSAGE_BYTES))
            .set_property("buffer.memory", str(2 * MAX_MESSAGE_BYTES))
            .set_property("enable.idempotence", "true")
            # The broker may be away for a minute: wait, rather than fail the task and start it again and again.
            .set_property("delivery.timeout.ms", "300000")
            .set_property("max.block.ms", "300000")
            .set_property("reconnect.backoff.max.ms", "1000")
        )
        for key, value in self.properties.items():
            builder = builder.set_property(key, value)
        stream.sink_to(builder.build()).name(f"to {topic}").uid(f"{uid}-to-{topic}")


def side_output(stream: DataStream, tag: OutputTag) -> DataStream:
    """The side output as it leaves the operator.

    PyFlink's own `get_side_output` puts a Python map behind it, in the same thread. Two Python operators in one thread
    have a thread state each, and a library that asks for "this thread's" (PyGILState_Ensure: OpenCV, onnxruntime) gets
    that of the one that was opened first, and waits for ever for the lock that the other one holds.
    """
    return DataStream(stream._j_data_stream.getSideOutput(tag.get_java_output_tag()))


def keyed_type() -> TypeInformation:
    """The type of a record for a sink. Made anew each time: a type information used once can't be pickled."""
    return Types.ROW([bytes_type(), bytes_type()])


def bytes_type() -> TypeInformation:
    """Bytes as Flink's primitive array."""
    return Types.PRIMITIVE_ARRAY(Types.BYTE())


def keyed(key: str, value: bytes) -> Row:
    """A record for a sink."""
    return Row(key.encode(), value)
