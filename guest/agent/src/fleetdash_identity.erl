%% Who this device is: the host's 512-byte file, and the firmware it was started from.
%% Uses only what is preloaded in the virtual machine, see fleetdash_report.
-module(fleetdash_identity).

-export([read/0, woken/2, may_wake/0, wakes/0, has_woken/0, secret/0, parse/1, slot/1, gateway/1]).

-define(IDENTITY, "/sys/firmware/qemu_fw_cfg/by_name/opt/org.fleetdash/identity/raw").
-define(FIRMWARE, "/etc/fleetdash-firmware").

%% Everything known but what is secret, as a map of binaries; what is missing is absent.
read() ->
    Identity = public(file()),
    Firmware = parse(fleetdash_proc:read(?FIRMWARE)),
    Both = maps:merge(Firmware, Identity),
    Both#{<<"start">> => start(), <<"slot">> => slot(fleetdash_proc:read("/proc/cmdline"))}.

%% Who a template has woken as, and that one's secret; `Text' is the identity's new content. That of
%% a rehearsal has the key `template'.
woken(Template, Text) ->
    #{<<"secret">> := Secret} = Known = parse(Text),
    {maps:merge(maps:remove(<<"template">>, Template),
                (public(Known))#{<<"start">> => <<"warm">>}), Secret}.

public(Identity) ->
    maps:remove(<<"secret">>, maps:remove(<<"entropy">>, Identity)).

start() ->
    case has_woken() of
        true -> <<"warm">>;
        false -> <<"cold">>
    end.

%% Says that this is a template. A persistent term takes all threads to be set; this one is made
%% before the freeze, and what a clone then sets is one word.
may_wake() ->
    persistent_term:put(?MODULE, atomics:new(1, [])).

%% Says that it is a template no longer.
wakes() ->
    atomics:put(persistent_term:get(?MODULE), 1, 1).

%% Whether this device was a template once.
has_woken() ->
    case persistent_term:get(?MODULE, none) of
        none -> false;
        Woken -> atomics:get(Woken, 1) =:= 1
    end.

%% The secret, read when it is needed: what no process holds no crash report can print.
secret() ->
    case file() of
        #{<<"secret">> := Secret} -> Secret;
        _ -> <<>>
    end.

file() ->
    parse(fleetdash_proc:read(?IDENTITY)).

%% `key=value' lines; empty ones pad the file.
parse(Text) ->
    parse(Text, #{}).

parse(<<>>, Known) ->
    Known;
parse(Text, Known) ->
    {Line, Rest} = split(Text, <<"\n">>),
    case split(Line, <<"=">>) of
        {_, <<>>} -> parse(Rest, Known);
        {Key, Value} -> parse(Rest, Known#{Key => Value})
    end.

%% The slot in the kernel's arguments.
slot(Arguments) ->
    case binary:match(Arguments, <<"fleetdash.slot=b">>) of
        nomatch -> <<"a">>;
        _ -> <<"b">>
    end.

%% Address and port of the gateway.
gateway(#{<<"gateway">> := Where}) ->
    {A, Rest1} = split(Where, <<".">>),
    {B, Rest2} = split(Rest1, <<".">>),
    {C, Rest3} = split(Rest2, <<".">>),
    {D, Port} = split(Rest3, <<":">>),
    {{binary_to_integer(A), binary_to_integer(B), binary_to_integer(C), binary_to_integer(D)},
     binary_to_integer(Port)};
gateway(_) ->
    {{10, 0, 2, 2}, 4000}.

split(Text, Separator) ->
    case binary:match(Text, Separator) of
        {At, 1} ->
            <<Before:At/binary, _, After/binary>> = Text,
            {Before, After};
        nomatch ->
            {Text, <<>>}
    end.
