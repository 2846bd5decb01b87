# Training: recipes in, ONNX files with manifests out. torch is 5 GB.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
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
RUN python -m venv /opt/vedette \
    && /opt/vedette/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt \
        ".[training]"

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --create-home vedette \
    && install -d -o vedette -g vedette /var/lib/vedette /etc/vedette
COPY --from=build /opt/vedette /opt/vedette
ENV PATH=/opt/vedette/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
ENTRYPOINT ["python", "-m", "training"]
CMD ["--help"]
