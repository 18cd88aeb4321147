%% Runs in a template what its clones will run, against the loopback: modules are loaded, libraries
%% linked and looked up, buffers there, before the machine is frozen.
-module(fleetdash_warming).

-export([run/1]).

-define(SECRET, <<"0000000000000000000000000000000000000000000">>).
-define(HOST, <<"127.0.0.1">>).
-define(BACKLOG, 4).
-define(TIMEOUT_MS, 5000).
-define(ANSWER, <<"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSocket-Within-Ms: 0\r\nConnection: close\r\n\r\n{}">>).

%% In a process of its own: its heap and its random state end with it.
run(Template) ->
    {Process, Reference} = spawn_monitor(fun() -> warm(Template) end),
    receive
        {'DOWN', Reference, process, Process, normal} -> ok;
        {'DOWN', Reference, process, Process, Reason} -> error({not_warm, Reason})
    end.

warm(Template) ->
    {ok, Listening} = prim_inet:open(tcp, inet, stream),
    {ok, _} = prim_inet:bind(Listening, {127, 0, 0, 1}, 0),
    ok = prim_inet:setopts(Listening, [{mode, binary}, {active, false}]),
    ok = prim_inet:listen(Listening, ?BACKLOG),
    {ok, {_, Port}} = prim_inet:sockname(Listening),
    Gateway = <<?HOST/binary, ":", (integer_to_binary(Port))/binary>>,
    Identity = Template#{<<"serial">> => <<"000000000000">>, <<"gateway">> => Gateway},
    Server = spawn_link(fun() -> serve(Listening) end),
    {ok, 200, _} = fleetdash_report:attempt(Identity, ?SECRET),
    {ok, 200, _} = fleetdash_report:attempt(Identity, ?SECRET),
    talk(Identity),
    talk(Identity),
    unlink(Server),
    exit(Server, kill),
    fleetdash_tcp:close(Listening).

%% What the link does with its socket, without one.
talk(#{<<"serial">> := Serial} = Identity) ->
    Key = base64:encode(crypto:strong_rand_bytes(16)),
    Headers = fleetdash_nh1:headers(Serial, ?SECRET, os:system_time(second)),
    _ = iolist_to_binary(fleetdash_websocket:request(?HOST, "/", Key, Headers)),
    {open, <<>>} = fleetdash_websocket:response(
                     <<"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n",
                       "Sec-WebSocket-Accept: ", (fleetdash_websocket:accept_key(Key))/binary,
                       "\r\n\r\n">>, Key),
    New = fleetdash_channel:new(#{join => fun() -> fleetdash_firmware:join(Identity) end,
                                  health => fun fleetdash_health:sample/0}),
    Opened = sent(fleetdash_channel:opened(New)),
    Joined = heard(reply(<<"1">>, <<"device">>, #{}), Opened),
    Asked = heard([null, null, <<"device">>, <<"extensions:get">>, #{}], Joined),
    Attached = heard(reply(<<"2">>, <<"extensions">>, [<<"health">>]), Asked),
    Told = sent(fleetdash_channel:timer(health, Attached)),
    sent(fleetdash_channel:timer({heartbeat, fun fleetdash_health:sample/0}, Told)).

reply(Ref, Topic, Response) ->
    [Ref, Ref, Topic, <<"phx_reply">>, #{<<"status">> => <<"ok">>, <<"response">> => Response}].

heard(Term, Channel) ->
    Text = iolist_to_binary(fleetdash_json:encode(Term)),
    Frame = <<1:1, 0:3, 1:4, 0:1, (byte_size(Text)):7, Text/binary>>,
    {[{text, Heard}], _} = fleetdash_websocket:message(Frame, fleetdash_websocket:new()),
    {ok, Message} = fleetdash_json:decode(Heard),
    sent(fleetdash_channel:message(Message, Channel)).

sent({Effects, Channel}) ->
    _ = [fleetdash_websocket:encode(text, fleetdash_json:encode(Term), crypto:strong_rand_bytes(4))
         || {send, Term} <- Effects],
    Channel.

serve(Listening) ->
    {ok, Socket} = prim_inet:accept(Listening, ?TIMEOUT_MS),
    _ = fleetdash_tcp:recv(Socket, ?TIMEOUT_MS),
    _ = fleetdash_tcp:send(Socket, ?ANSWER),
    fleetdash_tcp:close(Socket),
    serve(Listening).
