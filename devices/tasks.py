"""Celery's tasks: ids in, one service call, nothing out."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from devices.services import (
    carrying,
    launching,
    lever_work,
    machines,
    retention,
    silence,
    tending,
    typists,
)
from devices.services import reaping as reap_service


@shared_task
def launch(host_name: str) -> None:
    """Start what waits on this host, as far as the host can bear it."""
    launching.launch(host_name)


@shared_task
def reap(host_name: str) -> None:
    """End the guests of this host that are wanted gone."""
    reap_service.reap(host_name)


@shared_task
def tend_host(host_name: str) -> None:
    """Bring this host's rows and processes into agreement."""
    tending.tend(host_name)


@shared_task
def set_levers(host_name: str) -> None:
    """Set what people asked for on this host, and say how it is."""
    lever_work.work(host_name)


@shared_task
def tend_hosts() -> None:
    """Ask every host to tend its guests."""
    tending.ask_all(settings.HOST_NAME)


@shared_task
def notice_silence() -> None:
    """Notice devices that stopped reporting."""
    silence.notice_silence()


@shared_task
def tidy() -> None:
    """Delete what need not be kept any longer."""
    retention.tidy()


@shared_task
def act(host_name: str) -> None:
    """Carry out on this host what was asked of devices that are there."""
    carrying.carry_out(host_name)


@shared_task
def end_abandoned_typing() -> None:
    """End what is typed by pages that have vanished."""
    typists.end_abandoned()


@shared_task
def machine_status(host_name: str, serial: str, ticket: str) -> None:
    """Ask a guest's qemu how it is, for the page that holds the ticket."""
    machines.answer(serial, ticket)
