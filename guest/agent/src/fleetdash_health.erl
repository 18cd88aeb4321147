%% How the device feels, in the words of NervesHub's health extension.
-module(fleetdash_health).

-export([sample/0, metrics/3]).

%% The `value' of a health report, now.
sample() ->
    #{<<"timestamp">> => timestamp(erlang:system_time(second)),
      <<"metadata">> => #{}, <<"alarms">> => #{}, <<"checks">> => #{},
      <<"metrics">> => metrics(fleetdash_proc:read("/proc/loadavg"), fleetdash_proc:read("/proc/meminfo"),
                               fleetdash_proc:read("/proc/uptime"))}.

%% From what /proc/loadavg, /proc/meminfo and /proc/uptime say; memory in millions of bytes.
metrics(Load, Memory, Uptime) ->
    [One, Five, Fifteen | _] = words(Load),
    Size = kib(<<"MemTotal:">>, Memory),
    Used = Size - kib(<<"MemAvailable:">>, Memory),
    #{<<"load_1min">> => binary_to_float(One), <<"load_5min">> => binary_to_float(Five),
      <<"load_15min">> => binary_to_float(Fifteen),
      <<"mem_size_mb">> => megabytes(Size), <<"mem_used_mb">> => megabytes(Used),
      <<"mem_used_percent">> => Used * 100 div max(Size, 1),
      <<"uptime_s">> => binary_to_float(hd(words(Uptime)))}.

words(Text) ->
    [Word || Word <- binary:split(Text, [<<" ">>, <<"\n">>], [global]), Word =/= <<>>].

kib(Name, Memory) ->
    [_, After] = binary:split(Memory, Name),
    binary_to_integer(hd(words(After))).

megabytes(Kib) ->
    Kib * 1024 div 1000000.

timestamp(Second) ->
    list_to_binary(calendar:system_time_to_rfc3339(Second, [{offset, "Z"}])).
