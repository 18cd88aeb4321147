%% Runs while a firmware is built: makes the small Erlang system that a device starts.
-module(fleetdash_build).

-export([main/1]).

%% Arguments: the device's Erlang root, where it will be on the device.
main([Root, Home]) ->
    Beams = filelib:wildcard(filename:join([Root, "lib", "*", "ebin", "*.beam"])),
    {ok, _} = beam_lib:strip_files(Beams),
    Paths = [filename:join([Home, "lib", App, "ebin"]) || App <- apps(Root)],
    Applications = [application(Root, Name) || Name <- ["kernel", "stdlib", "fleetdash_agent"]],
    Script = fleetdash_boot:script(Paths, Applications),
    ok = file:write_file(filename:join([Root, "bin", "fleetdash.boot"]), term_to_binary(Script)).

apps(Root) ->
    lists:sort(filelib:wildcard("*", filename:join(Root, "lib"))).

application(Root, Name) ->
    [File] = filelib:wildcard(filename:join([Root, "lib", Name ++ "*", "ebin", Name ++ ".app"])),
    {ok, [Application]} = file:consult(File),
    Application.
