# kolray as an image: `make image`. One stage installs into a virtual environment, the other has only that and the jobs.
FROM python:3.11.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/kolray/.venv
WORKDIR /src
# The dependencies change seldom and have a layer of their own; this stub of a package asks for them.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir kolray && touch kolray/__init__.py \
    && /opt/kolray/.venv/bin/python -m pip install -c constraints.txt ".[trino,traces,mlflow-server]"
COPY kolray kolray
RUN /opt/kolray/.venv/bin/python -m pip install --no-deps --force-reinstall . \
    && /opt/kolray/.venv/bin/python -m compileall -q -j 0 /opt/kolray/.venv/lib

FROM python:3.11.13-slim-bookworm
# LightGBM wants the system's OpenMP. Debian keeps one version of it for the release that the tag above names.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /home/kolray kolray \
    && mkdir -p /var/lib/kolray/metrics/targets /tmp/ray && chown -R kolray:kolray /var/lib/kolray /tmp/ray
COPY --from=build /opt/kolray/.venv /opt/kolray/.venv
COPY jobs /opt/kolray/jobs
COPY tuning /opt/kolray/tuning
COPY serve_configs /opt/kolray/serve_configs
COPY ops/mlflow /opt/kolray/mlflow
ENV PATH=/opt/kolray/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    KOLRAY_HOME=/var/lib/kolray \
    NUMBA_CACHE_DIR=/var/lib/kolray/compiled \
    RAY_USAGE_STATS_ENABLED=0 \
    RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=kolray.serving.proxy:middleware
WORKDIR /opt/kolray
USER 10001
VOLUME /var/lib/kolray
ENTRYPOINT ["kolray"]
CMD ["--help"]
