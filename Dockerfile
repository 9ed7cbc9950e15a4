# syntax=docker/dockerfile:1
# Goldfold alone; Label Studio and PostgreSQL are neighbours (docs/deploy/compose.yaml).
#   docker build --target cpu  -t goldfold:cpu .
#   docker build --target cuda -t goldfold:cuda .

FROM python:3.11-slim-bookworm AS base
ENV PATH="/opt/goldfold/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

FROM base AS build
WORKDIR /src
RUN python -m venv /opt/goldfold
COPY .ci/pins.txt ./
RUN grep '^torch==' pins.txt > torch.txt

FROM build AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY configs configs
COPY labeling labeling
COPY scoring scoring
COPY selection selection
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

# The index of CPU builds of torch keeps this image gigabytes smaller; unset, torch brings its CUDA libraries.
FROM build AS build-cpu
ARG TORCH_CPU_INDEX_URL=""
RUN pip install --no-cache-dir ${TORCH_CPU_INDEX_URL:+--index-url "$TORCH_CPU_INDEX_URL"} -r torch.txt
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir -c pins.txt /wheels/*.whl

FROM build AS build-cuda
RUN pip install --no-cache-dir -r torch.txt
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir -c pins.txt /wheels/*.whl

FROM base AS runtime
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/goldfold goldfold
ENV GOLDFOLD_DATA_DIR=/var/lib/goldfold/data \
    GOLDFOLD_HOST=0.0.0.0 \
    GOLDFOLD_PORT=8080 \
    GOLDFOLD_LOG_JSON=true
USER 10001
WORKDIR /var/lib/goldfold
RUN mkdir data
VOLUME /var/lib/goldfold/data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["goldfold", "serve"]

FROM runtime AS cuda
COPY --from=build-cuda /opt/goldfold /opt/goldfold

FROM runtime AS cpu
COPY --from=build-cpu /opt/goldfold /opt/goldfold
