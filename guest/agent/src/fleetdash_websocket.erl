%% The client's side of RFC 6455 as values: handshake, frames, messages.
-module(fleetdash_websocket).

-export([request/4, accept_key/1, response/2, encode/3, decode/1, new/0, message/2]).

-define(GUID, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").
-define(LARGEST, 65536).

%% The opening request; `Headers' are pairs of iodata.
request(Host, Path, Key, Headers) ->
    ["GET ", Path, " HTTP/1.1\r\nHost: ", Host,
     "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
     "Sec-WebSocket-Key: ", Key, "\r\n",
     [[Name, ": ", Value, "\r\n"] || {Name, Value} <- Headers], "\r\n"].

%% What the server must answer to a key.
accept_key(Key) ->
    base64:encode(crypto:hash(sha, [Key, ?GUID])).

%% `more' until the head of the answer is complete, then `{open, Rest}' or
%% `{refused, Status, Date}' with the text of the Date header, or `{error, Reason}'.
response(Text, Key) ->
    case binary:split(Text, <<"\r\n\r\n">>) of
        [_] when byte_size(Text) > ?LARGEST -> {error, too_large};
        [_] -> more;
        [Head, Rest] -> head(binary:split(Head, <<"\r\n">>, [global]), Rest, Key)
    end.

head([<<"HTTP/1.1 101", _/binary>> | Lines], Rest, Key) ->
    case header(<<"sec-websocket-accept">>, Lines) =:= accept_key(Key) of
        true -> {open, Rest};
        false -> {error, wrong_accept}
    end;
head([<<"HTTP/1.", _, " ", Digits:3/binary, _/binary>> | Lines], _, _) ->
    try {refused, binary_to_integer(Digits), header(<<"date">>, Lines)}
    catch error:badarg -> {error, not_http}
    end;
head(_, _, _) ->
    {error, not_http}.

header(_, []) ->
    <<>>;
header(Name, [Line | Lines]) ->
    case binary:split(Line, <<":">>) of
        [Found, Value] ->
            case lowercase(Found) of
                Name -> trim(Value);
                _ -> header(Name, Lines)
            end;
        _ ->
            header(Name, Lines)
    end.

%% The module `string' would bring all of Unicode into a device's memory for this.
lowercase(Text) ->
    << <<(if Byte >= $A, Byte =< $Z -> Byte + 32; true -> Byte end)>> || <<Byte>> <= Text >>.

trim(<<Byte, Rest/binary>>) when Byte =:= $\s; Byte =:= $\t -> trim(Rest);
trim(Text) -> Text.

%% A whole message as one masked frame; `Mask' is four random bytes.
encode(Opcode, Payload, Mask) ->
    Data = iolist_to_binary(Payload),
    [<<1:1, 0:3, (opcode(Opcode)):4, 1:1, (size_bits(byte_size(Data)))/bitstring>>, Mask,
     mask(Data, Mask)].

size_bits(Size) when Size < 126 -> <<Size:7>>;
size_bits(Size) when Size < 65536 -> <<126:7, Size:16>>;
size_bits(Size) -> <<127:7, Size:64>>.

opcode(text) -> 1;
opcode(close) -> 8;
opcode(ping) -> 9;
opcode(pong) -> 10.

mask(Data, <<Key:32>>) ->
    Whole = byte_size(Data) div 4 * 4,
    <<Words:Whole/binary, Tail/binary>> = Data,
    Bits = bit_size(Tail),
    <<End:Bits>> = Tail,
    Last = <<((End bxor (Key bsr (32 - Bits)))):Bits>>,
    << << <<(Word bxor Key):32>> || <<Word:32>> <= Words >>/binary, Last/binary >>.

%% The first frame in a buffer: `{Final, Opcode, Payload, Rest}', `more', or `{error, Code}' with
%% the code to close with.
decode(<<_:1, Reserved:3, _:4, Masked:1, _:7, _/binary>>) when Reserved =/= 0; Masked =/= 0 ->
    {error, 1002};
decode(<<_:4, Opcode:4, _:1, 127:7, Size:64, _/binary>>) when Opcode >= 8; Size > ?LARGEST ->
    {error, 1009};
decode(<<Final:1, _:3, Opcode:4, _:1, 127:7, Size:64, Payload:Size/binary, Rest/binary>>) ->
    {Final =:= 1, Opcode, Payload, Rest};
decode(<<_:9, 127:7, _/binary>>) ->
    more;
decode(<<Final:1, _:3, Opcode:4, _:1, 126:7, Size:16, Payload:Size/binary, Rest/binary>>)
  when Opcode < 8 ->
    {Final =:= 1, Opcode, Payload, Rest};
decode(<<Final:1, _:3, Opcode:4, _:1, Size:7, _/binary>>)
  when Opcode >= 8, Size =:= 126; Opcode >= 8, Final =:= 0 ->
    {error, 1002};
decode(<<_:9, 126:7, _/binary>>) ->
    more;
decode(<<Final:1, _:3, Opcode:4, _:1, Size:7, Payload:Size/binary, Rest/binary>>) ->
    {Final =:= 1, Opcode, Payload, Rest};
decode(_) ->
    more.

%% Nothing received yet: what is buffered, and the parts of an unfinished message.
new() ->
    {<<>>, none}.

%% Adds received bytes: gives `{Messages, State}' where a message is `{text, Binary}',
%% `{ping, Binary}', `{close, Code}' or `{error, Code}', after which nothing follows.
message(Data, {Buffer, Parts}) ->
    messages(<<Buffer/binary, Data/binary>>, Parts, []).

messages(Buffer, Parts, Found) ->
    case decode(Buffer) of
        more -> {lists:reverse(Found), {Buffer, Parts}};
        {error, Code} -> failed(Code, Found);
        {Final, Opcode, Payload, Rest} -> frame(Final, Opcode, Payload, Rest, Parts, Found)
    end.

frame(_, 8, <<Code:16, _/binary>>, _, _, Found) -> stop({close, Code}, Found);
frame(_, 8, _, _, _, Found) -> stop({close, 1005}, Found);
frame(_, 9, Payload, Rest, Parts, Found) -> messages(Rest, Parts, [{ping, Payload} | Found]);
frame(_, 10, _, Rest, Parts, Found) -> messages(Rest, Parts, Found);
frame(Final, 1, Payload, Rest, none, Found) -> part(Final, Payload, Rest, Found);
frame(Final, 0, Payload, Rest, Parts, Found) when Parts =/= none ->
    case byte_size(Parts) + byte_size(Payload) > ?LARGEST of
        true -> failed(1009, Found);
        false -> part(Final, <<Parts/binary, Payload/binary>>, Rest, Found)
    end;
frame(_, 2, _, _, none, Found) -> failed(1003, Found);
frame(_, _, _, _, _, Found) -> failed(1002, Found).

part(true, Whole, Rest, Found) -> messages(Rest, none, [{text, Whole} | Found]);
part(false, Parts, Rest, Found) -> messages(Rest, Parts, Found).

failed(Code, Found) ->
    stop({error, Code}, Found).

stop(Last, Found) ->
    {lists:reverse([Last | Found]), new()}.
