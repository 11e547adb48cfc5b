# The daemon and the command line in one image. Build: docker build -t reconciler .
# First stage: the wheel and its dependencies, in a virtual environment of their own.
FROM python:3.13.7-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY reconciler ./reconciler
COPY schema ./schema
# The examples of the audit's rules, which `reconciler explain` shows.
COPY tests/audit/cases ./tests/audit/cases
# Compiled here, since the file system is to be read-only where it runs.
RUN python -m venv /opt/reconciler \
    && /opt/reconciler/bin/pip install --no-cache-dir .

# Second stage: nothing but Python, git to fetch declarations with, that environment, and an account without rights.
FROM python:3.13.7-slim-bookworm
# Debian keeps only the newest version of a package: a pinned one could not be built next month.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 reconciler \
    && useradd --uid 10001 --gid 10001 --create-home --home-dir /var/lib/reconciler --shell /usr/sbin/nologin reconciler
COPY --from=build /opt/reconciler /opt/reconciler
ENV PATH=/opt/reconciler/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/reconciler \
    XDG_CACHE_HOME=/var/lib/reconciler/cache \
    RECONCILER_HTTP__LISTEN=0.0.0.0:8432
USER 10001:10001
# Here reconciler.yaml is looked for.
WORKDIR /srv
EXPOSE 8432
# Whether the loop is alive; never whether a database is. Without a shell and without curl.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['RECONCILER_HTTP__LISTEN'].rpartition(':')[2] + '/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["reconciler"]
CMD ["run"]
