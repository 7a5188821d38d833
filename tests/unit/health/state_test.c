/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/health/state and lib/health/watch: from phases, checks, items and gauges to three answers.
 */
#include "health/state.h"

#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>

#include "policy/vocabulary.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* Time begins at 100 s, and at a date. */
struct world {
    struct laz_health_config config;
    struct laz_health health;
    struct laz_health_now now;
    struct laz_status status;
};

static void begin(struct world *world)
{
    world->now = (struct laz_health_now){.ns = 100 * S, .unix_s = 1800000000};
    laz_health_init(&world->health, &world->config, &world->now);
}

static struct world world_of(const struct laz_health_check *checks, uint32_t n)
{
    struct world world = {.config = {.ready_rise = 1, .ready_fall = 2, .live_fall = 3}};
    world.config.n_checks = n;
    for (uint32_t i = 0; i < n; i++) {
        world.config.checks[i] = checks[i];
        world.config.checks[i].every_ms = 1000;
        world.config.checks[i].timeout_ms = 500;
        world.config.startup_deadline_ms =
                checks[i].list == LAZ_HEALTH_STARTUP ? 10000 : world.config.startup_deadline_ms;
    }
    world.status.mode = LAZ_MODE_ENFORCE;
    return world;
}

static void hear(struct world *world, enum laz_phase phase)
{
    world->status.phase = phase;
    if (phase >= LAZ_PHASE_RUNNING && world->status.started_ns == 0) {
        world->status.started_ns = world->now.ns;
    }
    if (phase >= LAZ_PHASE_LB_GRACE && phase <= LAZ_PHASE_KILLING) {
        world->status.stop_ns = world->now.ns;
        world->status.stop_signal = SIGTERM;
    }
    laz_health_hear(&world->health, &world->status, world->now.ns);
    (void)laz_health_judge(&world->health, &world->now);
}

/* A check is asked and answers. */
static void answer(struct world *world, unsigned number, const char *why)
{
    laz_health_watch_begin(&world->health.watches[number], world->now.ns);
    laz_health_watch_end(&world->health.watches[number], world->now.ns + 3 * MS, why);
    (void)laz_health_judge(&world->health, &world->now);
}

static void expect(const struct world *world, enum laz_health_state state, const char *answers,
        const char *why)
{
    const struct laz_health_verdict *verdict = &world->health.verdict;
    char seen[4] = {verdict->is_live ? 'l' : '-', verdict->is_ready ? 'r' : '-',
            verdict->is_started ? 's' : '-', '\0'};
    cr_expect_str_eq(laz_health_state_name(verdict->state), laz_health_state_name(state), "state");
    cr_expect_str_eq(seen, answers, "%s", laz_health_state_name(state));
    cr_expect_str_eq(verdict->why, why, "%s", laz_health_state_name(state));
}

Test(health_state, goes_through_a_run_without_checks)
{
    static struct world world;
    world = world_of(NULL, 0);
    begin(&world);
    expect(&world, LAZ_HEALTH_IS_INIT, "l--", "init");
    hear(&world, LAZ_PHASE_SETUP);
    expect(&world, LAZ_HEALTH_IS_INIT, "l--", "init");
    hear(&world, LAZ_PHASE_STARTING);
    expect(&world, LAZ_HEALTH_IS_STARTING, "l--", "starting");
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
    hear(&world, LAZ_PHASE_LB_GRACE);
    expect(&world, LAZ_HEALTH_IS_DRAINING, "l-s", "SIGTERM");
    hear(&world, LAZ_PHASE_STOPPING);
    expect(&world, LAZ_HEALTH_IS_STOPPING, "l-s", "SIGTERM");
    hear(&world, LAZ_PHASE_KILLING);
    expect(&world, LAZ_HEALTH_IS_STOPPING, "l-s", "SIGTERM");
    hear(&world, LAZ_PHASE_FLUSHING);
    expect(&world, LAZ_HEALTH_IS_EXITED, "l-s", "SIGTERM");
    cr_expect_eq(world.health.transitions[LAZ_HEALTH_IS_READY][LAZ_HEALTH_IS_DRAINING], 1);
    cr_expect_eq(world.health.drain_timeouts, 1, "nothing ended it early");
}

