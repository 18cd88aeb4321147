%% NervesHub's shared-secret headers: what proves that this device knows its secret.
-module(fleetdash_nh1).

-export([headers/3]).

-define(ALGORITHM, "NH1-HMAC-sha256-1000-32").
-define(ROUNDS, 1000).
-define(KEY_BYTES, 32).
-define(MAX_AGE_S, 86400).

%% The headers of a connection at `Second' (Unix time). The signature is a token as of
%% `Plug.Crypto.sign/4' over the serial.
headers(Serial, Secret, Second) ->
    Time = integer_to_binary(Second),
    Salt = iolist_to_binary(["NH1:device-socket:shared-secret:connect\n\nx-nh-alg=", ?ALGORITHM,
                             "\nx-nh-key=", Serial, "\nx-nh-time=", Time, "\n"]),
    Key = crypto:pbkdf2_hmac(sha256, Secret, Salt, ?ROUNDS, ?KEY_BYTES),
    Payload = term_to_binary({Serial, Second * 1000, ?MAX_AGE_S}),
    Signed = <<"SFMyNTY.", (base64url(Payload))/binary>>,
    Signature = base64url(crypto:mac(hmac, sha256, Key, Signed)),
    [{"x-nh-alg", ?ALGORITHM}, {"x-nh-key", Serial}, {"x-nh-time", Time},
     {"x-nh-signature", [Signed, ".", Signature]}].

base64url(Data) ->
    << <<(case Byte of $+ -> $-; $/ -> $_; _ -> Byte end)>>
       || <<Byte>> <= base64:encode(Data), Byte =/= $= >>.
