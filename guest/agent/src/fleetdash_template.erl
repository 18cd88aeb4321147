%% A template is a device that is frozen when all is up, to be woken many times as somebody else.
%%
%% Its identity begins with `template=1'. For tests its clones print their first random bytes with
%% `template=shown', and with `template=unmixed' without having been given entropy of their own.
%% What is warmed here no clone has to load, link or look up again. An identity that begins with
%% `template=rehearse' makes it be that device for some seconds, with a real gateway, and freeze
%% again: so all a clone will run has run before.
-module(fleetdash_template).

-export([is_template/1, wait/2, renew/1, reseed/0, hardware_address/1]).

-define(CWD, -100).
-define(SIOCSIFHWADDR, 16#8924).
-define(RNDRESEEDCRNG, 16#5207).
%% So long memory that was freed is kept before it is given back, which no clone should have to do.
-define(SETTLE_MS, 4000).
-define(SEED_BYTES, 32).

is_template(Identity) ->
    maps:is_key(<<"template">>, Identity).

%% Freezes here. Gives the identity and secret of the device this machine has woken as. `Rehearse'
%% is called with those of a device that is only rehearsed: it gives `ok' or what failed.
wait(#{<<"template">> := How} = Template, Rehearse) ->
    Port = fleetdash_syscalls:open([binary_to_list(How) || How =:= <<"unmixed">>]),
    [Socket, Urandom] = fleetdash_syscalls:call(
                          Port, [{socket, [2, 2, 0]}, {openat, [?CWD, {data, 0}, 1, 0]}],
                          <<"/dev/urandom", 0>>),
    fleetdash_identity:may_wake(),
    fleetdash_warming:run(Template),
    become(Port, Socket, Template),
    How =:= <<"rehearse">>
        andalso rehearse(Rehearse, Template#{<<"start">> => <<"warm">>}, fleetdash_identity:secret()),
    frozen({Port, Socket, Urandom}, Template, Rehearse).

rehearse(Rehearse, Identity, Secret) ->
    case Rehearse(Identity, Secret) of
        ok -> fleetdash_proc:say("rehearsed");
        {failed, What} -> fleetdash_proc:say(["rehearsal failed: ", What])
    end.

frozen({Port, Socket, Urandom} = Open, #{<<"template">> := How} = Template, Rehearse) ->
    _ = [garbage_collect(Process) || Process <- processes()],
    timer:sleep(?SETTLE_MS),
    %% The kernel's generator has taken in what it had just now, so clones that are given nothing
    %% agree for some seconds: otherwise a test that they do not would pass by luck.
    [0] = fleetdash_syscalls:call(Port, [{ioctl, [Urandom, ?RNDRESEEDCRNG, 0]}], <<>>),
    _ = random(?SEED_BYTES),
    fleetdash_proc:say("template ready"),
    case fleetdash_identity:woken(Template, fleetdash_syscalls:identity(Port)) of
        {#{<<"template">> := _} = Identity, Secret} ->
            become(Port, Socket, Identity),
            rehearse(Rehearse, Identity, Secret),
            frozen(Open, Template, Rehearse);
        {Identity, Secret} ->
            (How =:= <<"1">> orelse How =:= <<"rehearse">>)
                orelse fleetdash_proc:say(["random ", binary:encode_hex(random(?SEED_BYTES))]),
            become(Port, Socket, Identity),
            fleetdash_identity:wakes(),
            {Identity, Secret}
    end.

%% Random numbers of its own for a device that has woken. To be done before any of its numbers is
%% used. A crowd that was woken at once then waits, each as long as it likes but no longer than
%% `Wait' milliseconds, so as not to act at once.
renew(Wait) ->
    case fleetdash_identity:has_woken() of
        true -> timer:sleep(reseed() rem (Wait + 1));
        false -> ok
    end.

%% The kernel has random numbers of its own by now; the crypto library takes them from there. Gives
%% one of 32 bits.
reseed() ->
    ok = crypto:rand_seed(random(?SEED_BYTES)),
    <<Random:32>> = crypto:strong_rand_bytes(4),
    Random.

random(Size) ->
    {ok, File} = prim_file:open("/dev/urandom", [read, raw, binary]),
    {ok, Bytes} = prim_file:read(File, Size),
    _ = prim_file:close(File),
    Bytes.

%% Clock, host name and hardware address, in one go; the network driver takes the address while up.
become(Port, Socket, #{<<"hostname">> := Host, <<"mac">> := Mac, <<"time">> := Time}) ->
    Request = <<"eth0", 0:(12 * 8), 1:16/little, (hardware_address(Mac))/binary, 0:(16 * 8)>>,
    Clock = <<(binary_to_integer(Time)):64/little, 0:64>>,
    [0, 0, 0] = fleetdash_syscalls:call(
      Port,
      [{set_clock, [0, {data, 0}]},
       {set_host_name, [{data, 56}, byte_size(Host)]},
       {ioctl, [Socket, ?SIOCSIFHWADDR, {data, 16}]}],
      <<Clock/binary, Request/binary, Host/binary>>),
    ok.

%% The six bytes of "02:00:00:00:00:01".
hardware_address(<<High, Low, $:, Rest/binary>>) ->
    <<(digit(High)):4, (digit(Low)):4, (hardware_address(Rest))/binary>>;
hardware_address(<<High, Low>>) ->
    <<(digit(High)):4, (digit(Low)):4>>.

digit(Digit) when Digit =< $9 -> Digit - $0;
digit(Digit) -> Digit - $a + 10.