Test(health_state, an_end_that_nobody_asked_for_is_not_live)
{
    static struct world world;
    world = world_of(NULL, 0);
    begin(&world);
    hear(&world, LAZ_PHASE_RUNNING);
    hear(&world, LAZ_PHASE_DRAINING);
    expect(&world, LAZ_HEALTH_IS_EXITED, "--s", "the workload has ended");
}

Test(health_state, policy_and_a_refused_start_fail)
{
    static struct world world;
    world = world_of(NULL, 0);
    begin(&world);
    hear(&world, LAZ_PHASE_RUNNING);
    world.status.forced_code = 105;
    hear(&world, LAZ_PHASE_STOPPING);
    expect(&world, LAZ_HEALTH_IS_FAILED, "--s", "ended by policy");
    world = world_of(NULL, 0);
    begin(&world);
    hear(&world, LAZ_PHASE_STARTING);
    world.status.phase = LAZ_PHASE_FLUSHING;
    laz_health_hear(&world.health, &world.status, world.now.ns);
    (void)laz_health_judge(&world.health, &world.now);
    expect(&world, LAZ_HEALTH_IS_FAILED, "---", "the workload was not started");
}

Test(health_state, silence_of_init_is_death)
{
    static struct world world;
    world = world_of(NULL, 0);
    begin(&world);
    hear(&world, LAZ_PHASE_RUNNING);
    world.now.ns += 600 * S; /* nobody asked, nobody had to answer */
    cr_expect(!laz_health_judge(&world.health, &world.now));
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
    laz_health_ask(&world.health, world.now.ns);
    world.now.ns += 10 * S;
    laz_health_ask(&world.health, world.now.ns); /* the first question counts */
    cr_expect_eq(laz_health_next(&world.health, world.now.ns), world.now.ns + 5 * S);
    world.now.ns += 5 * S - 1;
    (void)laz_health_judge(&world.health, &world.now);
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
    world.now.ns += 1;
    cr_expect(laz_health_judge(&world.health, &world.now));
    expect(&world, LAZ_HEALTH_IS_READY, "--s", "init does not answer");
    cr_expect_eq(laz_health_next(&world.health, world.now.ns), UINT64_MAX, "once is enough");
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
}

Test(health_state, start_up_checks_end_warming_once)
{
    static const struct laz_health_check checks[] = {{.name = "port", .list = LAZ_HEALTH_STARTUP},
            {.name = "db", .list = LAZ_HEALTH_STARTUP}, {.name = "alive", .list = LAZ_HEALTH_LIVE}};
    static struct world world;
    world = world_of(checks, 3);
    begin(&world);
    cr_expect(!laz_health_asks(&world.health, LAZ_HEALTH_STARTUP));
    hear(&world, LAZ_PHASE_RUNNING);
    cr_expect(laz_health_asks(&world.health, LAZ_HEALTH_STARTUP));
    cr_expect(!laz_health_asks(&world.health, LAZ_HEALTH_LIVE));
    answer(&world, 0, "refused");
    expect(&world, LAZ_HEALTH_IS_WARMING, "l--", "check:port");
    answer(&world, 0, NULL);
    expect(&world, LAZ_HEALTH_IS_WARMING, "l--", "check:db");
    world.now.ns += 2 * S;
    cr_expect(!laz_health_watch_is_due(&world.health.watches[0], world.now.ns + 60 * S));
    answer(&world, 1, NULL);
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
    cr_expect(!laz_health_asks(&world.health, LAZ_HEALTH_STARTUP));
    cr_expect(laz_health_asks(&world.health, LAZ_HEALTH_LIVE));
    cr_expect_eq(world.health.started_ms, 2000);
    world.now.ns += 60 * S;
    cr_expect_null(laz_health_overdue(&world.health, world.now.ns));
}

