%% How long to wait before the next try, so that a crowd does not return in one moment.
-module(fleetdash_backoff).

-export([around/2, exponential/1, below/1]).

-define(FIRST_MS, 1000).
-define(LONGEST_MS, 60000).

%% `Milliseconds' give or take a share of it between 0 and 1.
around(Milliseconds, Share) ->
    Width = round(Milliseconds * Share),
    Milliseconds - Width + below(2 * Width + 1).

%% After so many failures in a row: 1, 2, 4 … 60 s, give or take half.
exponential(Failures) ->
    around(min(?LONGEST_MS, ?FIRST_MS bsl min(max(Failures - 1, 0), 16)), 0.5).

%% Some number from 0 to one less than `Limit', good enough to spread a crowd. Not from `rand', whose
%% state every clone of a device would share.
below(Limit) ->
    erlang:phash2({erlang:monotonic_time(), erlang:system_time(), make_ref()}, Limit).
