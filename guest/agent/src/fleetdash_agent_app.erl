%% Starts the agent under its supervisor.
-module(fleetdash_agent_app).
-behaviour(application).

-export([start/2, stop/1]).

start(_Type, _Arguments) ->
    fleetdash_agent_sup:start_link().

stop(_State) ->
    ok.