Test(health_state, start_up_has_a_deadline)
{
    static const struct laz_health_check checks[] = {{.name = "port", .list = LAZ_HEALTH_STARTUP},
            {.name = "db", .list = LAZ_HEALTH_STARTUP}};
    static struct world world;
    world = world_of(checks, 2);
    begin(&world);
    world.now.ns += 50 * S; /* before the start nothing counts */
    hear(&world, LAZ_PHASE_RUNNING);
    answer(&world, 0, NULL);
    cr_expect_eq(laz_health_next(&world.health, world.now.ns), world.now.ns + 10 * S);
    cr_expect_null(laz_health_overdue(&world.health, world.now.ns + 10 * S - 1));
    cr_expect_str_eq(laz_health_overdue(&world.health, world.now.ns + 10 * S), "db");
    cr_expect_eq(laz_health_next(&world.health, world.now.ns + 10 * S), UINT64_MAX);
    hear(&world, LAZ_PHASE_LB_GRACE);
    cr_expect_null(laz_health_overdue(&world.health, world.now.ns + 10 * S));
}

Test(health_state, a_successor_is_told_whether_start_up_is_over)
{
    static const struct laz_health_check checks[] = {{.name = "port", .list = LAZ_HEALTH_STARTUP},
            {.name = "db", .list = LAZ_HEALTH_STARTUP}};
    static struct world world;
    for (uint64_t age = 1; age <= 20; age += 19) { /* before the deadline, and after it */
        world = world_of(checks, 2);
        begin(&world);
        world.status.started_ns = world.now.ns - age * S;
        world.status.has_started = true;
        hear(&world, LAZ_PHASE_RUNNING);
        expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
        cr_expect(!laz_health_asks(&world.health, LAZ_HEALTH_STARTUP));
        cr_expect_null(laz_health_overdue(&world.health, world.now.ns + 60 * S));
        cr_expect_eq(laz_health_next(&world.health, world.now.ns), UINT64_MAX);
    }
    world = world_of(checks, 2);
    begin(&world);
    world.status.started_ns = world.now.ns - 9 * S; /* within its time: the rest of it counts */
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_WARMING, "l--", "check:port");
    cr_expect_null(laz_health_overdue(&world.health, world.now.ns + S - 1));
    cr_expect_str_eq(laz_health_overdue(&world.health, world.now.ns + S), "port");
}

Test(health_state, a_successor_does_not_end_a_drain_of_whose_balancers_it_knows_nothing)
{
    const struct laz_health_sample quiet = {.is_known = true};
    char evidence[LAZ_HEALTH_EVIDENCE_MAX];
    static struct world world;
    for (uint64_t restarts = 0; restarts < 2; restarts++) {
        world = world_of(NULL, 0);
        world.config.lb_max_ms = 30000;
        world.config.lb_least_ms = 3000;
        world.config.lb_quiet_ms = 2000;
        begin(&world);
        world.status.restarts = restarts;
        hear(&world, LAZ_PHASE_RUNNING);
        world.status.restarts++; /* another helper's, later on */
        hear(&world, LAZ_PHASE_LB_GRACE);
        cr_expect(!laz_health_drain_look(
                &world.health.drain, &world.config, &quiet, world.now.ns, evidence));
        cr_expect_eq(laz_health_drain_look(&world.health.drain, &world.config, &quiet,
                             world.now.ns + 10 * S, evidence),
                restarts == 0);
        (void)laz_health_judge(&world.health, &world.now);
        expect(&world, LAZ_HEALTH_IS_DRAINING, "l-s",
                restarts == 0 ? "SIGTERM"
                              : "SIGTERM; a helper was started anew: lb-grace does not end early");
    }
}

