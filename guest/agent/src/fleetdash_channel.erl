%% The conversation with the gateway, without its socket: Phoenix Channels V2 as NervesHub uses
%% them. Takes what happened, gives back what to do.
%%
%% Effects: `{send, Term}', `{timer, Name, Milliseconds}', `{close, Code}', `joined', `reboot',
%% `shutdown', `identify'.
-module(fleetdash_channel).

-export([new/1, opened/1, timer/2, message/2]).

%% So that a device is heard from at least once a minute, with time to spare.
-define(HEARTBEAT_MS, 45000).
-define(JITTER, 0.05).
-define(FIRST_HEALTH_MS, 3000).
-define(REJOIN_MS, 5000).

%% `Join' gives the payload for the topic `device', `Health' a health report; both are functions
%% without arguments, called when needed. The timer `heartbeat'
%% comes as `{heartbeat, Health}', with one for this moment.
new(#{join := _, health := _} = Callbacks) ->
    Callbacks#{ref => 0, joins => #{}, asked => #{}, heartbeat => none, patience => true,
               wants_health => false}.

%% The socket is open.
opened(State) ->
    {Effects, Joined} = join(<<"device">>, State),
    {Effects ++ [{timer, heartbeat, fleetdash_backoff:around(?HEARTBEAT_MS, ?JITTER)}], Joined}.

%% A timer that was asked for ran out.
timer({heartbeat, Health}, #{heartbeat := none} = State) ->
    %% whatever is said from time to time is said together: a device wakes once for it
    {Report, Told} = wanted_health(Health, State),
    {Ref, Next} = ref(Told),
    {[{send, [null, Ref, <<"phoenix">>, <<"heartbeat">>, #{}]} | Report]
     ++ [{timer, heartbeat, fleetdash_backoff:around(?HEARTBEAT_MS, ?JITTER)}],
     Next#{heartbeat => Ref, patience => true}};
timer({heartbeat, _}, #{patience := true} = State) ->
    {[{timer, heartbeat, fleetdash_backoff:around(?HEARTBEAT_MS, ?JITTER)}], State#{patience => false}};
timer({heartbeat, _}, State) ->
    {[{close, 1001}], State};
timer(health, #{health := Health} = State) ->
    wanted_health(Health, State);
timer({rejoin, Topic}, State) ->
    join(Topic, State).

%% A message arrived, decoded.
message([_, Ref, <<"phoenix">>, <<"phx_reply">>, _], #{heartbeat := Ref} = State) ->
    {[], State#{heartbeat => none}};
message([_, Ref, Topic, <<"phx_reply">>, Payload], #{asked := Asked} = State) ->
    case Asked of
        #{Ref := Topic} -> replied(Topic, Payload, State#{asked => maps:remove(Ref, Asked)});
        _ -> {[], State}
    end;
message([_, _, Topic, Event, _], State)
  when Event =:= <<"phx_error">>; Event =:= <<"phx_close">> ->
    lost(Topic, State);
message([_, _, <<"device">>, <<"extensions:get">>, _], State) ->
    join(<<"extensions">>, State);
message([_, _, <<"extensions">>, <<"health:check">>, _], #{health := Health} = State) ->
    health(Health, State);
message([_, _, <<"device">>, <<"identify">>, _], State) ->
    {[identify], State};
message([_, _, <<"device">>, <<"reboot">>, _], State) ->
    {Effects, Next} = push(<<"device">>, <<"rebooting">>, #{}, State),
    {Effects ++ [reboot], Next};
message([_, _, <<"device">>, <<"shutdown">>, _], State) ->
    {Effects, Next} = push(<<"device">>, <<"shutting_down">>, #{}, State),
    {Effects ++ [shutdown], Next};
message([_, _, <<"device">>, <<"update">>, _], State) ->
    push(<<"device">>, <<"status_update">>,
         #{<<"status">> => <<"ignored">>, <<"reason">> => <<"updates are not supported">>}, State);
message([_, _, _, _, _], State) ->
    {[], State};
message(_, State) ->
    {[{close, 1007}], State}.

replied(<<"device">>, #{<<"status">> := <<"ok">>}, State) ->
    {[joined], State};
replied(<<"device">>, _, State) ->
    {[{close, 1000}], State};
replied(<<"extensions">>, #{<<"status">> := <<"ok">>, <<"response">> := Wanted}, State)
  when is_list(Wanted) ->
    case lists:member(<<"health">>, Wanted) of
        true ->
            {Effects, Next} = push(<<"extensions">>, <<"health:attached">>, #{}, State),
            {Effects ++ [{timer, health, fleetdash_backoff:below(?FIRST_HEALTH_MS)}],
             Next#{wants_health => true}};
        false ->
            {[], State#{wants_health => false}}
    end;
replied(_, _, State) ->
    {[], State}.

lost(Topic, #{joins := Joins} = State) when is_map_key(Topic, Joins) ->
    Wants = maps:get(wants_health, State) andalso Topic =/= <<"extensions">>,
    {[{timer, {rejoin, Topic}, fleetdash_backoff:around(?REJOIN_MS, 0.25)}],
     State#{joins => maps:remove(Topic, Joins), wants_health => Wants}};
lost(_, State) ->
    {[], State}.

join(Topic, State) ->
    {Ref, #{joins := Joins, asked := Asked} = Next} = ref(State),
    {[{send, [Ref, Ref, Topic, <<"phx_join">>, join_payload(Topic, State)]}],
     Next#{joins => Joins#{Topic => Ref}, asked => Asked#{Ref => Topic}}}.

join_payload(<<"device">>, #{join := Join}) -> Join();
join_payload(<<"extensions">>, _) -> #{<<"health">> => <<"0.0.1">>}.

wanted_health(Health, #{wants_health := true} = State) -> health(Health, State);
wanted_health(_, State) -> {[], State}.

health(Health, #{joins := Joins} = State) when is_map_key(<<"extensions">>, Joins) ->
    push(<<"extensions">>, <<"health:report">>, #{<<"value">> => Health()}, State);
health(_, State) ->
    {[], State}.

push(Topic, Event, Payload, #{joins := Joins} = State) ->
    {Ref, Next} = ref(State),
    {[{send, [maps:get(Topic, Joins, null), Ref, Topic, Event, Payload]}], Next}.

ref(#{ref := Last} = State) ->
    {integer_to_binary(Last + 1), State#{ref => Last + 1}}.
