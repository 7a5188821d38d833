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
        .host = "0.0.0.0",
        .port = 9100,
        .n_own_ports = 2,
        .own_ports = {9100, 5432}};

static bool look(struct laz_health_drain *drain, uint64_t at_ns, uint64_t established,
        uint64_t opens, char evidence[LAZ_HEALTH_EVIDENCE_MAX])
{
    const struct laz_health_sample sample = {
            .is_known = true, .established = established, .opens = opens};
    return laz_health_drain_look(drain, &config, &sample, at_ns, evidence);
}

/* What the kernel has counted, and how many of those we know as ours. */
static bool look_at(struct laz_health_drain *drain, uint64_t at_ns, uint64_t counted, uint64_t ours)
{
    char evidence[LAZ_HEALTH_EVIDENCE_MAX];
    const struct laz_health_sample sample = {
            .is_known = true, .opens = counted - ours, .ours = ours};
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

Test(health_drain, ours_are_nobody)
{
    static struct laz_health_drain drain;
    laz_health_drain_begin(&drain, 10 * S);
    cr_expect(!look_at(&drain, 10 * S, 9, 0));
    for (uint64_t i = 1; i <= 11; i++) { /* four times a second, two at a time */
        cr_expect(!look_at(&drain, 10 * S + i * 250 * MS, 9 + 2 * i, 2 * i), "%d", (int)i);
    }
    cr_expect(look_at(&drain, 13 * S, 33, 24));
}

/* One of ours that is counted by the kernel at one look and by us at the next. */
Test(health_drain, ours_that_are_counted_late_hide_no_newcomer)
{
    static struct laz_health_drain drain;
    laz_health_drain_begin(&drain, 10 * S);
    cr_expect(!look_at(&drain, 10 * S, 9, 0));
    cr_expect(!look_at(&drain, 11 * S, 10, 0), "it is a stranger");
    cr_expect(!look_at(&drain, 12 * S, 11, 1), "it is ours, and somebody else came");
    cr_expect(!look_at(&drain, 13 * S, 11, 1), "11 s is two seconds ago, and 12 s is not");
    cr_expect(!look_at(&drain, 14 * S - MS, 11, 1));
    cr_expect(look_at(&drain, 14 * S, 11, 1));
}

Test(health_drain, strangers_make_none_of_ours_later_on)
{
    static struct laz_health_drain drain;
    laz_health_drain_begin(&drain, 10 * S);
    cr_expect(!look_at(&drain, 10 * S, 9, 0));
    cr_expect(!look_at(&drain, 11 * S, 109, 0), "a hundred of them");
    cr_expect(!look_at(&drain, 11 * S + MS, 110, 1), "ours, or one more");
    for (uint64_t i = 1; i <= 7; i++) {
        cr_expect(!look_at(&drain, 11 * S + MS + i * 250 * MS, 110 + i, 1 + i), "%d", (int)i);
    }
    cr_expect(look_at(&drain, 13 * S + MS, 118, 9), "two seconds after the last one who may be");
}

/* Its server's queue is full: to us it is connected, and the kernel counts it when it is taken. */
Test(health_drain, ours_that_the_kernel_counts_late_are_strangers)
{
    static struct laz_health_drain drain;
    laz_health_drain_begin(&drain, 10 * S);
    cr_expect(!look_at(&drain, 10 * S, 9, 0));
    cr_expect(!look_at(&drain, 11 * S, 9, 1));
    cr_expect(!look_at(&drain, 12 * S + 500 * MS, 10, 1), "now");
    cr_expect(!look_at(&drain, 14 * S, 10, 1));
    cr_expect(look_at(&drain, 14 * S + 500 * MS, 10, 1));
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

Test(health_drain, a_udp_port_is_no_evidence)
{
    static struct laz_health_drain drain;
    struct laz_health_sample sample = {.is_known = true, .has_udp = true};
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    laz_health_drain_begin(&drain, 10 * S);
    cr_expect(!laz_health_drain_look(&drain, &config, &sample, 10 * S, evidence));
    cr_expect(!laz_health_drain_look(&drain, &config, &sample, 30 * S, evidence));
    cr_expect(drain.has_udp && !drain.is_blind);
    sample.has_udp = false;
    cr_expect(laz_health_drain_look(&drain, &config, &sample, 31 * S, evidence));
}

static void see(struct laz_health_drain *drain, unsigned who, uint64_t at_ns, bool was_refused)
{
    uint8_t address[16] = {
            [10] = 0xff, [11] = 0xff, [14] = (uint8_t)(who >> 8), [15] = (uint8_t)who};
    laz_health_drain_see(drain, &config, address, at_ns, was_refused);
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

/* Interval 90 s, unhealthy 2: lb-grace covers it, and its last question was 70 s ago. */
Test(health_drain, a_slow_balancer_counts_for_as_long_as_lb_grace_waits_for_it)
{
    static struct laz_health_drain drain;
    static const struct laz_health_config slow = {
            .lb_max_ms = 200000, .lb_least_ms = 3000, .lb_quiet_ms = 2000, .lb_threshold = 2};
    const struct laz_health_sample quiet = {.is_known = true, .opens = 5};
    const uint8_t address[16] = {1};
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    laz_health_drain_see(&drain, &slow, address, 1000 * S, false);
    laz_health_drain_begin(&drain, 1070 * S);
    cr_expect(!laz_health_drain_look(&drain, &slow, &quiet, 1070 * S, evidence));
    cr_expect(!laz_health_drain_look(&drain, &slow, &quiet, 1073 * S, evidence), "70 s ago");
    laz_health_drain_see(&drain, &slow, address, 1090 * S, true);
    cr_expect(!laz_health_drain_look(&drain, &slow, &quiet, 1170 * S, evidence), "one refusal");
    laz_health_drain_see(&drain, &slow, address, 1180 * S, true);
    cr_expect(laz_health_drain_look(&drain, &slow, &quiet, 1180 * S, evidence));
    drain = (struct laz_health_drain){0};
    laz_health_drain_see(&drain, &slow, address, 1000 * S, false);
    laz_health_drain_begin(&drain, 1070 * S);
    cr_expect(!laz_health_drain_look(&drain, &slow, &quiet, 1070 * S, evidence));
    cr_expect(!laz_health_drain_look(&drain, &slow, &quiet, 1200 * S, evidence));
    cr_expect(laz_health_drain_look(&drain, &slow, &quiet, 1201 * S, evidence), "200 s and more");
}

/* Balancers are in a memory that ended with its process. */
Test(health_drain, a_successor_shows_nothing_before_each_balancer_has_had_time_to_ask)
{
    static struct laz_health_drain drain;
    char evidence[LAZ_HEALTH_EVIDENCE_MAX] = "";
    drain.watched_ns = 90 * S;
    laz_health_drain_begin(&drain, 100 * S);
    cr_expect(!look(&drain, 100 * S, 0, 5, evidence));
    cr_expect(!look(&drain, 110 * S, 0, 5, evidence), "quiet");
    cr_expect(drain.is_young);
    see(&drain, 1, 111 * S, true);
    see(&drain, 1, 112 * S, true);
    cr_expect(!look(&drain, 150 * S, 0, 5, evidence), "one of perhaps two balancers");
    cr_expect(!look(&drain, 150 * S - 1, 0, 5, evidence));
    cr_expect(look(&drain, 151 * S, 0, 5, evidence));
    cr_expect(!drain.is_young);
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

static struct laz_health_count state = {.first_given = 32768, .last_given = 60999};

/* The tables of TCP, and of UDP where there are any. */
static bool count_all(const char *const files[LAZ_HEALTH_TABLE_COUNT], size_t piece, bool keeps,
        struct laz_health_sample *ret)
{
    laz_health_count_begin(&state, keeps);
    for (unsigned i = 0; i < LAZ_HEALTH_TABLE_COUNT && files[i] != NULL; i++) {
        laz_health_count_file(&state, (enum laz_health_table)i);
        for (size_t at = 0; at < strlen(files[i]); at += piece) {
            size_t left = strlen(files[i]) - at;
            laz_health_count_take(&state, &config, files[i] + at, left < piece ? left : piece);
        }
    }
    return laz_health_count_end(&state, ret);
}

static bool count(const char *four, const char *six, size_t piece, uint64_t *ret)
{
    const char *files[LAZ_HEALTH_TABLE_COUNT] = {four, six};
    struct laz_health_sample sample = {0};
    bool is_good = count_all(files, piece, false, &sample);
    *ret = sample.established;
    return is_good;
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

Test(health_net, half_closed_clients_count)
{
    uint64_t n = 0;
    cr_expect(count(HEAD LINE("00000000:1F90", "00000000:0000", "0A")
                            LINE("0100007F:1F90", "0100007F:C350", "08"),
            HEAD, 64, &n));
    cr_expect_eq(n, 1, "it waits for its answer");
}

Test(health_net, a_port_that_listened_counts_for_the_rest_of_a_drain)
{
    static const char *const before[LAZ_HEALTH_TABLE_COUNT] = {
            HEAD LINE("00000000:1F90", "00000000:0000", "0A")};
    static const char *const after[LAZ_HEALTH_TABLE_COUNT] = {
            HEAD LINE("0100007F:1F90", "0100007F:C350", "01")};
    struct laz_health_sample sample = {0};
    cr_assert(count_all(before, 64, false, &sample) && sample.established == 0);
    cr_assert(count_all(after, 64, true, &sample));
    cr_expect_eq(sample.established, 1);
    cr_assert(count_all(after, 64, false, &sample));
    cr_expect_eq(sample.established, 0, "outside of one it is a client's");
}

Test(health_net, a_port_is_its_own_at_its_address_alone)
{
    static const char four[] = HEAD LINE("0500000A:1538", "00000000:0000", "0A") /* 10.0.0.5:5432 */
            LINE("0100007F:1538", "00000000:0000", "0A")                         /* a tunnel's */
            LINE("0500000A:1538", "0600000A:C350", "01")
                    LINE("0100007F:1538", "0100007F:C350", "01");
    uint64_t n = 0;
    cr_expect(count(four, HEAD, 64, &n));
    cr_expect_eq(n, 1, "%llu", (unsigned long long)n);
}

Test(health_net, a_udp_port_that_is_open_to_others_is_seen)
{
    static const struct {
        const char *line;
        bool is_seen;
    } rows[] = {{HEAD LINE("00000000:01BB", "00000000:0000", "07"), true},
            {HEAD LINE("0500000A:01BB", "00000000:0000", "07"), true},
            {HEAD LINE("0100007F:01BB", "00000000:0000", "07"), false}, /* of this host */
            {HEAD LINE("00000000:01BB", "0600000A:0035", "01"), false}, /* it is connected */
            {HEAD LINE("00000000:C350", "00000000:0000", "07"), false}, /* a client's port */
            {HEAD "   0: 00000000:01BB 00000000:0000 07 00000000:00000000 00:00000000 00000000 "
                  "65315        0 40882052 2 0000000000000000 0\n",
                    false}, /* a helper's */
            {HEAD, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *files[LAZ_HEALTH_TABLE_COUNT] = {HEAD, HEAD, rows[i].line};
        struct laz_health_sample sample = {0};
        cr_expect(count_all(files, 64, false, &sample));
        cr_expect_eq(sample.has_udp, rows[i].is_seen, "%s", rows[i].line);
        cr_expect_eq(sample.established, 0);
    }
    const char *six[LAZ_HEALTH_TABLE_COUNT] = {
            HEAD, HEAD, HEAD, HEAD LINE(V6 ":01BB", V6 ":0000", "07")};
    struct laz_health_sample sample = {0};
    cr_expect(count_all(six, 64, false, &sample) && !sample.has_udp, "::1");
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