Test(health_state, a_late_successor_asks_before_it_says_that_nothing_has_passed)
{
    static const struct laz_health_check checks[] = {{.name = "port", .list = LAZ_HEALTH_STARTUP},
            {.name = "db", .list = LAZ_HEALTH_STARTUP}};
    static struct world world;
    for (unsigned passes = 0; passes < 2; passes++) {
        world = world_of(checks, 2);
        begin(&world);
        world.status.started_ns = world.now.ns - 20 * S;
        hear(&world, LAZ_PHASE_RUNNING);
        expect(&world, LAZ_HEALTH_IS_WARMING, "l--", "check:port");
        cr_expect(laz_health_asks(&world.health, LAZ_HEALTH_STARTUP));
        cr_expect_null(laz_health_overdue(&world.health, world.now.ns));
        cr_expect_eq(
                laz_health_next(&world.health, world.now.ns), UINT64_MAX, "nothing to wake up for");
        answer(&world, 0, NULL);
        cr_expect_null(laz_health_overdue(&world.health, world.now.ns));
        answer(&world, 1, passes == 1 ? NULL : "refused");
        if (passes == 1) {
            expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
            cr_expect_null(laz_health_overdue(&world.health, world.now.ns));
        } else {
            expect(&world, LAZ_HEALTH_IS_WARMING, "l--", "check:db");
            cr_expect_str_eq(laz_health_overdue(&world.health, world.now.ns), "db");
        }
    }
}

Test(health_state, ready_rises_and_falls)
{
    static const struct laz_health_check checks[] = {{.name = "http", .list = LAZ_HEALTH_READY}};
    static struct world world;
    world = world_of(checks, 1);
    world.config.ready_rise = 2;
    begin(&world);
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_WARMING, "l--", "warming");
    answer(&world, 0, NULL);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "check:http");
    answer(&world, 0, NULL);
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
    answer(&world, 0, "status 500\n");
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
    cr_expect_str_eq(world.health.watches[0].why, "status 500.");
    answer(&world, 0, NULL);
    answer(&world, 0, "status 500");
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
    answer(&world, 0, "status 500");
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "check:http");
    cr_expect_eq(world.health.watches[0].n_failures, 3);
    cr_expect_eq(world.health.watches[0].last_ms, 3);
}

Test(health_state, live_falls_and_comes_back)
{
    static const struct laz_health_check checks[] = {{.name = "alive", .list = LAZ_HEALTH_LIVE}};
    static struct world world;
    world = world_of(checks, 1);
    begin(&world);
    hear(&world, LAZ_PHASE_RUNNING);
    answer(&world, 0, "no");
    answer(&world, 0, "no");
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
    answer(&world, 0, "no");
    expect(&world, LAZ_HEALTH_IS_READY, "--s", "check:alive");
    hear(&world, LAZ_PHASE_LB_GRACE);
    expect(&world, LAZ_HEALTH_IS_DRAINING, "--s", "check:alive");
    hear(&world, LAZ_PHASE_STOPPING); /* its end is asked for */
    expect(&world, LAZ_HEALTH_IS_STOPPING, "l-s", "SIGTERM");
    hear(&world, LAZ_PHASE_RUNNING);
    answer(&world, 0, NULL);
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
}

