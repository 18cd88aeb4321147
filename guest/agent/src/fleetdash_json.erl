%% JSON (RFC 8259): maps with binary keys, lists, binaries for strings, numbers, true, false, null.
-module(fleetdash_json).

-export([encode/1, decode/1]).

-define(DEEPEST, 64).

%% The text of a term, as iodata.
encode(true) -> <<"true">>;
encode(false) -> <<"false">>;
encode(null) -> <<"null">>;
encode(Number) when is_integer(Number) -> integer_to_binary(Number);
encode(Number) when is_float(Number) -> float_to_binary(Number, [short]);
encode(Text) when is_binary(Text) -> [$", escape(Text), $"];
encode(List) when is_list(List) -> [$[, join([encode(Item) || Item <- List]), $]];
encode(Map) when is_map(Map) ->
    [${, join([[encode(Key), $:, encode(Value)] || {Key, Value} <- maps:to_list(Map)]), $}].

join([]) -> [];
join([First | Rest]) -> [First | [[$, , Item] || Item <- Rest]].

escape(Text) ->
    << <<(escaped(Byte))/binary>> || <<Byte>> <= Text >>.

escaped($") -> <<"\\\"">>;
escaped($\\) -> <<"\\\\">>;
escaped($\n) -> <<"\\n">>;
escaped($\r) -> <<"\\r">>;
escaped($\t) -> <<"\\t">>;
escaped(Byte) when Byte < 32 -> <<"\\u00", (hex(Byte bsr 4)), (hex(Byte band 15))>>;
escaped(Byte) -> <<Byte>>.

hex(Digit) when Digit < 10 -> $0 + Digit;
hex(Digit) -> $a + Digit - 10.

%% `{ok, Term}' or `{error, invalid}'; never more than 64 levels deep.
decode(Text) ->
    try
        {Term, Rest} = value(skip(Text), 0),
        <<>> = skip(Rest),
        {ok, Term}
    catch
        _:_ -> {error, invalid}
    end.

value(<<"true", Rest/binary>>, _) -> {true, Rest};
value(<<"false", Rest/binary>>, _) -> {false, Rest};
value(<<"null", Rest/binary>>, _) -> {null, Rest};
value(<<$", Rest/binary>>, _) -> string(Rest, []);
value(<<$[, Rest/binary>>, Depth) when Depth < ?DEEPEST -> array(skip(Rest), Depth + 1);
value(<<${, Rest/binary>>, Depth) when Depth < ?DEEPEST -> object(skip(Rest), Depth + 1);
value(<<Byte, _/binary>> = Text, _) when Byte =:= $-; Byte >= $0, Byte =< $9 -> number(Text).

array(<<$], Rest/binary>>, _) ->
    {[], Rest};
array(Text, Depth) ->
    {Item, Rest} = value(Text, Depth),
    case skip(Rest) of
        <<$,, More/binary>> ->
            {[_ | _] = Items, End} = array_more(skip(More), Depth),
            {[Item | Items], End};
        <<$], End/binary>> ->
            {[Item], End}
    end.

array_more(<<Byte, _/binary>> = Text, Depth) when Byte =/= $] ->
    array(Text, Depth).

object(<<$}, Rest/binary>>, _) ->
    {#{}, Rest};
object(Text, Depth) ->
    members(Text, Depth, #{}).

members(<<$", Text/binary>>, Depth, Map) ->
    {Key, Rest} = string(Text, []),
    <<$:, AfterColon/binary>> = skip(Rest),
    {Value, AfterValue} = value(skip(AfterColon), Depth),
    case skip(AfterValue) of
        <<$,, More/binary>> -> members(skip(More), Depth, Map#{Key => Value});
        <<$}, End/binary>> -> {Map#{Key => Value}, End}
    end.

string(<<$", Rest/binary>>, Parts) ->
    Text = iolist_to_binary(lists:reverse(Parts)),
    true = is_list(unicode:characters_to_list(Text)),
    {Text, Rest};
string(<<$\\, $u, Hex:4/binary, Rest/binary>>, Parts) ->
    unicode_escape(binary_to_integer(Hex, 16), Rest, Parts);
string(<<$\\, Byte, Rest/binary>>, Parts) ->
    string(Rest, [unescaped(Byte) | Parts]);
string(<<Byte, Rest/binary>>, Parts) when Byte >= 32 ->
    string(Rest, [Byte | Parts]).

unicode_escape(High, <<$\\, $u, Hex:4/binary, Rest/binary>>, Parts)
  when High >= 16#D800, High =< 16#DBFF ->
    Low = binary_to_integer(Hex, 16),
    true = Low >= 16#DC00 andalso Low =< 16#DFFF,
    Point = 16#10000 + ((High band 16#3FF) bsl 10) + (Low band 16#3FF),
    string(Rest, [<<Point/utf8>> | Parts]);
unicode_escape(Point, Rest, Parts) ->
    string(Rest, [<<Point/utf8>> | Parts]).

unescaped($b) -> $\b;
unescaped($f) -> $\f;
unescaped($n) -> $\n;
unescaped($r) -> $\r;
unescaped($t) -> $\t;
unescaped(Byte) when Byte =:= $"; Byte =:= $\\; Byte =:= $/ -> Byte.

number(Text) ->
    Length = number_length(Text, 0),
    <<Number:Length/binary, Rest/binary>> = Text,
    {to_number(Number), Rest}.

number_length(Text, At) ->
    case Text of
        <<_:At/binary, Byte, _/binary>>
          when Byte >= $0, Byte =< $9; Byte =:= $-; Byte =:= $+; Byte =:= $.; Byte =:= $e;
               Byte =:= $E ->
            number_length(Text, At + 1);
        _ ->
            At
    end.

to_number(Number) ->
    case binary:match(Number, [<<".">>, <<"e">>, <<"E">>]) of
        nomatch ->
            binary_to_integer(Number);
        _ ->
            case binary:split(Number, [<<"e">>, <<"E">>]) of
                [_] -> binary_to_float(Number);
                [Whole, Power] -> binary_to_float(<<(fraction(Whole))/binary, "e", Power/binary>>)
            end
    end.

%% Erlang wants a fraction before an exponent.
fraction(Whole) ->
    case binary:match(Whole, <<".">>) of
        nomatch -> <<Whole/binary, ".0">>;
        _ -> Whole
    end.

skip(<<Byte, Rest/binary>>) when Byte =:= $\s; Byte =:= $\t; Byte =:= $\n; Byte =:= $\r ->
    skip(Rest);
skip(Text) ->
    Text.
