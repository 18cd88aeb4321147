%% How the device feels, in the words of NervesHub's health extension.
-module(fleetdash_health).

-export([sample/0, sample/1, metrics/3, timestamp/1]).

%% The `value' of a health report, now.
sample() ->
    sample({fleetdash_proc:read("/proc/loadavg"), fleetdash_proc:read("/proc/meminfo")}).

%% The same from what those files have said just now.
sample({Load, Memory}) ->
    #{<<"timestamp">> => timestamp(erlang:universaltime()),
      <<"metadata">> => #{}, <<"alarms">> => #{}, <<"checks">> => #{},
      <<"metrics">> => metrics(Load, Memory, os:perf_counter() div 10000000 / 100)}.

%% From what /proc/loadavg and /proc/meminfo say, and the seconds since the kernel started; memory in
%% millions of bytes.
metrics(Load, Memory, Uptime) ->
    [One, Five, Fifteen | _] = words(Load),
    Size = kib(<<"MemTotal:">>, Memory),
    Used = Size - kib(<<"MemAvailable:">>, Memory),
    #{<<"load_1min">> => binary_to_float(One), <<"load_5min">> => binary_to_float(Five),
      <<"load_15min">> => binary_to_float(Fifteen),
      <<"mem_size_mb">> => megabytes(Size), <<"mem_used_mb">> => megabytes(Used),
      <<"mem_used_percent">> => Used * 100 div max(Size, 1),
      <<"uptime_s">> => Uptime}.

words(Text) ->
    [Word || Word <- binary:split(Text, [<<" ">>, <<"\n">>], [global]), Word =/= <<>>].

kib(Name, Memory) ->
    [_, After] = binary:split(Memory, Name),
    binary_to_integer(hd(words(After))).

megabytes(Kib) ->
    Kib * 1024 div 1000000.

timestamp({{Year, Month, Day}, {Hour, Minute, Second}}) ->
    iolist_to_binary([digits(Year, 4), $-, digits(Month, 2), $-, digits(Day, 2), $T,
                      digits(Hour, 2), $:, digits(Minute, 2), $:, digits(Second, 2), $Z]).

digits(Number, Width) ->
    Text = integer_to_list(Number),
    [lists:duplicate(max(0, Width - length(Text)), $0), Text].