Test(health_state, readiness_hangs_on_what_the_policy_names)
{
    static struct world world;
    world = world_of(NULL, 0);
    world.config.certificate_s = 3 * 86400;
    world.config.n_sinks = 1;
    world.config.sinks[0] = "trail";
    world.config.spool_percent = 95;
    world.config.require_enforce = true;
    begin(&world);
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "sink");
    world.health.gauges = (struct laz_health_gauges){.is_known = true,
            .has_spool = true,
            .spool_used = 949,
            .spool_limit = 1000,
            .n_sinks = 1,
            .sinks = {{.name = "trail", .is_up = true}}};
    world.health.gauges_ns = world.now.ns;
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
    world.health.gauges.spool_used = 950;
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "spool");
    world.health.gauges.spool_used = 0;
    world.health.gauges.spool_is_full = true;
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "spool");
    world.health.gauges.sinks[0].is_up = false;
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "sink");
    world.status.mode = LAZ_MODE_OBSERVE;
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "policy is not enforced");
    world.status.n_items = 2;
    world.status.items[1].expires = world.now.unix_s + 3 * 86400;
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "policy is not enforced");
    world.now.unix_s++;
    (void)laz_health_judge(&world.health, &world.now);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "certificate");
    world.status.items[0].state = LAZ_CONTROL_STALE;
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "stale");
    world.status.items[0].state = LAZ_CONTROL_EXPIRED;
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "expired");
}

static void expect_checks(const struct world *world, enum laz_checks checks, const char *when)
{
    cr_expect_eq(world->health.verdict.checks, checks, "%s: %d", when,
            (int)world->health.verdict.checks);
}

Test(health_state, of_checks_it_says_that_all_pass_that_one_fails_or_that_it_does_not_know)
{
    static const struct laz_health_check checks[] = {
            {.name = "up", .list = LAZ_HEALTH_STARTUP},
            {.name = "web", .list = LAZ_HEALTH_READY},
            {.name = "app", .list = LAZ_HEALTH_LIVE},
    };
    static struct world world;
    world = world_of(checks, 3);
    begin(&world);
    hear(&world, LAZ_PHASE_RUNNING);
    answer(&world, 1, NULL);
    answer(&world, 2, NULL);
    expect_checks(&world, LAZ_CHECKS_UNKNOWN, "before start-up is over");
    answer(&world, 0, NULL);
    expect_checks(&world, LAZ_CHECKS_PASS, "all have passed");
    answer(&world, 1, "500");
    expect_checks(&world, LAZ_CHECKS_PASS, "one miss of two");
    answer(&world, 1, "500");
    expect_checks(&world, LAZ_CHECKS_FAIL, "two");
    world.status.n_items = 1;
    world.status.items[0].state = LAZ_CONTROL_STALE;
    hear(&world, LAZ_PHASE_RUNNING);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "stale");
    expect_checks(&world, LAZ_CHECKS_FAIL, "also where something else is named");
    answer(&world, 1, NULL);
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "stale");
    expect_checks(&world, LAZ_CHECKS_PASS, "what is stale is no check");
    for (unsigned i = 0; i < 3; i++) {
        expect_checks(&world, LAZ_CHECKS_PASS, "live has three");
        answer(&world, 2, "no answer");
    }
    expect_checks(&world, LAZ_CHECKS_FAIL, "live");
    hear(&world, LAZ_PHASE_LB_GRACE);
    expect_checks(&world, LAZ_CHECKS_UNKNOWN, "what is stopped is not judged");
}

Test(health_state, a_change_of_what_checks_say_is_one)
{
    static const struct laz_health_check checks[] = {{.name = "web", .list = LAZ_HEALTH_READY}};
    static struct world world;
    world = world_of(checks, 1);
    begin(&world);
    world.status.n_items = 1;
    world.status.items[0].state = LAZ_CONTROL_STALE;
    hear(&world, LAZ_PHASE_RUNNING);
    answer(&world, 0, NULL);
    struct laz_health_watch *web = &world.health.watches[0];
    for (unsigned i = 0; i < 2; i++) {
        laz_health_watch_begin(web, world.now.ns);
        laz_health_watch_end(web, world.now.ns, "500");
        cr_expect_eq(laz_health_judge(&world.health, &world.now), i == 1);
    }
    expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", "stale");
}

