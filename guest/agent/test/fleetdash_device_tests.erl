%% Identity, report, firmware, health, clock and back-off.
-module(fleetdash_device_tests).
-include_lib("eunit/include/eunit.hrl").

identity_test() ->
    Text = <<"serial=000000000001\nmac=52:54:00:00:00:01\nsecret=a=b\ngateway=10.0.2.2:4000\n\n\n\n">>,
    ?assertEqual(#{<<"serial">> => <<"000000000001">>, <<"mac">> => <<"52:54:00:00:00:01">>,
                   <<"secret">> => <<"a=b">>, <<"gateway">> => <<"10.0.2.2:4000">>},
                 fleetdash_identity:parse(Text)).

gateway_test() ->
    ?assertEqual({{192, 168, 1, 9}, 4001},
                 fleetdash_identity:gateway(#{<<"gateway">> => <<"192.168.1.9:4001">>})),
    ?assertEqual({{10, 0, 2, 2}, 4000}, fleetdash_identity:gateway(#{})).

slot_test() ->
    ?assertEqual(<<"b">>, fleetdash_identity:slot(<<"quiet fleetdash.slot=b\n">>)),
    ?assertEqual(<<"a">>, fleetdash_identity:slot(<<"quiet fleetdash.slot=a\n">>)).

request_test() ->
    Identity = #{<<"serial">> => <<"01">>, <<"gateway">> => <<"10.0.2.2:4000">>,
                 <<"version">> => <<"1.2.3">>, <<"uuid">> => <<"u">>, <<"slot">> => <<"b">>,
                 <<"start">> => <<"cold">>},
    Request = iolist_to_binary(fleetdash_report:request(Identity, <<"secret">>, <<"3.14">>)),
    [Head, Body] = binary:split(Request, <<"\r\n\r\n">>),
    [First | Lines] = binary:split(Head, <<"\r\n">>, [global]),
    ?assertEqual(<<"POST /api/status/01 HTTP/1.1">>, First),
    ?assert(lists:member(<<"Authorization: Bearer secret">>, Lines)),
    Length = iolist_to_binary(["Content-Length: ", integer_to_list(byte_size(Body))]),
    ?assert(lists:member(Length, Lines)),
    ?assertEqual({ok, #{<<"version">> => <<"1.2.3">>, <<"uuid">> => <<"u">>, <<"slot">> => <<"b">>,
                        <<"start">> => <<"cold">>, <<"uptime_s">> => 3.14}},
                 fleetdash_json:decode(Body)).

status_test() ->
    ?assertEqual({ok, 200}, fleetdash_report:status(<<"HTTP/1.1 200 OK\r\n">>)),
    ?assertEqual({ok, 404}, fleetdash_report:status(<<"HTTP/1.0 404 Not Found\r\n\r\n">>)),
    ?assertEqual({error, not_http}, fleetdash_report:status(<<"HTTP/1.1 2xx OK\r\n">>)),
    ?assertEqual({error, not_http}, fleetdash_report:status(<<"220 smtp">>)).

wait_test() ->
    Answer = <<"HTTP/1.1 200 OK\r\nDate: x\r\nSocket-Within-Ms: 2500\r\n\r\n{}">>,
    ?assertEqual(2500, fleetdash_report:wait_ms(Answer)),
    ?assertEqual(0, fleetdash_report:wait_ms(<<"HTTP/1.1 200 OK\r\nSocket-Within-Ms: x\r\n\r\n">>)),
    ?assertEqual(10000, fleetdash_report:wait_ms(<<"HTTP/1.1 200 OK\r\n\r\n\r\nSocket-Within-Ms: 1">>)),
    ?assertEqual(10000, fleetdash_report:wait_ms(<<>>)).

environment(Text) ->
    Data = <<Text/binary, 0, 0, 0, 0>>,
    <<(erlang:crc32(Data)):32/little, Data/binary>>.

boot_loader_environment_test() ->
    Raw = environment(<<"a.kernel_lba=272", 0, "upgrade_available=1", 0>>),
    ?assertEqual(#{<<"a.kernel_lba">> => <<"272">>, <<"upgrade_available">> => <<"1">>},
                 fleetdash_firmware:environment(Raw)),
    <<First, Rest/binary>> = Raw,
    ?assertEqual(#{}, fleetdash_firmware:environment(<<(First bxor 1), Rest/binary>>)),
    ?assertEqual(#{}, fleetdash_firmware:environment(<<>>)).

join_test() ->
    Identity = #{<<"uuid">> => <<"u">>, <<"version">> => <<"1">>, <<"slot">> => <<"b">>},
    #{<<"nerves_fw_uuid">> := <<"u">>, <<"meta">> := Meta} =
        fleetdash_firmware:join(
          Identity, fleetdash_firmware:known(#{<<"upgrade_available">> => <<"1">>})),
    ?assertEqual(false, maps:get(<<"firmware_validated">>, Meta)),
    #{<<"meta">> := Settled} = fleetdash_firmware:join(
          Identity, fleetdash_firmware:known(#{<<"fleetdash_reverted">> => <<"1">>})),
    ?assertEqual({true, true}, {maps:get(<<"firmware_validated">>, Settled),
                                maps:get(<<"firmware_auto_revert_detected">>, Settled)}).

health_test() ->
    Metrics = fleetdash_health:metrics(
                <<"0.10 0.05 0.01 1/40 77\n">>,
                <<"MemTotal:         110000 kB\nMemFree: 1 kB\nMemAvailable:      55000 kB\n">>,
                12.5),
    ?assertEqual(#{<<"load_1min">> => 0.1, <<"load_5min">> => 0.05, <<"load_15min">> => 0.01,
                   <<"mem_size_mb">> => 112, <<"mem_used_mb">> => 56, <<"mem_used_percent">> => 50,
                   <<"uptime_s">> => 12.5}, Metrics).

what_a_tick_brings_test() ->
    Load = <<"0.10 0.05 0.01 1/40 77\n", 0:(41 * 8)>>,
    Memory = binary:copy(<<"m">>, 128),
    ?assertEqual({Load, Memory},
                 fleetdash_pulse:readings(<<0:(3 * 56 * 8), 0:64, 0:128, Load/binary, Memory/binary>>)).

timestamp_test() ->
    ?assertEqual(<<"2026-01-02T03:04:05Z">>,
                 fleetdash_health:timestamp({{2026, 1, 2}, {3, 4, 5}})).

spread_test() ->
    Waits = [fleetdash_backoff:around(1000, 0.25) || _ <- lists:seq(1, 200)],
    ?assert(lists:min(Waits) >= 750 andalso lists:max(Waits) =< 1250),
    ?assert(length(lists:usort(Waits)) > 50).

clock_test() ->
    ?assertEqual({ok, 784111777}, fleetdash_clock:parse(<<"Sun, 06 Nov 1994 08:49:37 GMT">>)),
    ?assertEqual(error, fleetdash_clock:parse(<<"Sun, 06 Foo 1994 08:49:37 GMT">>)),
    ?assertEqual(error, fleetdash_clock:parse(<<"yesterday">>)).

backoff_test_() ->
    [?_test(begin
                Wait = fleetdash_backoff:exponential(Failures),
                ?assert(Wait >= Middle * 0.5 andalso Wait =< Middle * 1.5)
            end) || {Failures, Middle} <- [{1, 1000}, {2, 2000}, {6, 32000}, {7, 60000}, {500, 60000}]].
