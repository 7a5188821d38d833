/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/health/drain and lib/health/net: what counts as evidence that nobody comes any more.
 */
#include "health/drain.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "health/net.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static const struct laz_health_config config = {.lb_max_ms = 30000,
        .lb_least_ms = 3000,
        .lb_quiet_ms = 2000,
        .lb_threshold = 2,
        .n_own_ports = 1,
        .own_ports = {9100}};

static bool look(struct laz_health_drain *drain, uint64_t at_ns, uint64_t established,
        uint64_t opens, char evidence[LAZ_HEALTH_EVIDENCE_MAX])
{
    const struct laz_health_sample sample = {
            .is_known = true, .established = established, .opens = opens};
    return laz_health_drain_look(drain, &config, &sample, at_ns, evidence);
}

Test(health_drain, ends_where_nobody_has_come_for_so_long)
{
    static struct laz_health_drain drain;
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    cr_expect(!look(&drain, 1 * S, 0, 5, evidence), "it has not begun");
    laz_health_drain_begin(&drain, 10 * S);
    cr_expect(!look(&drain, 10 * S, 1, 5, evidence));
    cr_expect(!look(&drain, 13 * S, 0, 6, evidence), "one came just now");
    cr_expect(!look(&drain, 15 * S - 1, 0, 6, evidence));
    cr_expect(!look(&drain, 15 * S, 1, 6, evidence), "and is still there");
    cr_expect(look(&drain, 16 * S, 0, 6, evidence));
    cr_expect_str_eq(evidence, "no connection is open, and none came for 3000 ms");
    cr_expect(!look(&drain, 17 * S, 0, 6, evidence), "once");
}

Test(health_drain, never_ends_before_its_least)
{
    static struct laz_health_drain drain;
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    laz_health_drain_begin(&drain, 10 * S);
    cr_expect(!look(&drain, 10 * S, 0, 5, evidence));
    cr_expect(!look(&drain, 13 * S - 1, 0, 5, evidence));
    cr_expect(look(&drain, 13 * S, 0, 5, evidence));
}

Test(health_drain, a_lower_count_hides_no_newcomer)
{
    static struct laz_health_drain drain;
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    laz_health_drain_begin(&drain, 10 * S);
    cr_expect(!look(&drain, 10 * S, 0, 9, evidence));
    cr_expect(!look(&drain, 12 * S, 0, 8, evidence), "one of ours was counted late");
    cr_expect(!look(&drain, 13 * S - MS, 0, 9, evidence));
    cr_expect(!look(&drain, 14 * S, 0, 9, evidence), "who came at 13 s counts");
    cr_expect(look(&drain, 15 * S, 0, 9, evidence));
}

Test(health_drain, what_cannot_be_read_is_no_evidence)
{
    static struct laz_health_drain drain;
    const struct laz_health_sample unknown = {0};
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    laz_health_drain_begin(&drain, 10 * S);
    cr_expect(!look(&drain, 10 * S, 0, 5, evidence));
    cr_expect(!laz_health_drain_look(&drain, &config, &unknown, 60 * S, evidence));
    cr_expect(drain.is_blind);
    cr_expect(!look(&drain, 61 * S, 0, 5, evidence), "what was meanwhile nobody knows");
    cr_expect(look(&drain, 63 * S, 0, 5, evidence));
}

static void see(struct laz_health_drain *drain, unsigned who, uint64_t at_ns, bool was_refused)
{
    uint8_t address[16] = {
            [10] = 0xff, [11] = 0xff, [14] = (uint8_t)(who >> 8), [15] = (uint8_t)who};
    laz_health_drain_see(drain, address, at_ns, was_refused);
}

Test(health_drain, ends_where_every_balancer_was_refused_often_enough)
{
    static struct laz_health_drain drain;
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    uint64_t opens = 5;
    see(&drain, 1, 70 * S, false);
    see(&drain, 2, 95 * S, false);
    see(&drain, 3, 30 * S, false); /* too long ago to count */
    laz_health_drain_begin(&drain, 100 * S);
    see(&drain, 1, 101 * S, true);
    see(&drain, 1, 102 * S, true);
    see(&drain, 2, 102 * S, true);
    cr_expect(!look(&drain, 104 * S, 0, opens++, evidence), "the second one had but one");
    see(&drain, 2, 104 * S, false); /* that was a yes: a race, and no refusal */
    cr_expect(!look(&drain, 104 * S, 0, opens++, evidence));
    see(&drain, 2, 105 * S, true);
    cr_expect(!look(&drain, 105 * S, 4, opens++, evidence), "somebody is still there");
    cr_expect(look(&drain, 105 * S, 0, opens++, evidence));
    cr_expect_str_eq(evidence, "no connection is open, and 2 balancers have had 2 refusals each");
}

Test(health_drain, quiet_is_no_evidence_while_a_balancer_was_not_refused)
{
    static struct laz_health_drain drain;
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    see(&drain, 1, 99 * S, false);
    see(&drain, 2, 39 * S, false); /* none of ours any more */
    laz_health_drain_begin(&drain, 100 * S);
    cr_expect(!look(&drain, 101 * S, 0, 5, evidence));
    cr_expect(!look(&drain, 110 * S, 0, 5, evidence), "it may send requests yet");
    see(&drain, 1, 111 * S, true);
    cr_expect(!look(&drain, 120 * S, 0, 5, evidence), "one is not enough");
    see(&drain, 1, 121 * S, true);
    cr_expect(look(&drain, 121 * S, 0, 5, evidence));
    drain = (struct laz_health_drain){0};
    see(&drain, 1, 99 * S, false);
    laz_health_drain_begin(&drain, 100 * S);
    cr_expect(!look(&drain, 150 * S, 0, 5, evidence));
    cr_expect(!look(&drain, 159 * S, 0, 5, evidence));
    cr_expect(look(&drain, 160 * S, 0, 5, evidence), "it has not asked for so long");
}

