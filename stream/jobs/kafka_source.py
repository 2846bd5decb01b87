"""Kafka's table source as a stream of rows, without the Table API's planner.

The connector gives key, topic, partition and offset only through its table source. The planner would do no more than
call what is called here; its classes (Calcite, Scala) cost 2 CPU seconds of every start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import to_jarray

METADATA = ("topic", "partition", "offset")
"""What the connector knows of a record beside key and value, by its own names."""


def record_stream(env: StreamExecutionEnvironment, options: Mapping[str, str], uid: str) -> DataStream:
    """Row(key, value, topic, partition, offset) of every record; `options` are the connector's, without formats.

    `uid` is what the place in each partition is kept under in checkpoints.
    """
    jvm = get_gateway().jvm
    table = jvm.org.apache.flink.table
    types = _types(jvm)
    produced = table.api.DataTypes.ROW(
        to_jarray(table.api.DataTypes.Field, [table.api.DataTypes.FIELD(name, kind) for name, kind in types.items()])
    )
    source = _table_source(jvm, types, options)
    source.applyReadableMetadata(list(METADATA), produced)
    provider = source.getScanRuntimeProvider(table.runtime.connector.source.ScanRuntimeProviderContext.INSTANCE)
    records = provider.produceDataStream(_Uid(uid), env._j_stream_execution_environment)
    # From Flink's own binary rows to those that Python gets, as the Table API does at its end.
    converter = table.runtime.connector.sink.SinkRuntimeProviderContext(False).createDataStructureConverter(produced)
    rows = table.runtime.operators.sink.OutputConversionOperator(None, converter, -1, False)
    row_type = table.runtime.typeutils.ExternalTypeInfo.of(produced)
    return DataStream(records.transform(f"{uid} rows", row_type, rows))


def _types(jvm: Any) -> dict[str, Any]:
    """The row's fields and their types."""
    types = jvm.org.apache.flink.table.api.DataTypes
    kinds = (types.BYTES(), types.BYTES(), types.STRING(), types.INT(), types.BIGINT())
    return dict(zip(("key", "value", *METADATA), kinds, strict=True))


def _table_source(jvm: Any, types: Mapping[str, Any], options: Mapping[str, str]) -> Any:
    """The connector's source of a table with these columns, key and value as they are."""
    table = jvm.org.apache.flink.table
    column = table.catalog.Column
    columns = [
        column.metadata(name, kind, name, True) if name in METADATA else column.physical(name, kind)
        for name, kind in types.items()
    ]
    formats = {
        "connector": "kafka",
        "key.format": "raw",
        "key.fields": "key",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
    }
    schema = table.catalog.ResolvedSchema.of(to_jarray(column, columns))
    unresolved = table.api.Schema.newBuilder().fromResolvedSchema(schema).build()
    described = table.catalog.CatalogTable.newBuilder().schema(unresolved).options({**options, **formats}).build()
    return table.factories.FactoryUtil.createDynamicTableSource(
        None,
        table.catalog.ObjectIdentifier.of("vedette", "kafka", "records"),
        table.catalog.ResolvedCatalogTable(described, schema),
        {},
        jvm.org.apache.flink.configuration.Configuration(),
        jvm.Thread.currentThread().getContextClassLoader(),
        True,
    )


class _Uid:
    """Names the source in the checkpoints: called back by the connector."""

    def __init__(self, uid: str) -> None:
        self._uid = uid

    def generateUid(self, _name: str) -> Any:
        """The uid, as Java's Optional."""
        return get_gateway().jvm.java.util.Optional.of(self._uid)

    class Java:
        """The interface that py4j makes of it."""

        implements = ("org.apache.flink.table.connector.ProviderContext",)
