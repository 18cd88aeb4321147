%% The report comes first and starts anew after a crash; the link waits for it.
-module(fleetdash_agent_sup).
-behaviour(supervisor).

-export([start_link/0, init/1]).

start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

init([]) ->
    Flags = #{strategy => one_for_one, intensity => 20, period => 60},
    {ok, {Flags, [worker(fleetdash_link), worker(fleetdash_report)]}}.

worker(Module) ->
    #{id => Module, start => {Module, start_link, []}, restart => permanent,
      shutdown => 1000, type => worker, modules => [Module]}.
