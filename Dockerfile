# One image for all services of docker-compose.yml; a worker needs --privileged for its guests.
FROM debian:12-slim

ENV DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8
WORKDIR /srv/fleetdash
COPY fleetdash/deploy/debian-packages requirements.txt ./
# apt's own lists stay away; the firmware's build keeps lists of its own in var/cache
RUN apt-get update \
    && sed -e 's/#.*//' debian-packages | xargs apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/* debian-packages \
    && python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir -r requirements.txt \
    && /opt/venv/bin/python -c "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))" \
    && useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin fleetdash \
    && useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin fleetdash-guest
COPY . .
RUN /opt/venv/bin/python -m compileall -q fleetdash devices
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    DJANGO_SETTINGS_MODULE=fleetdash.settings \
    FLEETDASH_VAR=/var/lib/fleetdash \
    FLEETDASH_USERS=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2
CMD ["python", "-m", "fleetdash.deploy.run", "web"]
