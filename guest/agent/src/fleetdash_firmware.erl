%% What this device runs, as it says when it joins.
-module(fleetdash_firmware).

-export([join/1, join/2, environment/1, known/1]).

-define(DISK, "/dev/vda").
-define(ENVIRONMENT_OFFSET, 16#2000).
-define(ENVIRONMENT_BYTES, 131072).
-define(KEYS, [<<"uuid">>, <<"version">>, <<"product">>, <<"platform">>, <<"architecture">>]).

%% The payload of the join on `device'. The boot-loader's variables are read once a boot, and in a
%% template before it is frozen: they take 128 KiB.
join(Identity) ->
    Known = case persistent_term:get(?MODULE, none) of
                none ->
                    Read = known(environment(read_environment())),
                    persistent_term:put(?MODULE, Read),
                    Read;
                Read ->
                    Read
            end,
    join(Identity, Known).

%% What a join needs of the boot-loader's variables: whether the slot is tried out, and whether an
%% upgrade was reverted.
known(Environment) ->
    {maps:get(<<"upgrade_available">>, Environment, <<"0">>) =:= <<"1">>,
     maps:get(<<"fleetdash_reverted">>, Environment, <<"0">>) =:= <<"1">>}.

%% A slot that is tried out is not yet validated; a slot other than the one that was active before an
%% upgrade was reverted.
join(Identity, {Trying, Reverted}) ->
    Running = maps:get(<<"slot">>, Identity, <<"a">>),
    Keys = [{<<"nerves_fw_", Key/binary>>, maps:get(Key, Identity, <<>>)} || Key <- ?KEYS],
    (maps:from_list(Keys))#{
        <<"fwup_version">> => <<"0">>,
        <<"device_api_version">> => <<"2.3.0">>,
        <<"currently_downloading_uuid">> => null,
        <<"meta">> => #{<<"firmware_validated">> => not Trying,
                        <<"firmware_auto_revert_detected">> => Reverted,
                        <<"slot">> => Running}}.

%% The boot-loader's variables in their form on the disk; none when they are torn.
environment(<<Crc:32/little, Data/binary>>) ->
    case erlang:crc32(Data) of
        Crc ->
            [Entries | _] = binary:split(Data, <<0, 0>>),
            Pairs = [binary:split(Entry, <<"=">>)
                     || Entry <- binary:split(Entries, <<0>>, [global])],
            maps:from_list([{Key, Value} || [Key, Value] <- Pairs]);
        _ ->
            #{}
    end;
environment(_) ->
    #{}.

read_environment() ->
    case file:open(?DISK, [read, raw, binary]) of
        {ok, File} ->
            Read = file:pread(File, ?ENVIRONMENT_OFFSET, ?ENVIRONMENT_BYTES),
            _ = file:close(File),
            case Read of
                {ok, Raw} -> Raw;
                _ -> <<>>
            end;
        {error, _} ->
            <<>>
    end.
