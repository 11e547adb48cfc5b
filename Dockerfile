# The daemon and the command line in one image. Build: docker build -t reconciler .
# First stage: the wheel and its dependencies, in a virtual environment of their own.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY reconciler ./reconciler
COPY schema ./schema
RUN python -m venv /opt/reconciler \
    && /opt/reconciler/bin/pip install --no-cache-dir --no-compile .

# Second stage: nothing but Python, that environment, and an account without rights.
FROM python:3.13-slim-bookworm
RUN groupadd --gid 10001 reconciler \
    && useradd --uid 10001 --gid 10001 --create-home --home-dir /var/lib/reconciler --shell /usr/sbin/nologin reconciler
COPY --from=build /opt/reconciler /opt/reconciler
ENV PATH=/opt/reconciler/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RECONCILER_HTTP__LISTEN=0.0.0.0:8432
USER 10001:10001
WORKDIR /srv
EXPOSE 8432
STOPSIGNAL SIGTERM
ENTRYPOINT ["reconciler"]
CMD ["--help"]
