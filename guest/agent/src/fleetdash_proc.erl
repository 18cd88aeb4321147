%% Reading the kernel's small files and writing to its console, with what is preloaded.
-module(fleetdash_proc).

-export([read/1, say/1]).

%% A file of /proc or /sys, which says it is empty, up to 4 KiB; nothing when it cannot be read.
read(Path) ->
    case prim_file:open(Path, [read, raw, binary]) of
        {ok, File} ->
            Text = case prim_file:read(File, 4096) of
                       {ok, Read} -> Read;
                       _ -> <<>>
                   end,
            _ = prim_file:close(File),
            Text;
        {error, _} ->
            <<>>
    end.

%% A line on the serial console. A device whose console is stuck is still a device.
say(Text) ->
    case prim_file:open("/dev/console", [write, raw]) of
        {ok, File} ->
            _ = prim_file:write(File, ["fleetdash: ", Text, "\n"]),
            _ = prim_file:close(File),
            ok;
        {error, _} ->
            ok
    end.
