%% Holds the socket to the gateway: opens it, speaks, and comes back after a loss.
-module(fleetdash_link).
-behaviour(gen_server).

-export([start_link/0, connect/1, rehearse/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(PATH, "/device-socket/websocket?vsn=2.0.0").
-define(CONNECT_MS, 10000).
-define(HANDSHAKE_MS, 15000).
-define(CLOCK_TOLERANCE_S, 5).
-define(LEAVE_MS, 500).
-define(REHEARSAL_MS, 3000).
-define(REHEARSED_MS, 400).

start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Be this device from now on; an open socket of another one is dropped.
connect(Identity) ->
    gen_server:cast(?MODULE, {connect, Identity}).

%% Be this device for some seconds in which heartbeats and health reports follow fast on each
%% other, and leave nothing of it behind. Gives `ok' when the socket was open at the end.
rehearse(Identity) ->
    gen_server:call(?MODULE, {rehearse, Identity}, ?CONNECT_MS + ?HANDSHAKE_MS).

init([]) ->
    case fleetdash_report:answered() of
        none -> ok;
        Identity -> connect(Identity)
    end,
    {Pulse, Port} = fleetdash_pulse:open(),
    {ok, closed(#{identity => none, failures => 0, socket => none, connection => 0,
                  timers => #{}, rehearsal => none, pulse => Pulse, port => Port,
                  beating => false})}.

handle_call({rehearse, Identity}, From, State) ->
    _ = erlang:send_after(?REHEARSAL_MS, self(), rehearsed),
    {noreply, open((drop(State))#{identity => Identity, failures => 0, rehearsal => From})};
handle_call(_, _, State) ->
    {reply, {error, unknown}, State}.

handle_cast({connect, Identity}, State) ->
    {noreply, open((drop(State))#{identity => Identity, failures => 0})}.

handle_info({tcp, Socket, Data}, #{socket := Socket} = State) ->
    Next = received(Data, State),
    case Next of
        #{socket := Socket} -> _ = fleetdash_tcp:active_once(Socket);
        _ -> ok
    end,
    {noreply, Next, hibernate};
handle_info({tcp_closed, Socket}, #{socket := Socket} = State) ->
    {noreply, again(State)};
handle_info({tcp_error, Socket, _}, #{socket := Socket} = State) ->
    {noreply, again(State)};
handle_info({timer, Connection, open}, #{connection := Connection} = State) ->
    %% the wait is over: what fails from here on waits again
    {noreply, open(State#{waiting => false})};
handle_info({timer, Connection, handshake}, #{connection := Connection, phase := opening} = State) ->
    {noreply, again(State)};
handle_info({timer, Connection, Name}, #{connection := Connection, phase := open} = State) ->
    {noreply, due(Name, State), hibernate};
handle_info({Port, {data, Data}}, #{port := Port, phase := open} = State) ->
    Health = fun() -> fleetdash_health:sample(fleetdash_pulse:readings(Data)) end,
    {noreply, due({heartbeat, Health}, State#{beating := false}), hibernate};
handle_info({Port, {data, _}}, #{port := Port} = State) ->
    {noreply, State#{beating := false}};
handle_info(rehearsed, #{rehearsal := From, socket := Socket} = State) ->
    gen_server:reply(From, case State of
                               #{phase := open, failures := 0} -> ok;
                               _ -> {failed, "the socket was not open in the end"}
                           end),
    Socket =:= none orelse fleetdash_tcp:reset(Socket),
    {noreply, (drop(State#{socket := none}))#{identity => none, rehearsal => none}, hibernate};
handle_info({run, Program}, State) ->
    _ = os:cmd(Program),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

due(Timer, #{channel := Channel} = State) ->
    {Effects, Next} = fleetdash_channel:timer(Timer, Channel),
    perform(Effects, State#{channel := Next}).

open(#{identity := Identity} = State) ->
    {Address, Port} = fleetdash_identity:gateway(Identity),
    case fleetdash_tcp:connect(Address, Port, ?CONNECT_MS) of
        {ok, Socket} -> handshake(Socket, State);
        {error, _} -> again(State)
    end.

handshake(Socket, #{identity := Identity} = State) ->
    Key = base64:encode(crypto:strong_rand_bytes(16)),
    Headers = fleetdash_nh1:headers(maps:get(<<"serial">>, Identity),
                                    fleetdash_identity:secret(), os:system_time(second)),
    Host = maps:get(<<"gateway">>, Identity),
    Next = State#{socket := Socket, phase := opening, key => Key, buffer => <<>>},
    case fleetdash_tcp:send(Socket, fleetdash_websocket:request(Host, ?PATH, Key, Headers)) of
        ok ->
            _ = fleetdash_tcp:active_once(Socket),
            start_timer(handshake, ?HANDSHAKE_MS, Next);
        {error, _} ->
            again(Next)
    end.

received(Data, #{phase := opening, buffer := Buffer, key := Key} = State) ->
    All = <<Buffer/binary, Data/binary>>,
    case fleetdash_websocket:response(All, Key) of
        more -> State#{buffer := All};
        {open, Rest} -> opened(Rest, State);
        {refused, 401, Date} ->
            _ = set_clock(Date),
            again(State);
        _ -> again(State)
    end;
received(Data, #{phase := open, frames := Frames} = State) ->
    {Messages, Next} = fleetdash_websocket:message(Data, Frames),
    messages(Messages, State#{frames := Next});
received(_, State) ->
    State.

opened(Rest, #{identity := Identity} = State) ->
    Channel = fleetdash_channel:new(#{join => fun() -> fleetdash_firmware:join(Identity) end,
                                      health => fun fleetdash_health:sample/0}),
    {Effects, Opened} = fleetdash_channel:opened(Channel),
    Next = (stop_timers(State))#{phase := open, channel => Opened, frames => fleetdash_websocket:new()},
    received(Rest, perform(Effects, maps:without([key, buffer], Next))).

messages([], State) ->
    State;
messages([{text, Text} | More], #{phase := open} = State) ->
    {Effects, Channel} =
        case fleetdash_json:decode(Text) of
            {ok, Message} -> fleetdash_channel:message(Message, maps:get(channel, State));
            {error, invalid} -> {[{close, 1007}], maps:get(channel, State)}
        end,
    messages(More, perform(Effects, State#{channel := Channel}));
messages([{ping, Payload} | More], #{phase := open} = State) ->
    messages(More, frame(pong, Payload, State));
messages([{close, _} | _], #{phase := open} = State) ->
    again(frame(close, <<1000:16>>, State));
messages([{error, Code} | _], #{phase := open} = State) ->
    again(frame(close, <<Code:16>>, State));
messages(_, State) ->
    State.

perform([], State) ->
    State;
perform([{send, _} | _] = Effects, #{phase := open} = State) ->
    {Sends, More} = lists:splitwith(fun({send, _}) -> true; (_) -> false end, Effects),
    perform(More, frames([{text, fleetdash_json:encode(Term)} || {send, Term} <- Sends], State));
perform([{timer, Name, Wait} | More], #{phase := open} = State) ->
    perform(More, start_timer(Name, Wait, State));
perform([{close, Code} | _], State) ->
    again(frame(close, <<Code:16>>, State));
perform([joined | More], State) ->
    perform(More, State#{failures := 0});
perform([identify | More], State) ->
    fleetdash_proc:say("identify"),
    perform(More, State);
perform([reboot | More], State) ->
    fleetdash_proc:say("rebooting"),
    leave("/sbin/restart"),
    perform(More, State);
perform([shutdown | More], State) ->
    fleetdash_proc:say("shutting down"),
    leave("/sbin/stop"),
    perform(More, State);
perform([_ | More], State) ->
    perform(More, State).

%% What was pushed before is to leave first.
leave(Program) ->
    _ = erlang:send_after(?LEAVE_MS, self(), {run, Program}),
    ok.

frame(Opcode, Payload, State) ->
    frames([{Opcode, Payload}], State).

%% In one write, so that they leave in one packet.
frames(Frames, #{socket := Socket, phase := open} = State) ->
    Encoded = [fleetdash_websocket:encode(Opcode, Payload, crypto:strong_rand_bytes(4))
               || {Opcode, Payload} <- Frames],
    case fleetdash_tcp:send(Socket, Encoded) of
        ok -> State;
        {error, _} -> again(State)
    end;
frames(_, State) ->
    State.

%% A timer belongs to one connection, and ends with it. The heart beats on whatever becomes of it.
start_timer(heartbeat, _, #{beating := true} = State) ->
    State;
start_timer(heartbeat, Wait, #{pulse := Pulse} = State) ->
    ok = fleetdash_pulse:ask(Pulse, case State of
                                        #{rehearsal := none} -> Wait;
                                        _ -> ?REHEARSED_MS
                                    end),
    State#{beating := true};
start_timer(Name, Wait, #{connection := Connection, timers := Timers} = State) ->
    Until = case State of
                #{rehearsal := {_, _}} when Name =:= health -> 0;
                _ -> Wait
            end,
    Timer = erlang:send_after(Until, self(), {timer, Connection, Name}),
    State#{timers := Timers#{Name => Timer}}.

stop_timers(#{timers := Timers} = State) ->
    _ = [erlang:cancel_timer(Timer) || Timer <- maps:values(Timers)],
    State#{timers := #{}}.

again(#{phase := closed, waiting := true} = State) ->
    State;
again(#{failures := Failures} = State) ->
    Next = (drop(State))#{failures := Failures + 1, waiting := true},
    start_timer(open, fleetdash_backoff:exponential(Failures + 1), Next).

drop(#{socket := Socket, connection := Connection} = State) ->
    Socket =:= none orelse fleetdash_tcp:close(Socket),
    Left = maps:without([channel, frames, key, buffer], stop_timers(State)),
    closed(Left#{connection := Connection + 1}).

closed(State) ->
    State#{socket => none, phase => closed, waiting => false}.

set_clock(Date) ->
    case fleetdash_clock:parse(Date) of
        {ok, Second} ->
            Off = abs(Second - os:system_time(second)),
            Off > ?CLOCK_TOLERANCE_S andalso os:cmd("date -s @" ++ integer_to_list(Second));
        error ->
            unknown
    end.
