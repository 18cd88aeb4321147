-module(fleetdash_link).
-export([start_link/0, connect/1, init/1]).
start_link() -> proc_lib:start_link(?MODULE, init, [self()]).
connect(_I) -> ok.
init(P) -> proc_lib:init_ack(P, {ok, self()}), receive stop -> ok end.
