%% TCP to a numeric address with what is preloaded in the virtual machine, and nothing else: the
%% report goes out before Erlang's kernel application is there, and no name service is ever started.
-module(fleetdash_tcp).

-export([connect/3, send/2, recv/2, active_once/1, close/1, reset/1]).

connect(Address, Port, Timeout) ->
    case prim_inet:open(tcp, inet, stream) of
        {ok, Socket} ->
            ok = prim_inet:setopts(Socket, [{mode, binary}, {active, false}, {nodelay, true},
                                            {send_timeout, 10000}]),
            case prim_inet:connect(Socket, Address, Port, Timeout) of
                ok ->
                    {ok, Socket};
                Error ->
                    close(Socket),
                    Error
            end;
        Error ->
            Error
    end.

send(Socket, Data) ->
    prim_inet:send(Socket, Data).

%% Whatever comes next.
recv(Socket, Timeout) ->
    prim_inet:recv(Socket, 0, Timeout).

%% The next data, or the end, arrives as a message: `{tcp, Socket, Data}', `{tcp_closed, Socket}'
%% or `{tcp_error, Socket, Reason}'.
active_once(Socket) ->
    prim_inet:setopts(Socket, [{active, once}]).

%% Ends a connection whose other side has nothing more to get: nothing of it is left to wait for.
reset(Socket) ->
    _ = prim_inet:setopts(Socket, [{linger, {true, 0}}]),
    close(Socket).

close(Socket) ->
    catch prim_inet:close(Socket),
    ok.
