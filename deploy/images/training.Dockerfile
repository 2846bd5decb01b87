# The learning loop, and training by hand: recipes in, ONNX files with manifests out. torch is 5 GB.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
ARG CYCLONEDX=7.5.0
WORKDIR /src
COPY . .
ENV PIP_CACHE_DIR=/var/cache/pip
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv /opt/vedette \
    && /opt/vedette/bin/pip install --disable-pip-version-check --constraint constraints.txt ".[postgres,training]" \
    && /opt/vedette/bin/pip uninstall --yes pip setuptools \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --disable-pip-version-check "cyclonedx-bom==${CYCLONEDX}" \
    && /opt/build/bin/cyclonedx-py environment --output-file /opt/vedette/sbom.cdx.json /opt/vedette/bin/python \
    && python -m vedette.sbom /opt/vedette/sbom.cdx.json > /opt/vedette/licences.txt

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --create-home vedette \
    && install -d -o vedette -g vedette /var/lib/vedette /etc/vedette
COPY --from=build /opt/vedette /opt/vedette
ENV PATH=/opt/vedette/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
ENTRYPOINT ["python", "-m"]
CMD ["vedette", "learn", "--help"]
