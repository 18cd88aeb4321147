%% System calls that Erlang has no function for, made by a small program that runs beside it
%% (`guest/syscalls/arm64.s' says how it is spoken to).
-module(fleetdash_syscalls).

-export([open/1, call/3, identity/1, rows/2]).

-define(PROGRAM, "/sbin/syscalls").
-define(BUFFER, 16#401000).
-define(ROW_BYTES, 56).
-define(IDENTITY_BYTES, 512).

%% Starts the program; it runs until the port is closed.
open(Arguments) ->
    open_port({spawn_executable, ?PROGRAM}, [binary, stream, use_stdio, {args, Arguments}]).

%% Makes calls one after another, whatever each gives; gives their results. A call is a name and up
%% to six arguments, each a number or `{data, Offset}', an address inside `Data'.
call(Port, Calls, Data) ->
    true = port_command(Port, rows(Calls, Data)),
    receive
        {Port, {data, Answer}} -> results(Calls, Answer)
    end.

%% Waits until the machine's identity is no longer a template's; gives its 512 bytes.
identity(Port) ->
    true = port_command(Port, rows([{wake, []}], <<>>)),
    receive
        {Port, {data, <<Identity:?IDENTITY_BYTES/binary>>}} -> Identity
    end.

%% Calls and data in the program's own form.
rows(Calls, Data) ->
    At = ?BUFFER + length(Calls) * ?ROW_BYTES + 8,
    [[row(Name, Arguments, At) || {Name, Arguments} <- Calls], <<0:64>>, Data].

row(Name, Arguments, At) ->
    [<<(number(Name)):64/little>>, words(Arguments, 6, At)].

%% What Linux calls them on this architecture (its `unistd.h'); the last is the program's own.
-ifdef(X64).
number(ioctl) -> 16;
number(pread) -> 17;
number(nanosleep) -> 35;
number(socket) -> 41;
number(set_host_name) -> 170;
number(set_clock) -> 227;
number(openat) -> 257;
number(wake) -> 4095.
-else.
number(ioctl) -> 29;
number(openat) -> 56;
number(pread) -> 67;
number(nanosleep) -> 101;
number(set_clock) -> 112;
number(set_host_name) -> 161;
number(socket) -> 198;
number(wake) -> 4095.
-endif.

words(_, 0, _) -> [];
words([], Left, _) -> <<0:(Left * 64)>>;
words([{data, Offset} | More], Left, At) -> [<<(At + Offset):64/little>> | words(More, Left - 1, At)];
words([Number | More], Left, At) -> [<<Number:64/little>> | words(More, Left - 1, At)].

results([], _) ->
    [];
results([_ | Calls], <<Result:64/little-signed, _:48/binary, Rest/binary>>) ->
    [Result | results(Calls, Rest)].
