-module(fleetdash_channel_tests).
-include_lib("eunit/include/eunit.hrl").

-define(BEAT, {heartbeat, fun() -> #{<<"now">> => 1} end}).

new() ->
    fleetdash_channel:new(#{join => fun() -> #{<<"me">> => 1} end,
                            health => fun() -> #{<<"well">> => true} end}).

opened() ->
    fleetdash_channel:opened(new()).

sent(Effects) ->
    [Term || {send, Term} <- Effects].

reply(Ref, Topic, Response) ->
    [Ref, Ref, Topic, <<"phx_reply">>, #{<<"status">> => <<"ok">>, <<"response">> => Response}].

joins_device_and_keeps_time_test() ->
    {Effects, _} = opened(),
    ?assertEqual([[<<"1">>, <<"1">>, <<"device">>, <<"phx_join">>, #{<<"me">> => 1}]], sent(Effects)),
    [{timer, heartbeat, Wait}] = [Effect || {timer, _, _} = Effect <- Effects],
    ?assert(Wait >= 42750 andalso Wait =< 47250).

accepted_join_test() ->
    {_, State} = opened(),
    {Effects, _} = fleetdash_channel:message(reply(<<"1">>, <<"device">>, #{}), State),
    ?assertEqual([joined], Effects).

refused_join_closes_test() ->
    {_, State} = opened(),
    Reply = [<<"1">>, <<"1">>, <<"device">>, <<"phx_reply">>,
             #{<<"status">> => <<"error">>, <<"response">> => #{<<"reason">> => <<"no">>}}],
    ?assertMatch({[{close, 1000}], _}, fleetdash_channel:message(Reply, State)).

unanswered_heartbeat_closes_test() ->
    {_, State} = opened(),
    {Effects, Beating} = fleetdash_channel:timer(?BEAT, State),
    [[null, Ref, <<"phoenix">>, <<"heartbeat">>, #{}]] = sent(Effects),
    {[{timer, heartbeat, _}], Patient} = fleetdash_channel:timer(?BEAT, Beating),
    ?assertMatch({[{close, 1001}], _}, fleetdash_channel:timer(?BEAT, Patient)),
    Answer = [null, Ref, <<"phoenix">>, <<"phx_reply">>, #{<<"status">> => <<"ok">>}],
    {[], Answered} = fleetdash_channel:message(Answer, Patient),
    {Next, _} = fleetdash_channel:timer(?BEAT, Answered),
    ?assertMatch([[null, _, <<"phoenix">>, <<"heartbeat">>, _]], sent(Next)).

extensions() ->
    {_, State} = opened(),
    Ask = [<<"1">>, null, <<"device">>, <<"extensions:get">>, #{}],
    {Effects, Asked} = fleetdash_channel:message(Ask, State),
    [[Ref, Ref, <<"extensions">>, <<"phx_join">>, #{<<"health">> := _}]] = sent(Effects),
    fleetdash_channel:message(reply(Ref, <<"extensions">>, [<<"health">>]), Asked).

health_is_reported_when_wanted_test() ->
    {Effects, State} = extensions(),
    ?assertMatch([[_, _, <<"extensions">>, <<"health:attached">>, _]], sent(Effects)),
    {Reports, _} = fleetdash_channel:timer(health, State),
    ?assertMatch([[_, _, <<"extensions">>, <<"health:report">>,
                   #{<<"value">> := #{<<"well">> := true}}]], sent(Reports)),
    {Beat, _} = fleetdash_channel:timer(?BEAT, State),
    ?assertMatch([{send, [_, _, _, <<"heartbeat">>, _]},
                  {send, [_, _, _, <<"health:report">>, #{<<"value">> := #{<<"now">> := 1}}]},
                  {timer, heartbeat, _}], Beat).

health_is_not_reported_unasked_test() ->
    {_, State} = opened(),
    ?assertMatch({[], _}, fleetdash_channel:timer(health, State)).

lost_extensions_stop_health_and_come_back_test() ->
    {_, State} = extensions(),
    Lost = [null, null, <<"extensions">>, <<"phx_error">>, #{}],
    {[{timer, {rejoin, <<"extensions">>}, Wait}], After} = fleetdash_channel:message(Lost, State),
    ?assert(Wait >= 3750 andalso Wait =< 6250),
    ?assertMatch({[], _}, fleetdash_channel:timer(health, After)),
    {Effects, _} = fleetdash_channel:timer({rejoin, <<"extensions">>}, After),
    ?assertMatch([[_, _, <<"extensions">>, <<"phx_join">>, _]], sent(Effects)).

reboot_says_so_first_test() ->
    {_, State} = opened(),
    {Effects, _} = fleetdash_channel:message([null, null, <<"device">>, <<"reboot">>, #{}], State),
    ?assertMatch([{send, [<<"1">>, _, <<"device">>, <<"rebooting">>, #{}]}, reboot], Effects).

shutdown_says_so_first_test() ->
    {_, State} = opened(),
    {Effects, _} = fleetdash_channel:message([null, null, <<"device">>, <<"shutdown">>, #{}], State),
    ?assertMatch([{send, [<<"1">>, _, <<"device">>, <<"shutting_down">>, #{}]}, shutdown], Effects).

identify_test() ->
    {_, State} = opened(),
    ?assertMatch({[identify], _},
                 fleetdash_channel:message([null, null, <<"device">>, <<"identify">>, #{}], State)).

unknown_is_ignored_test_() ->
    {_, State} = opened(),
    [?_assertEqual({[], State}, fleetdash_channel:message(Message, State))
     || Message <- [[null, null, <<"other">>, <<"thing">>, #{}],
                    [null, <<"99">>, <<"device">>, <<"phx_reply">>, #{}],
                    [null, null, <<"console">>, <<"phx_close">>, #{}]]].

nonsense_closes_test_() ->
    {_, State} = opened(),
    [?_assertMatch({[{close, 1007}], _}, fleetdash_channel:message(Message, State))
     || Message <- [#{}, [], [1, 2, 3, 4], <<"text">>]].
