# The jobs, on Flink's image of the version that they are built with: our environment beside it, the connector in its lib.
# RUNTIME=cpu or gpu (onnxruntime's CUDA build; the node brings the driver, the wheels bring CUDA).
ARG FLINK_IMAGE=flink:2.3.0-scala_2.12-java17
# hadolint ignore=DL3006
FROM ${FLINK_IMAGE} AS build
ARG RUNTIME=cpu
ARG UV=0.13.8
ARG JGO=3.2.0
ARG CYCLONEDX=7.5.0
USER 0
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# A Python 3.11 with a shared libpython, which Flink's thread mode loads into its JVM: where the image has none, uv gets
# one. uv and jgo (for the connector) are what builds, and stay behind.
ENV UV_PYTHON_INSTALL_DIR=/opt/python UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy PIP_CACHE_DIR=/var/cache/pip UV_CACHE_DIR=/var/cache/uv
# hadolint ignore=DL3008
RUN --mount=type=cache,target=/var/cache/pip \
    apt-get update \
    && apt-get install -y --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /opt/python \
    && /usr/bin/python3 -m venv /opt/build \
    && /opt/build/bin/pip install "uv==${UV}" "jgo==${JGO}" "cyclonedx-bom==${CYCLONEDX}" \
    && /opt/build/bin/uv venv --python 3.11 /opt/vedette
WORKDIR /src
COPY . .
# What Flink's wheel has of Flink itself is in the image already.
RUN --mount=type=cache,target=/var/cache/uv \
    /opt/build/bin/uv pip install --python /opt/vedette/bin/python --constraint constraints.txt ".[stream]" \
    && if [ "$RUNTIME" = gpu ]; then \
        /opt/build/bin/uv pip uninstall --python /opt/vedette/bin/python onnxruntime \
        && /opt/build/bin/uv pip install --python /opt/vedette/bin/python "onnxruntime-gpu[cuda,cudnn]>=1.20"; \
    fi \
    && rm -r /opt/vedette/lib/python3.11/site-packages/pyflink/lib /opt/vedette/lib/python3.11/site-packages/pyflink/opt
# The connector as the lock file has it, by its digest.
RUN /opt/build/bin/python -c "import shutil; from vedette.jars import flink_connector_jar as jar; shutil.copy(jar(), '/opt/')" \
    && /opt/build/bin/cyclonedx-py environment --output-file /opt/vedette/sbom.cdx.json /opt/vedette/bin/python \
    && /opt/build/bin/python -m vedette.sbom /opt/vedette/sbom.cdx.json --jars flink > /opt/vedette/licences.txt
USER 9999

# hadolint ignore=DL3006
FROM ${FLINK_IMAGE}
USER 0
COPY --from=build /opt/python /opt/python
COPY --from=build /opt/vedette /opt/vedette
COPY --from=build /opt/flink-sql-connector-kafka-*.jar /opt/flink/lib/
RUN cp /opt/flink/opt/flink-python-*.jar /opt/flink/lib/ \
    && mkdir -p /opt/flink/plugins/s3-fs-presto \
    && cp /opt/flink/opt/flink-s3-fs-presto-*.jar /opt/flink/plugins/s3-fs-presto/
ENV PATH=/opt/vedette/bin:$PATH VIRTUAL_ENV=/opt/vedette PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 9999
EXPOSE 19102
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:19102/metrics', timeout=4)"]
