-module(fleetdash_json_tests).
-include_lib("eunit/include/eunit.hrl").

text(Term) -> iolist_to_binary(fleetdash_json:encode(Term)).

round_trip_test_() ->
    [?_assertEqual({ok, Term}, fleetdash_json:decode(text(Term)))
     || Term <- [null, true, false, 0, -12, 3.5, <<>>, <<"a\"b\\c\n\t\r", 1>>, [], [1, [2, []]], #{},
                 #{<<"key">> => [#{<<"deep">> => null}], <<"other">> => 1.0e-7},
                 [null, <<"1">>, <<"device">>, <<"phx_join">>, #{}], <<"zażółć 😀"/utf8>>]].

reads_what_others_write_test_() ->
    [?_assertEqual({ok, Term}, fleetdash_json:decode(Text))
     || {Term, Text} <- [{[1, 2], <<" [ 1 ,\n2 ] ">>}, {#{<<"a">> => <<"/">>}, <<"{\"a\":\"\\/\"}">>},
                         {<<"é"/utf8>>, <<"\"\\u00e9\"">>}, {<<"😀"/utf8>>, <<"\"\\ud83d\\ude00\"">>},
                         {100.0, <<"1e2">>}, {-0.25, <<"-2.5E-1">>}]].

refuses_test_() ->
    [?_assertEqual({error, invalid}, fleetdash_json:decode(Text))
     || Text <- [<<>>, <<"[1,]">>, <<"[1 2]">>, <<"{\"a\" 1}">>, <<"{\"a\":1,}">>, <<"\"open">>,
                 <<"tru">>, <<"1 2">>, <<"\"\\x\"">>, <<"\"\\ud83d\"">>, <<"\"", 1, "\"">>,
                 <<"\"", 255, "\"">>]].

nested(Depth) ->
    <<(binary:copy(<<"[">>, Depth))/binary, (binary:copy(<<"]">>, Depth))/binary>>.

depth_is_limited_test() ->
    ?assertMatch({ok, _}, fleetdash_json:decode(nested(64))),
    ?assertEqual({error, invalid}, fleetdash_json:decode(nested(65))).
