#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-signatures.sh FILE: what `lazaret verify` says of signatures, said by openssl. For each signed record of a
# trail: is its hash that of its bytes, is the signature by the key that the signed record before it named? Needs sh,
# sed, perl and openssl, and nothing of Lazaret. docs/reference/trail-format.md is what it is written from.
#
# One chain, in order. It does not follow the hashes from record to record: that, and what is missing, is the
# verifier's work. Exit 0 if all signatures hold, 1 if one does not, 2 if there is none.
set -eu
export LC_ALL=C
[ $# -eq 1 ] || { echo "usage: check-signatures.sh FILE" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# What a member says; the last of that name, as signatures and keys stand at the end.
member() {
    printf '%s\n' "$2" | sed -n "s/.*\"$1\":\"\{0,1\}\([0-9a-f]*\).*/\1/p"
}

binary() {
    perl -e 'print pack "H*", $ARGV[0]' "$1"
}

# kind | chain | seq | length | text | h before, as the page says; the text is the record without h and sig.
hashed() {
    kind=$1 record=$2 before=$3
    text=$(printf '%s' "$record" | sed 's/,"h":"[0-9a-f]*"//; s/,"sig":"[0-9a-f]*"}}$/}}/')
    chain=$(printf '%s' "$record" | sed 's/.*","chain":"\([0-9a-f]*\)".*/\1/')
    seq=$(printf '%s' "$record" | sed 's/^{"lz":1,"ev":"[^"]*","sev":[0-9]*,"seq":\([0-9]*\),.*/\1/')
    perl -e 'my ($kind, $chain, $seq, $before, $text) = @ARGV;
             print chr $kind, pack("H*", $chain), pack("Q>", $seq), pack("N", length $text), $text, pack("H*", $before)' \
        "$kind" "$chain" "$seq" "$before" "$text"
}

before=0000000000000000000000000000000000000000000000000000000000000000
key='' signed=0 bad=0
while IFS= read -r line; do
    record="{\"lz\":1,${line#*\{\"lz\":1,}"
    case $record in
    *'"ev":"chain.genesis"'*) kind=0 key=$(member pk "$record") ;;
    *'"ev":"chain.checkpoint"'*) kind=2 ;;
    *'"ev":"chain.final"'*) kind=4 ;;
    '{"lz":1,"ev":"log",'*) continue ;;
    *) before=$(printf '%s' "$record" | sed 's/.*,"h":"\([0-9a-f]*\)","d":{.*/\1/'); continue ;;
    esac
    signed=$((signed + 1))
    h=$(printf '%s' "$record" | sed 's/.*,"h":"\([0-9a-f]*\)","d":{.*/\1/')
    verdict=ok
    [ "$(hashed "$kind" "$record" "$before" | openssl dgst -sha256 -r | cut -d' ' -f1)" = "$h" ] || verdict='BAD hash'
    { printf 'lazaret-trail-1\0'; binary "$h"; } >"$folder/message"
    binary "$(member sig "$record")" >"$folder/signature"
    binary "302a300506032b6570032100$key" >"$folder/key.der" # an Ed25519 key as openssl reads it, RFC 8410
    openssl pkeyutl -verify -rawin -in "$folder/message" -sigfile "$folder/signature" \
        -pubin -inkey "$folder/key.der" -keyform DER >"$folder/said" 2>&1 || verdict='BAD signature'
    [ "$verdict" = ok ] || bad=$((bad + 1))
    echo "$verdict: seq $(printf '%s' "$record" | sed 's/^{"lz":1,"ev":"\([^"]*\)","sev":[0-9]*,"seq":\([0-9]*\),.*/\2 \1/')"
    next=$(member pk "$record")
    key=${next:-$key} before=$h
done <"$1"
echo "$signed signatures, $bad of them bad"
[ "$signed" -gt 0 ] || exit 2
[ "$bad" -eq 0 ]