Test(health_state, a_successor_that_has_asked_too_little_knows_nothing_of_checks)
{
    static const struct laz_health_check checks[] = {
            {.name = "web", .list = LAZ_HEALTH_READY},
            {.name = "app", .list = LAZ_HEALTH_LIVE},
    };
    static struct world world;
    world = world_of(checks, 2);
    world.config.ready_rise = 2;
    begin(&world);
    world.status.has_started = true;
    hear(&world, LAZ_PHASE_RUNNING);
    expect_checks(&world, LAZ_CHECKS_UNKNOWN, "nothing was asked");
    answer(&world, 0, NULL);
    expect_checks(&world, LAZ_CHECKS_UNKNOWN, "not up yet, and it has not failed");
    answer(&world, 0, NULL);
    expect_checks(&world, LAZ_CHECKS_UNKNOWN, "live is up until it fails, and nobody has asked");
    answer(&world, 1, NULL);
    expect_checks(&world, LAZ_CHECKS_PASS, "all are known");
    world = world_of(NULL, 0);
    begin(&world);
    hear(&world, LAZ_PHASE_RUNNING);
    expect_checks(&world, LAZ_CHECKS_UNKNOWN, "there is none");
}

Test(health_state, what_ship_said_long_ago_is_not_known)
{
    static const struct laz_health_gauges good = {.is_known = true,
            .has_spool = true,
            .spool_used = 1,
            .spool_limit = 1000,
            .n_sinks = 1,
            .sinks = {{.name = "trail", .is_up = true}},
            .ecs_length = 2,
            .ecs = "{}"};
    static struct world world;
    for (unsigned i = 0; i < 2; i++) {
        world = world_of(NULL, 0);
        world.config.n_sinks = i == 0 ? 1 : 0;
        world.config.sinks[0] = "trail";
        world.config.spool_percent = i == 0 ? 0 : 95;
        begin(&world);
        world.health.gauges = good;
        world.health.gauges_ns = world.now.ns;
        hear(&world, LAZ_PHASE_RUNNING);
        cr_expect_eq(laz_health_next(&world.health, world.now.ns), world.now.ns + 30 * S);
        world.now.ns += 30 * S - 1;
        (void)laz_health_judge(&world.health, &world.now);
        expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
        world.now.ns += 1;
        cr_expect(laz_health_judge(&world.health, &world.now));
        expect(&world, LAZ_HEALTH_IS_NOT_READY, "l-s", i == 0 ? "sink" : "spool");
        cr_expect_eq(world.health.gauges.ecs_length, 2, "what the task is does not age");
        cr_expect_eq(laz_health_next(&world.health, world.now.ns), UINT64_MAX);
        world.health.gauges = good;
        world.health.gauges_ns = world.now.ns;
        hear(&world, LAZ_PHASE_RUNNING);
        expect(&world, LAZ_HEALTH_IS_READY, "lrs", "");
    }
}

Test(health_watch, has_its_times)
{
    const struct laz_health_check check = {
            .name = "http", .list = LAZ_HEALTH_READY, .every_ms = 5000, .timeout_ms = 2000};
    const struct laz_health_config config = {.ready_rise = 1, .ready_fall = 1};
    struct laz_health_watch watch;
    laz_health_watch_init(&watch, &check, &config);
    cr_expect(laz_health_watch_is_due(&watch, 7 * S));
    laz_health_watch_begin(&watch, 7 * S);
    cr_expect(!laz_health_watch_is_due(&watch, 70 * S), "one at a time");
    cr_expect_eq(laz_health_watch_next(&watch), 9 * S);
    cr_expect(!laz_health_watch_is_overdue(&watch, 9 * S - 1));
    cr_expect(laz_health_watch_is_overdue(&watch, 9 * S));
    laz_health_watch_end(&watch, 9 * S, "no answer");
    cr_expect_eq(watch.last_ms, 2000);
    cr_expect_eq(laz_health_watch_next(&watch), 12 * S);
    cr_expect(!laz_health_watch_is_due(&watch, 12 * S - 1));
    cr_expect(laz_health_watch_is_due(&watch, 12 * S));
}
