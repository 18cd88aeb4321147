"""The Celery application: JSON only, one queue a host, one for the fleet."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fleetdash.settings")

from typing import Any

from celery import Celery, signals
from django.conf import settings

app = Celery("fleetdash")


def _broker_url(redis_url: str) -> str:
    """Celery's spelling of a Redis address: `redis+socket://` for a unix socket."""
    if redis_url.startswith("unix://"):
        return "redis+socket://" + redis_url.removeprefix("unix://")
    return redis_url


def host_queue(host_name: str) -> str:
    """The queue of the worker that runs guests on a host."""
    return f"host.{host_name}"


CONTROL_QUEUE = "control"

app.conf.update(
    broker_url=_broker_url(settings.REDIS_URL),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # redis-py's default socket timeout is shorter than the blocking pop (channels_redis#422)
    broker_transport_options={"socket_timeout": None, "socket_keepalive": True},
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_default_queue=CONTROL_QUEUE,
    task_create_missing_queues=True,
    task_acks_late=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    beat_schedule={
        "tend-hosts": {"task": "devices.tasks.tend_hosts", "schedule": 5.0,
                       "options": {"expires": 5}},
        "notice-silence": {"task": "devices.tasks.notice_silence", "schedule": 10.0,
                           "options": {"expires": 10}},
        "end-typing": {"task": "devices.tasks.end_abandoned_typing", "schedule": 60.0,
                       "options": {"expires": 60}},
        "tidy": {"task": "devices.tasks.tidy", "schedule": 3600.0,
                 "options": {"expires": 600}},
    },
    beat_max_loop_interval=5,
)
app.autodiscover_tasks(["devices"])


@signals.setup_logging.connect
def _keep_django_logging(**_: Any) -> None:
    """Celery leaves logging alone once somebody listens here: Django's settings hold."""


def _install_bootsteps() -> None:
    from devices import bootsteps
    from devices.poller import bootstep as poller

    bootsteps.install(app)
    poller.install(app)


_install_bootsteps()
