-module(fleetdash_websocket_tests).
-include_lib("eunit/include/eunit.hrl").

-define(MASK, <<16#37, 16#fa, 16#21, 16#3d>>).

%% The examples of RFC 6455: 1.3 for the handshake, 5.7 for the frames.
accept_key_test() ->
    ?assertEqual(<<"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=">>,
                 fleetdash_websocket:accept_key(<<"dGhlIHNhbXBsZSBub25jZQ==">>)).

masked_text_test() ->
    ?assertEqual(<<16#81, 16#85, 16#37, 16#fa, 16#21, 16#3d, 16#7f, 16#9f, 16#4d, 16#51, 16#58>>,
                 iolist_to_binary(fleetdash_websocket:encode(text, <<"Hello">>, ?MASK))).

lengths_test_() ->
    [?_test(begin
                Frame = iolist_to_binary(
                          fleetdash_websocket:encode(text, binary:copy(<<"x">>, Size), ?MASK)),
                ?assertEqual(Head + Size, byte_size(Frame))
            end) || {Size, Head} <- [{125, 6}, {126, 8}, {65535, 8}, {65536, 14}]].

frames(Pieces) ->
    {Found, _} = lists:foldl(fun(Data, {Before, State}) ->
                                     {Messages, Next} = fleetdash_websocket:message(Data, State),
                                     {Before ++ Messages, Next}
                             end, {[], fleetdash_websocket:new()}, Pieces),
    Found.

received_test_() ->
    [?_assertEqual(Messages, frames(Pieces)) || {Messages, Pieces} <-
        [{[{text, <<"Hello">>}], [<<16#81, 5, "Hello">>]},
         {[{text, <<"Hello">>}], [<<16#81>>, <<5, "He">>, <<"llo">>]},
         {[{text, <<"Hello">>}], [<<1, 3, "Hel">>, <<16#80, 2, "lo">>]},
         {[{ping, <<"p">>}, {text, <<"Hello">>}], [<<1, 3, "Hel", 16#89, 1, "p", 16#80, 2, "lo">>]},
         {[{text, <<"a">>}, {text, <<"b">>}], [<<16#81, 1, "a", 16#81, 1, "b">>]},
         {[], [<<16#8A, 0>>]},
         {[{close, 1012}], [<<16#88, 2, 1012:16>>]},
         {[{close, 1005}], [<<16#88, 0>>]},
         {[{error, 1002}], [<<16#81, 16#85, 0, 0, 0, 0, "Hello">>]},
         {[{error, 1002}], [<<16#C1, 1, "a">>]},
         {[{error, 1002}], [<<16#80, 1, "a">>]},
         {[{error, 1002}], [<<1, 1, "a", 1, 1, "b">>]},
         {[{error, 1003}], [<<16#82, 1, "a">>]},
         {[{error, 1002}], [<<16#09, 1, "a">>]},
         {[{error, 1009}], [<<16#81, 127, 65537:64>>]}]].

long_message_test() ->
    Data = binary:copy(<<"x">>, 300),
    ?assertEqual([{text, Data}], frames([<<16#81, 126, 300:16, Data/binary>>])).

too_long_in_parts_test() ->
    Data = binary:copy(<<"x">>, 60000),
    ?assertEqual([{error, 1009}], frames([<<1, 126, 60000:16, Data/binary>>,
                                          <<0, 126, 60000:16, Data/binary>>])).

response_test_() ->
    Key = <<"dGhlIHNhbXBsZSBub25jZQ==">>,
    Good = <<"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n"
             "SEC-WebSocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nrest">>,
    Wrong = <<"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: other\r\n\r\n">>,
    Refused = <<"HTTP/1.1 401 Unauthorized\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n">>,
    [?_assertEqual({open, <<"rest">>}, fleetdash_websocket:response(Good, Key)),
     ?_assertEqual(more, fleetdash_websocket:response(binary_part(Good, 0, 40), Key)),
     ?_assertEqual({error, wrong_accept}, fleetdash_websocket:response(Wrong, Key)),
     ?_assertEqual({refused, 401, <<"Sun, 06 Nov 1994 08:49:37 GMT">>},
                   fleetdash_websocket:response(Refused, Key)),
     ?_assertEqual({error, not_http}, fleetdash_websocket:response(<<"SSH-2.0\r\n\r\n">>, Key))].
