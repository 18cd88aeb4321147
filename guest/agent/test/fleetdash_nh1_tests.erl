-module(fleetdash_nh1_tests).
-include_lib("eunit/include/eunit.hrl").

%% The vectors that the gateway is tested against as well; the path is in the environment.
vectors_test_() ->
    {ok, Text} = file:read_file(os:getenv("FLEETDASH_VECTORS")),
    {ok, #{<<"nh1">> := [_ | _] = Vectors}} = fleetdash_json:decode(Text),
    [?_assertEqual(maps:get(<<"signature">>, Vector), signature(Vector)) || Vector <- Vectors].

signature(#{<<"serial">> := Serial, <<"secret">> := Secret, <<"time">> := Time}) ->
    Headers = fleetdash_nh1:headers(Serial, Secret, Time),
    ?assertEqual({"x-nh-key", Serial}, lists:keyfind("x-nh-key", 1, Headers)),
    ?assertEqual({"x-nh-time", integer_to_binary(Time)}, lists:keyfind("x-nh-time", 1, Headers)),
    {_, Signature} = lists:keyfind("x-nh-signature", 1, Headers),
    iolist_to_binary(Signature).
