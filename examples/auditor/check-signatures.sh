#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-signatures.sh FILE [CHAIN]: what `lazaret verify` says of one chain of a trail, said by openssl. Is the hash of
# every record that of its bytes and of the record before it, that of every block that of its log records, and is each
# signature by the key that the signed record before it named? Needs sh, perl, openssl and the usual tools, and nothing
# of Lazaret. docs/reference/trail-format.md is what it is written from.
#
# perl only takes the records apart; all hashes and signatures are openssl's. What is missing at the end, and whether
# there is another story, is the verifier's work. Exit 0 if all holds, 1 if something does not, 2 if nothing could be asked.
set -eu
export LC_ALL=C
[ $# -eq 1 ] || [ $# -eq 2 ] || { echo "usage: check-signatures.sh FILE [CHAIN]" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/text"

# Writes text/N, whose hash is due on line N of `hashes`, and a line of `signed` for each signature: what, h, key, sig.
perl -e '
    use strict;
    use warnings;
    my ($folder, $wanted) = @ARGV;
    my (%chains, @bad);
    while (my $line = <STDIN>) {
        my $at = index $line, q({"lz":1,);
        next if $at < 0;
        chomp($line = substr $line, $at);
        my ($seq, $middle, $id, $members) =
            $line =~ /^\{"lz":1,"ev":"log","seq":(\d+)(,"task":.*?,"chain":"([0-9a-f]{32})"),"d":\{(.*)\}\}$/;
        my $record = { line => $line, middle => $middle, members => $members };
        if (!defined $seq) {
            next if $line !~ /,"chain":"/; # of no chain: written where no trail is kept
            ($record->{ev}, $seq, $id, $record->{prev}, $record->{h}) = $line =~ /^\{"lz":1,"ev":"([^"]*)","sev":\d+,
                "seq":(\d+),.*?,"chain":"([0-9a-f]{32})","prev":"([0-9a-f]{16})","h":"([0-9a-f]{64})","d":\{.*\}\}$/x;
            if (!defined $seq) {
                push @bad, "line $.: it begins like a record and is none";
                next;
            }
        }
        my $there = $chains{$id}{$seq} //= $record;
        push @bad, "seq $seq: there are two records" if $there->{line} ne $line;
    }
    my @ids = $wanted ? $wanted : sort keys %chains;
    die "there is no record of a chain\n" if !@ids || !$chains{$ids[0]};
    die "there is more than one chain; name one of them: ", join(" ", @ids), "\n" if @ids > 1;
    my $chain = $chains{$ids[0]};
    die "the chain has no genesis: nothing vouches for its first key\n" if ($chain->{0}{ev} // "") ne "chain.genesis";

    my %kinds = ("chain.genesis", 0, "chain.checkpoint", 2, "chain.gap", 3, "chain.final", 4, "log.block", 5);
    open my $hashes, ">", "$folder/hashes" or die "$folder/hashes: $!\n";
    open my $signed, ">", "$folder/signed" or die "$folder/signed: $!\n";
    my ($n, $before, $key, @logs, @between) = (0, "0" x 64, "");
    my $due = sub {
        my ($h, $what, $text) = @_;
        my $name = sprintf "%s/text/%010d", $folder, $n++;
        open my $file, ">", $name or die "$name: $!\n";
        print $file $text;
        close $file or die "$name: $!\n";
        print $hashes "$h $what\n";
    };
    for my $seq (sort { $a <=> $b } keys %$chain) {
        my $record = $chain->{$seq};
        if (!defined $record->{ev}) {
            push @logs, [$seq, $record];
            next;
        }
        my ($what, $line) = ("seq $seq $record->{ev}", $record->{line});
        my $kind = $kinds{$record->{ev}} // 1;
        my $is_signed = $kind == 0 || $kind == 2 || $kind == 4;
        my $sig = $is_signed && $line =~ s/,"sig":"([0-9a-f]{128})"\}\}$/}}/ ? $1 : "";
        $line =~ s/("prev":"[0-9a-f]{16}"),"h":"[0-9a-f]{64}"/$1/;
        push @bad, "$what: prev is not the record before it" if $record->{prev} ne substr $before, 0, 16;
        $due->($record->{h}, $what, pack("C H32 Q> N", $kind, $ids[0], $seq, length $line) . $line . pack("H64", $before));
        $before = $record->{h};
        my ($next) = $line =~ /.*"pk":"([0-9a-f]{64})"/;
        $key = $next // "" if $kind == 0;
        print $signed "$seq,$record->{ev} $record->{h} ", $key || 0, " ", $sig || 0, "\n" if $is_signed;
        $key = $next // "" if $kind == 2;
        if ($kind != 5) {
            push @between, $seq;
            next;
        }
        my ($first, $last, $sha256) = $line =~ /"d":\{"first":(\d+),"last":(\d+),"bytes":\d+,"sha256":"([0-9a-f]{64})"/;
        if (!defined $first || grep { $_->[0] < $first || $_->[0] > $last } @logs) {
            push @bad, "$what: it does not cover the log records in front of it";
        } elsif (@logs + grep({ $_ >= $first && $_ <= $last } @between) != $last - $first + 1) {
            print "not checked: $what: log records of it are not here\n";
        } else {
            my ($text, $middle) = ("", "");
            for (@logs) {
                my ($place, $log) = @$_;
                my $said = $log->{middle} eq $middle ? "" : $log->{middle};
                $text .= pack("Q> N N", $place, length $said, length $log->{members}) . $said . $log->{members};
                $middle = $log->{middle};
            }
            $due->($sha256, "$what: its log records", $text);
        }
        @logs = @between = ();
    }
    print "BAD $_\n" for @bad;
    print "not checked: ", scalar @logs, " log records that no block covers yet\n" if @logs;
    exit(@bad ? 1 : 0);
' "$folder" "${2:-}" <"$1" && bad=0 || bad=$?
[ "$bad" -le 1 ] || exit 2

(cd "$folder/text" && printf '%s\n' * | xargs openssl dgst -sha256 -r) >"$folder/got"
paste -d ' ' "$folder/got" "$folder/hashes" >"$folder/both"
hashed=0
while read -r got _ due what; do
    hashed=$((hashed + 1))
    [ "$got" = "$due" ] || { echo "BAD hash: $what"; bad=1; }
done <"$folder/both"

binary() {
    perl -e 'print pack "H*", $ARGV[0]' "$1"
}

signed=0 wrong=0
while read -r what h key sig; do
    signed=$((signed + 1)) verdict=ok
    { printf 'lazaret-trail-1\0'; binary "$h"; } >"$folder/message"
    binary "$sig" >"$folder/signature"
    binary "302a300506032b6570032100$key" >"$folder/key.der" # an Ed25519 key as openssl reads it, RFC 8410
    openssl pkeyutl -verify -rawin -in "$folder/message" -sigfile "$folder/signature" \
        -pubin -inkey "$folder/key.der" -keyform DER >"$folder/said" 2>&1 || verdict='BAD signature'
    [ "$verdict" = ok ] || { wrong=$((wrong + 1)) bad=1; }
    echo "$verdict: seq ${what%,*} ${what#*,}"
done <"$folder/signed"
echo "$hashed hashes; $signed signatures, $wrong of them bad"
exit "$bad"
