"""Addresses of the web process."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from devices.api import api
from devices.api.problems import nowhere
from devices.views import (
    bulk,
    dashboard,
    device,
    device_actions,
    entering,
    fleet,
    history,
    host,
    leaving,
    lists,
    metrics,
    operations,
    saved_views,
    tokens,
    wall,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", dashboard.dashboard, name="dashboard"),
    path("login/", entering.LogInView.as_view(), name="login"),
    path("logout/", leaving.LeaveView.as_view(), name="logout"),
    path("devices/", lists.device_list, name="devices"),
    path("devices/act", bulk.act, name="act"),
    path("devices/count", lists.count, name="device_count"),
    path("devices/still-listed", bulk.still_listed, name="still_listed"),
    path("devices/views/save", saved_views.save, name="save_view"),
    path("devices/views/<int:view_id>/forget", saved_views.forget, name="forget_view"),
    path("devices/add", fleet.add, name="add"),
    path("devices/remove", fleet.remove, name="remove"),
    path("devices/at/<int:slot>", device.device_at, name="device_at"),
    path("devices/at/<int:slot>/serial", device.serial_at, name="serial_at"),
    path("devices/<str:serial>/", device.device_page, name="device"),
    path("devices/<str:serial>/machine", device.machine_status, name="machine_status"),
    path("devices/<str:serial>/act/<str:kind>", device_actions.act, name="act"),
    path("operations/", operations.operation_list, name="operations"),
    path("operations/<int:operation_id>/", operations.operation_page, name="operation"),
    path("operations/<int:operation_id>/retry", operations.retry, name="retry"),
    path("operations/<int:operation_id>/cancel", fleet.cancel, name="cancel"),
    path("operations/<int:operation_id>/undo", fleet.undo, name="undo"),
    path("history", history.history_page, name="history"),
    path("hosts/", host.host_list, name="hosts"),
    path("hosts/caveat", host.put_away_caveat, name="put_away_caveat"),
    path("hosts/<str:name>/", host.host_page, name="host"),
    path("hosts/<str:name>/now", host.host_now, name="host_now"),
    path("hosts/<str:name>/levers/<str:lever>", host.set_lever, name="set_lever"),
    path("hosts/<str:name>/forget", host.forget, name="forget_host"),
    path("tokens/", tokens.token_page, name="tokens"),
    path("tokens/<int:token_id>/revoke", tokens.revoke, name="revoke"),
    path("wall", wall.wall, name="wall"),
    path("metrics", metrics.metrics, name="metrics"),
    path("api/v1/", api.urls),
    re_path(r"^api(?:/|$)", nowhere),
]
