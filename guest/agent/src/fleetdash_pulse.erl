%% A clock that ticks beside Erlang, and brings what the kernel says about the device.
%%
%% A timer of the virtual machine wakes it several times before it is due, and reading a file hands
%% the work from thread to thread and back. Here one small program sleeps, reads and answers: the
%% device wakes once.
-module(fleetdash_pulse).

-export([open/0, ask/2, readings/1]).

-define(CWD, -100).
-define(CALLS_BYTES, (3 * 56 + 8)).
-define(LOAD_BYTES, 64).
-define(MEMORY_BYTES, 128).
-define(LOAD, "/proc/loadavg").
-define(MEMORY, "/proc/meminfo").

%% Gives the clock and the port that its answers come from.
open() ->
    Port = fleetdash_syscalls:open([]),
    [Load, Memory] = fleetdash_syscalls:call(
                       Port, [{openat, [?CWD, {data, 0}, 0, 0]},
                              {openat, [?CWD, {data, length(?LOAD) + 1}, 0, 0]}],
                       <<?LOAD, 0, ?MEMORY, 0>>),
    {{Port, Load, Memory}, Port}.

%% Asks for one tick after that many milliseconds; until it came there must not be another question.
ask({Port, Load, Memory}, Milliseconds) ->
    Wait = <<(Milliseconds div 1000):64/little, (Milliseconds rem 1000 * 1000000):64/little>>,
    true = port_command(
             Port,
             fleetdash_syscalls:rows(
               [{nanosleep, [{data, 0}, 0]},
                {pread, [Load, {data, 16}, ?LOAD_BYTES, 0]},
                {pread, [Memory, {data, 16 + ?LOAD_BYTES}, ?MEMORY_BYTES, 0]}],
               <<Wait/binary, 0:((?LOAD_BYTES + ?MEMORY_BYTES) * 8)>>)),
    ok.

%% What /proc/loadavg says and the first lines of /proc/meminfo, of a tick's data.
readings(<<_:?CALLS_BYTES/binary, _:16/binary, Load:?LOAD_BYTES/binary,
           Memory:?MEMORY_BYTES/binary>>) ->
    {Load, Memory}.
