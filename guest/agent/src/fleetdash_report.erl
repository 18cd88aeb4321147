%% The first thing a device says: POST /api/status/<serial> until the answer is 200.
%%
%% The boot script calls `early/0' before Erlang's kernel application is loaded, so that the report
%% is out while the rest is still starting; that first try uses only what is preloaded in the
%% virtual machine. Whatever becomes of it, the supervised process takes over.
-module(fleetdash_report).

-export([early/0, start_link/0, init/1, answered/0, attempt/2, request/3, status/1, wait_ms/1]).

-define(EARLY, fleetdash_report_early).
-define(TIMEOUT_MS, 5000).
-define(AGAIN_MS, 1000).
-define(REFUSED_AGAIN_MS, 10000).
-define(PATIENCE, 10).
%% How long to wait for the socket at most where the gateway does not say.
-define(WAIT_MS, 10000).

%% Tries once, in a process of its own that nothing depends on.
early() ->
    Try = fun() ->
                  case fleetdash_identity:read() of
                      #{<<"template">> := _} -> none;
                      Identity -> persistent_term:put(?EARLY, try_once(Identity))
                  end
          end,
    register(?EARLY, spawn_opt(Try, [{priority, high}])),
    ok.

start_link() ->
    proc_lib:start_link(?MODULE, init, [self()]).

init(Parent) ->
    register(?MODULE, self()),
    proc_lib:init_ack(Parent, {ok, self()}),
    {Identity, First} = begin_as(fleetdash_identity:read()),
    Wait = report(First, Identity, 0, none),
    fleetdash_template:renew(Wait),
    persistent_term:put(?MODULE, Identity),
    fleetdash_link:connect(Identity),
    receive
        stop -> ok
    end.

%% Who this is, and the answer to its first report.
begin_as(#{<<"template">> := _} = Template) ->
    {Identity, Secret} = fleetdash_template:wait(Template, fun rehearse/2),
    {Identity, answered(attempt(Identity, Secret))};
begin_as(Identity) ->
    {Identity, early_answer()}.

%% All that a device does after waking, for a while.
rehearse(Identity, Secret) ->
    case answered(attempt(Identity, Secret)) of
        {ok, 200, _} ->
            _ = fleetdash_template:reseed(),
            try fleetdash_link:rehearse(Identity)
            catch exit:_ -> {failed, "the link gave no answer"}
            end;
        _ ->
            {failed, "the report was not answered with 200"}
    end.

%% The identity the gateway has acknowledged, or `none'.
answered() ->
    persistent_term:get(?MODULE, none).

early_answer() ->
    Reference = monitor(process, ?EARLY),
    receive
        {'DOWN', Reference, process, _, _} -> persistent_term:get(?EARLY, none)
    end.

%% `Last' is the refusal that was said last. Gives how long to wait for the socket at most.
report({ok, 200, Wait}, _, _, _) ->
    Wait;
report({ok, Status, _}, Identity, Refusals, Last) when Status =:= 401; Status =:= 404 ->
    Status =:= Last orelse fleetdash_proc:say(["refused ", integer_to_list(Status)]),
    Wait = if Refusals + 1 < ?PATIENCE -> ?AGAIN_MS; true -> ?REFUSED_AGAIN_MS end,
    again(Identity, Refusals + 1, Status, Wait);
report(_, Identity, Refusals, Last) ->
    again(Identity, Refusals, Last, ?AGAIN_MS).

again(Identity, Refusals, Last, Wait) ->
    timer:sleep(fleetdash_backoff:around(Wait, 0.25)),
    report(try_once(Identity), Identity, Refusals, Last).

try_once(Identity) ->
    answered(attempt(Identity, fleetdash_identity:secret())).

%% One report to the gateway the identity names: `{ok, Status, Wait}' or an error. `Wait' is how many
%% milliseconds the gateway wants the socket to be opened within.
attempt(Identity, Secret) ->
    {Address, Port} = fleetdash_identity:gateway(Identity),
    case fleetdash_tcp:connect(Address, Port, ?TIMEOUT_MS) of
        {ok, Socket} ->
            Answer = case fleetdash_tcp:send(Socket, request(Identity, Secret, uptime())) of
                         ok -> fleetdash_tcp:recv(Socket, ?TIMEOUT_MS);
                         Error -> Error
                     end,
            fleetdash_tcp:reset(Socket),
            case Answer of
                {ok, Text} -> answer(status(Text), Text);
                _ -> Answer
            end;
        Error ->
            Error
    end.

answered({ok, 200, _} = Answer) ->
    fleetdash_proc:say("online"),
    Answer;
answered(Answer) ->
    Answer.

answer({ok, Status}, Text) -> {ok, Status, wait_ms(Text)};
answer(Error, _) -> Error.

%% The number of the header `Socket-Within-Ms' of an answer.
wait_ms(<<"\r\nSocket-Within-Ms: ", Rest/binary>>) -> number(Rest, 0);
wait_ms(<<"\r\n\r\n", _/binary>>) -> ?WAIT_MS;
wait_ms(<<_, Rest/binary>>) -> wait_ms(Rest);
wait_ms(<<>>) -> ?WAIT_MS.

number(<<Digit, Rest/binary>>, Before) when Digit >= $0, Digit =< $9, Before < 100000 ->
    number(Rest, Before * 10 + Digit - $0);
number(_, Number) -> Number.

%% The whole request; the uptime is a number as text.
request(Identity, Secret, Uptime) ->
    Body = iolist_to_binary(
             ["{\"version\":\"", value(<<"version">>, Identity),
              "\",\"uuid\":\"", value(<<"uuid">>, Identity),
              "\",\"slot\":\"", value(<<"slot">>, Identity),
              "\",\"start\":\"", value(<<"start">>, Identity),
              "\",\"uptime_s\":", Uptime, "}"]),
    ["POST /api/status/", value(<<"serial">>, Identity), " HTTP/1.1\r\nHost: ",
     value(<<"gateway">>, Identity), "\r\nAuthorization: Bearer ", Secret,
     "\r\nContent-Type: application/json\r\nContent-Length: ", integer_to_list(byte_size(Body)),
     "\r\nConnection: close\r\n\r\n", Body].

%% Not maps:get/3, which is no built-in function.
value(Key, Identity) ->
    case Identity of
        #{Key := Value} -> Value;
        _ -> <<>>
    end.

%% The status in the first line of an answer.
status(<<"HTTP/1.", _, " ", Digits:3/binary, _/binary>>) ->
    try {ok, binary_to_integer(Digits)}
    catch error:badarg -> {error, not_http}
    end;
status(_) ->
    {error, not_http}.

%% Seconds since the kernel started, with one decimal: a clock that is there without reading a file.
uptime() ->
    Tenths = os:perf_counter() div 100000000,
    [integer_to_list(Tenths div 10), $., $0 + Tenths rem 10].
