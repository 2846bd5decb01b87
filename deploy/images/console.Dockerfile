# Console, evidence and history: one image, three programs.
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
        ".[console,postgres]"

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --create-home vedette \
    && install -d -o vedette -g vedette /var/lib/vedette /etc/vedette
COPY --from=build /opt/vedette /opt/vedette
ENV PATH=/opt/vedette/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
EXPOSE 18080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=4 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:18080/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m"]
CMD ["console", "--config=/etc/vedette/site.yaml", "--state=/var/lib/vedette/console", "--host=0.0.0.0"]
