%% The boot script of a device: what is loaded and started, in which order (the form is that of
%% `script(4)' in Erlang's system architecture support libraries).
-module(fleetdash_boot).

-export([script/2]).

%% What the first report needs beyond what is preloaded. `maps' is called for its built-in functions,
%% which need no module.
-define(REPORT,
        [fleetdash_proc, fleetdash_tcp, fleetdash_identity, fleetdash_report]).

%% Loaded in one go at the start; anything else is loaded from the path when it is first called.
-define(KERNEL,
        [error_handler, application, application_controller, application_master, code, code_server,
         ets, file, file_io_server, file_server, filename, gen, gen_event, gen_server, heart, kernel,
         kernel_config, kernel_refc, logger, logger_backend, logger_config, logger_filters,
         logger_formatter, logger_h_common, logger_handler_watcher, logger_olp, logger_proxy,
         logger_server, logger_simple_h, logger_std_h, logger_sup, os, raw_file_io, standard_error,
         supervisor, supervisor_bridge, user, user_sup, lists, proc_lib, maps, proplists, queue,
         binary, gb_trees, gb_sets, unicode, io, io_lib, erl_features, beam_lib, peer, base64,
         erl_signal_handler, fleetdash_agent_app, fleetdash_agent_sup, fleetdash_link,
         fleetdash_backoff, fleetdash_nh1, fleetdash_websocket, fleetdash_json, fleetdash_channel,
         fleetdash_firmware, fleetdash_health, fleetdash_pulse, fleetdash_syscalls]).

%% `Paths' are the code folders on the device, `Applications' are applications to load and start, in order,
%% as the terms of their .app files.
script(Paths, Applications) ->
    {script, {"fleetdash", "1"},
     [{preLoaded, erlang:pre_loaded()},
      {progress, preloaded},
      {path, Paths},
      {primLoad, ?REPORT},
      {apply, {fleetdash_report, early, []}},
      {primLoad, ?KERNEL},
      {kernel_load_completed},
      {progress, kernel_load_completed},
      {progress, modules_loaded},
      {kernelProcess, heart, {heart, start, []}},
      {kernelProcess, logger, {logger_server, start_link, []}},
      {kernelProcess, application_controller,
       {application_controller, start, [hd(Applications)]}},
      {progress, init_kernel_started}]
     ++ [{apply, {application, load, [Application]}} || Application <- tl(Applications)]
     ++ [{progress, applications_loaded}]
     ++ [{apply, {application, start_boot, [Name, permanent]}}
         || {application, Name, _} <- Applications]
     ++ [{progress, started}]}.
