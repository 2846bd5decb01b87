# The agent: cameras in, frames out.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
ARG CYCLONEDX=7.5.0
WORKDIR /src
COPY . .
ENV PIP_CACHE_DIR=/var/cache/pip
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv /opt/vedette \
    && /opt/vedette/bin/pip install --disable-pip-version-check --constraint constraints.txt ".[edge]" \
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
EXPOSE 19101
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=4 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:19101/metrics', timeout=4)"]
ENTRYPOINT ["python", "-m", "edge"]
CMD ["--config=/etc/vedette/site.yaml", "--state=/var/lib/vedette/edge"]
