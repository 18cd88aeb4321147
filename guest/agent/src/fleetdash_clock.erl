%% The date in an HTTP header (RFC 9110, 5.6.7).
-module(fleetdash_clock).

-export([parse/1]).

-define(UNIX_EPOCH_S, 62167219200).

%% `{ok, UnixSeconds}' of "Sun, 06 Nov 1994 08:49:37 GMT", or `error'.
parse(<<_:3/binary, ", ", Day:2/binary, " ", Month:3/binary, " ", Year:4/binary, " ",
        Hour:2/binary, ":", Minute:2/binary, ":", Second:2/binary, " GMT">>) ->
    try
        Date = {binary_to_integer(Year), month(Month), binary_to_integer(Day)},
        Time = {binary_to_integer(Hour), binary_to_integer(Minute), binary_to_integer(Second)},
        true = calendar:valid_date(Date),
        {ok, calendar:datetime_to_gregorian_seconds({Date, Time}) - ?UNIX_EPOCH_S}
    catch
        error:_ -> error
    end;
parse(_) ->
    error.

month(Name) ->
    {At, 3} = binary:match(<<"JanFebMarAprMayJunJulAugSepOctNovDec">>, Name),
    At div 3 + 1.
