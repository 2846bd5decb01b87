"""The ends of a job: Kafka topics as streams of records, and sinks that write keyed records.

The DataStream API's Kafka source gives values only, so the source is the Table API's connector in `raw` format: it
also gives key, topic, partition and offset, which dead letters and `FrameRef` need. Sinks are at-least-once: a record
is visible at once, and what a restart repeats is dropped by place (decide) or by id and revision (stores).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyflink.common import Row, Types
from pyflink.common.serialization import RowFieldExtractorSchema
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, OutputTag, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink

from contracts.broker import BrokerAddress
from contracts.topics import MAX_MESSAGE_BYTES
from stream.jobs.kafka_source import record_stream

FILE_PROVIDER = "org.apache.flink.kafka.shaded.org.apache.kafka.common.config.provider.DirectoryConfigProvider"
"""Kafka's own reader of files named in properties, as the connector's jar holds it."""

AWAY_MS = 300_000
"""For so long the broker may be away before a job is started again."""

KEY, VALUE, TOPIC, PARTITION, OFFSET = range(5)
"""The fields of a source record."""


@dataclass(frozen=True)
class KafkaEnds:
    """Where the topics are: `bootstrap` as in contracts/broker.py. `prefix` sets a run's topics apart.

    Every `new_partitions_s` sources look whether their topics have got more partitions; 0: at a start only, as on one
    machine, where the broker's number of partitions changes with a start of everything.
    """

    bootstrap: str
    prefix: str = ""
    group: str = "vedette"
    new_partitions_s: int = 0

    def connection(self) -> dict[str, str]:
        """Kafka's own properties of a connection; raises ConfigError."""
        address = BrokerAddress.parse(self.bootstrap)
        return {"bootstrap.servers": address.servers, **_tls(address)}

    def source(self, env: StreamExecutionEnvironment, topics: Sequence[str], name: str) -> DataStream:
        """All records of the topics from the earliest that is kept, as Row(key, value, topic, partition, offset)."""
        options = {
            "topic": ";".join(self.prefix + topic for topic in topics),
            "properties.group.id": f"{self.group}-{name}",
            "properties.max.partition.fetch.bytes": str(MAX_MESSAGE_BYTES),
            # A record waits for nothing: the broker answers as soon as one byte is there.
            "properties.fetch.min.bytes": "1",
            "scan.startup.mode": "earliest-offset",
            "scan.topic-partition-discovery.interval": f"{self.new_partitions_s} s",
        }
        if self.new_partitions_s:
            # A look that fails ends the job: it waits for a broker that is away for as long as the sinks do.
            options["properties.default.api.timeout.ms"] = str(AWAY_MS)
        connection = {f"properties.{key}": value for key, value in self.connection().items()}
        return record_stream(env, options | connection, f"{name}-source")

    def sink(self, stream: DataStream, topic: str, uid: str) -> None:
        """Write Row(key, value) records to the topic; the key decides the partition, `uid` names the writer."""
        builder = (
            KafkaSink.builder()
            .set_bootstrap_servers(BrokerAddress.parse(self.bootstrap).servers)
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
            # The broker may be away for a while: wait, rather than fail the task and start it again and again.
            .set_property("delivery.timeout.ms", str(AWAY_MS))
            .set_property("max.block.ms", str(AWAY_MS))
            .set_property("reconnect.backoff.max.ms", "1000")
        )
        for key, value in self.connection().items():
            builder = builder.set_property(key, value)
        stream.sink_to(builder.build()).name(f"to {topic}").uid(f"{uid}-to-{topic}")


def _tls(address: BrokerAddress) -> dict[str, str]:
    """PEM files in Java's client. What is in them is read where the connection is made, never part of the job graph."""
    if not address.ca:
        return {}
    tls = {"security.protocol": "SSL", "ssl.truststore.type": "PEM", "ssl.truststore.location": address.ca}
    if address.key:
        # Java takes one file with key and certificates, or their texts: here as references that it resolves itself.
        tls |= {
            "config.providers": "files",
            "config.providers.files.class": FILE_PROVIDER,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": _text_of(address.certificate),
            "ssl.keystore.key": _text_of(address.key),
        }
    return tls


def _text_of(file: str) -> str:
    folder, _, name = file.rpartition("/")
    return f"${{files:{folder or '.'}:{name}}}"


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