Test(health_drain, one_who_finds_no_place_in_a_crowd_counts)
{
    static struct laz_health_drain drain;
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    laz_health_drain_begin(&drain, 100 * S);
    for (unsigned i = 0; i <= LAZ_HEALTH_BALANCERS_MAX; i++) {
        see(&drain, i, 101 * S, true);
        see(&drain, i, 101 * S, true);
    }
    cr_expect(!look(&drain, 104 * S, 0, 5, evidence));
    cr_expect(!look(&drain, 161 * S, 0, 5, evidence));
    cr_expect(look(&drain, 162 * S, 0, 5, evidence));
}

Test(health_drain, a_crowd_of_balancers_ends_nothing_early)
{
    static struct laz_health_drain drain;
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    see(&drain, 1000, 99 * S, false);
    laz_health_drain_begin(&drain, 100 * S);
    for (unsigned i = 0; i < 3 * LAZ_HEALTH_BALANCERS_MAX; i++) {
        see(&drain, i, 101 * S + i, true);
        see(&drain, i, 101 * S + i, true);
    }
    cr_expect_eq(drain.n_balancers, LAZ_HEALTH_BALANCERS_MAX);
    cr_expect(!look(&drain, 104 * S, 0, 5, evidence), "the one that was not refused is not lost");
}

/* ---- /proc/net ---- */

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define LINE(local, remote, state)                                                                 \
    "   0: " local " " remote " " state " 00000000:00000000 00:00000000 00000000 10001        0 "  \
    "40882052 1 0000000000000000 100 0 0 10 0\n"
#define V6 "00000000000000000000000001000000"

static bool count(const char *four, const char *six, size_t piece, uint64_t *ret)
{
    static struct laz_health_count state;
    const char *files[] = {four, six};
    laz_health_count_begin(&state);
    for (unsigned i = 0; i < 2; i++) {
        laz_health_count_file(&state, i == 1);
        for (size_t at = 0; at < strlen(files[i]); at += piece) {
            size_t left = strlen(files[i]) - at;
            laz_health_count_take(&state, &config, files[i] + at, left < piece ? left : piece);
        }
    }
    return laz_health_count_end(&state, ret);
}

Test(health_net, counts_clients_of_what_listens)
{
    static const char four[] = HEAD LINE("00000000:1F90", "00000000:0000", "0A") /* 8080 listens */
            LINE("00000000:238C", "00000000:0000", "0A")                         /* ours, 9100 */
            LINE("0100007F:1F90", "0100007F:C350", "01")                         /* a client */
            LINE("0100007F:1F90", "0100007F:C351", "03")                         /* it arrives */
            LINE("0100007F:1F90", "0100007F:C352", "06")                         /* it has gone */
            LINE("0100007F:238C", "0100007F:C353", "01")                         /* of ours */
            LINE("0100007F:C350", "0100007F:1F90", "01");                        /* its other end */
    static const char six[] =
            HEAD LINE(V6 ":0050", V6 ":0000", "0A") LINE(V6 ":0050", V6 ":C350", "01");
    for (size_t piece = 1; piece < 400; piece += 33) {
        uint64_t n = 99;
        cr_expect(count(four, six, piece, &n), "pieces of %zu", piece);
        cr_expect_eq(n, 3, "pieces of %zu: %llu", piece, (unsigned long long)n);
    }
}

Test(health_net, what_is_no_line_is_not_counted_past)
{
    uint64_t n = 0;
    cr_expect(!count(HEAD "   0: nonsense\n", HEAD, 64, &n));
    cr_expect(!count(HEAD LINE("00000000:1F90", "00000000:0000", "0A") "   1: 0000", HEAD, 64, &n));
    cr_expect(!count("", "", 64, &n), "nothing at all");
    cr_expect(count(HEAD, HEAD, 64, &n) && n == 0);
}

Test(health_net, reads_passive_opens_by_its_name)
{
    static const char good[] = "Ip: Forwarding DefaultTTL\nIp: 1 64\n"
                               "Tcp: RtoAlgorithm ActiveOpens PassiveOpens MaxConn\n"
                               "Tcp: 1 17 1042 -1\nUdp: InDatagrams\nUdp: 5\n";
    static const char *const bad[] = {"", "Tcp: PassiveOpens\n", "Tcp: PassiveOpens\nTcp: 5",
            "Tcp: PassiveOpens\nTcp: -5\n", "Tcp: ActiveOpens PassiveOpens\nTcp: 5\n",
            "Tcp: ActiveOpens\nTcp: 5\n", "Udp: PassiveOpens\nUdp: 5\n"};
    uint64_t n = 0;
    cr_expect(laz_health_passive_opens(good, sizeof(good) - 1, &n));
    cr_expect_eq(n, 1042);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect(!laz_health_passive_opens(bad[i], strlen(bad[i]), &n), "%s", bad[i]);
    }
}
