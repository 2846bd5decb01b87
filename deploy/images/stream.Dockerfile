# The jobs, on Flink's image of the version that they are built with: our environment beside it, the connector in its lib.
# RUNTIME=cpu or gpu (onnxruntime's CUDA build; the node brings the driver, the wheels bring CUDA).
ARG FLINK_IMAGE=flink:2.3.0-scala_2.12-java17
# hadolint ignore=DL3006
FROM ${FLINK_IMAGE} AS build
ARG RUNTIME=cpu
ARG UV=0.13.8
USER 0
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# A Python with a shared libpython, which Flink's thread mode loads into its JVM: the image's own is too old.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-pip \
    && pip install --no-cache-dir "uv==${UV}" \
    && rm -rf /var/lib/apt/lists/* \
    && uv python install --install-dir /opt/python 3.11 \
    && uv venv --python "$(uv python find --no-project 3.11)" /opt/vedette
WORKDIR /src
COPY pyproject.toml constraints.txt README.md ./
COPY contracts contracts
COPY bus bus
COPY vault vault
COPY edge edge
COPY stream stream
COPY archive archive
COPY training training
COPY console console
COPY vedette vedette
COPY models models
RUN uv pip install --no-cache --python /opt/vedette/bin/python --constraint constraints.txt ".[stream,local]" \
    && if [ "$RUNTIME" = gpu ]; then \
        uv pip uninstall --python /opt/vedette/bin/python onnxruntime \
        && uv pip install --no-cache --python /opt/vedette/bin/python "onnxruntime-gpu[cuda,cudnn]>=1.20"; \
    fi
# The connector as the lock file has it, by its digest.
RUN /opt/vedette/bin/python -c "import shutil; from vedette.jars import flink_connector_jar as jar; shutil.copy(jar(), '/tmp/')"
USER 9999

# hadolint ignore=DL3006
FROM ${FLINK_IMAGE}
USER 0
COPY --from=build /opt/python /opt/python
COPY --from=build /opt/vedette /opt/vedette
COPY --from=build /tmp/flink-sql-connector-kafka-*.jar /opt/flink/lib/
RUN cp /opt/flink/opt/flink-python-*.jar /opt/flink/lib/ \
    && mkdir -p /opt/flink/plugins/s3-fs-presto \
    && cp /opt/flink/opt/flink-s3-fs-presto-*.jar /opt/flink/plugins/s3-fs-presto/
ENV PATH=/opt/vedette/bin:$PATH VIRTUAL_ENV=/opt/vedette PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 9999
EXPOSE 19102
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:19102/metrics', timeout=4)"]
