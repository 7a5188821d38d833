/* SPDX-License-Identifier: Apache-2.0
 *
 * What PID 1 takes from `health` and what it does not, without it; and what it makes of the two
 * words that it acts on.
 */
#include "init/pid1/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/deadline.h"
#include "core/fd.h"
#include "init/pid1/step.h"

#define START UINT64_C(1000000000000)

static struct laz_image image = {
        .name = "portal", .watches = true, .n_commands = 2, .health = (const uint8_t *)""};
static struct laz_watch watch;
static char memory[1024];
static struct laz_buf message;
static struct laz_err err;
static int theirs, launch;

/* Without the sockets: their folders are the machine's. */
static void begin(void)
{
    int pair[2];
    watch = (struct laz_watch){.image = &image, .sockets = {-1, -1, -1}};
    laz_helper_init(&watch.helper, LAZ_ROLE_HEALTH, LAZ_E_HEALTH);
    watch.helper.watch = &watch;
    cr_assert_eq(laz_chan_pair(pair, &err), 0);
    watch.helper.chan = pair[0];
    theirs = pair[1];
    cr_assert_eq(laz_chan_pair(pair, &err), 0);
    launch = pair[0];
    laz_buf_init_fixed(&message, memory, sizeof(memory));
}

TestSuite(watch, .init = begin);

static int tell(enum laz_message_type type, int fd)
{
    struct laz_message told = {.type = type,
            .fields = (const uint8_t *)message.data,
            .length = message.len,
            .n_fds = fd >= 0,
            .fds = {fd}};
    err = (struct laz_err){0};
    return laz_watch_told(&watch, &told, START, &err);
}

static int tell_number(enum laz_message_type type, uint32_t number)
{
    message.len = 0;
    laz_message_u32(&message, number);
    return tell(type, -1);
}

static uint8_t checks; /* what they say in the next verdict */

static int tell_verdict(bool is_live, const char *state, const char *why)
{
    message.len = 0;
    laz_message_u8(&message, is_live);
    laz_message_u8(&message, 0);
    laz_message_u8(&message, 1);
    laz_message_u8(&message, checks);
    laz_message_string(&message, state);
    laz_message_string(&message, why);
    return tell(LAZ_MESSAGE_VERDICT, -1);
}

/* What health has got: the type of the next message, its number, and what follows. */
static void expect(enum laz_message_type type, uint32_t number, int32_t more)
{
    static uint8_t got_memory[LAZ_MESSAGE_MAX];
    struct laz_message got;
    struct laz_fields fields;
    cr_assert_eq(laz_chan_receive(theirs, (struct laz_route){LAZ_ROLE_INIT, LAZ_ROLE_HEALTH},
                         got_memory, sizeof(got_memory), &got, &err),
            LAZ_CHAN_MESSAGE);
    laz_fields_begin(&fields, &got);
    cr_expect_eq(got.type, type);
    cr_expect_eq(laz_fields_u32(&fields), number);
    cr_expect_eq((int32_t)laz_fields_u32(&fields), more);
}

/* What a successor is told before BEGIN: how often, and the last of them. */
static unsigned gauged(uint64_t now_ns, uint32_t *ret_age_ms, char *ret, size_t size)
{
    static uint8_t got_memory[LAZ_MESSAGE_MAX];
    struct laz_message got = {.type = LAZ_MESSAGE_CONFIG};
    unsigned n = 0;
    cr_assert(laz_watch_tell(&watch, NULL, now_ns));
    while (got.type != LAZ_MESSAGE_BEGIN) {
        struct laz_fields fields;
        cr_assert_eq(laz_chan_receive(theirs, (struct laz_route){LAZ_ROLE_INIT, LAZ_ROLE_HEALTH},
                             got_memory, sizeof(got_memory), &got, &err),
                LAZ_CHAN_MESSAGE);
        if (got.type == LAZ_MESSAGE_GAUGED) {
            laz_fields_begin(&fields, &got);
            *ret_age_ms = laz_fields_u32(&fields);
            (void)snprintf(ret, size, "%s", laz_fields_string(&fields));
            cr_expect(laz_fields_done(&fields));
            n++;
        }
    }
    return n;
}

static void relay(const char *text, uint64_t now_ns)
{
    const struct laz_message gauges = {.type = LAZ_MESSAGE_GAUGES,
            .fields = (const uint8_t *)text,
            .length = strlen(text) + 1};
    laz_watch_relay(&watch, &gauges, now_ns);
}

Test(watch, a_successor_is_told_what_ship_said_last_and_how_old_that_is)
{
    char text[64] = "";
    uint32_t age_ms = 0;
    cr_expect_eq(gauged(START, &age_ms, text, sizeof(text)), 0, "nobody has spoken yet");
    int chan = watch.helper.chan;
    watch.helper.chan = -1; /* it is being started again */
    relay("first", START);
    relay("{\"logs\":[]}", START + 1000 * LAZ_NS_PER_MS);
    watch.helper.chan = chan;
    cr_expect_eq(gauged(START + 3500 * LAZ_NS_PER_MS, &age_ms, text, sizeof(text)), 1);
    cr_expect_str_eq(text, "{\"logs\":[]}");
    cr_expect_eq(age_ms, 2500);
}

Test(watch, keeps_the_last_verdict_and_counts_the_others)
{
    cr_assert_eq(tell_verdict(true, "warming", "check:port"), 0);
    cr_assert_eq(tell_verdict(false, "not-live\n", "check:\033[31mhttp"), 0);
    cr_expect(watch.has_verdict && watch.missed == 1);
    cr_expect_not(watch.verdict.is_live);
    cr_expect_str_eq(watch.verdict.state, "not-live?", "printable");
    cr_expect_str_eq(watch.verdict.why, "check:?[31mhttp");
    message.len--;
    cr_expect_eq(tell(LAZ_MESSAGE_VERDICT, -1), -1, "half of one");
    cr_expect_eq(err.kind, LAZ_E_HEALTH);
    cr_expect_str_eq(err.message, "lazaret-helper health sent half a message");
}

Test(watch, keeps_what_checks_say_and_writes_no_record_of_that_alone)
{
    cr_assert_eq(tell_verdict(true, "ready", ""), 0);
    watch.has_verdict = false; /* it is written down */
    checks = LAZ_CHECKS_FAIL;
    cr_assert_eq(tell_verdict(true, "ready", ""), 0);
    cr_expect_eq(watch.verdict.checks, LAZ_CHECKS_FAIL);
    cr_expect(!watch.has_verdict && watch.missed == 0);
    cr_assert_eq(tell_verdict(true, "not-ready", "check:port"), 0);
    cr_expect(watch.has_verdict, "but of another word");
    checks = LAZ_CHECKS_COUNT;
    cr_expect_eq(tell_verdict(true, "ready", ""), -1);
    cr_expect_eq(err.kind, LAZ_E_HEALTH);
    cr_expect_str_eq(err.message, "lazaret-helper health sent what checks cannot say");
    cr_expect_eq(watch.verdict.checks, LAZ_CHECKS_FAIL, "and that is not believed");
    cr_assert(laz_watch_tell(&watch, NULL, START));
    cr_expect_eq(watch.verdict.checks, LAZ_CHECKS_UNKNOWN, "of a new one nothing is known");
}

Test(watch, hears_no_more_than_it_can_have_to_say)
{
    message.len = 0;
    for (unsigned i = 0; i < LAZ_WATCH_WORDS_MAX; i++) {
        cr_assert_eq(tell(LAZ_MESSAGE_ASK, -1), 0);
    }
    cr_expect(watch.wants_status);
    cr_expect_eq(tell(LAZ_MESSAGE_ASK, -1), -1);
    cr_expect_str_eq(err.message, "lazaret-helper health sent more than it can have to say");
}

Test(watch, keeps_its_port_once_and_only_what_listens)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    for (unsigned i = 0; i < 3; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_eq(bind(fd, (const struct sockaddr *)&any, sizeof(sa_family_t)), 0);
        cr_assert(i == 0 || listen(fd, 1) == 0);
        message.len = 0;
        laz_message_u32(&message, LAZ_HEALTH_SOCKET_TCP);
        cr_expect_eq(tell(LAZ_MESSAGE_LISTENER, fd), i == 1 ? 0 : -1, "%u", i);
        cr_expect_eq(fcntl(fd, F_GETFD) >= 0, i == 1, "what is not kept is closed");
    }
    cr_expect_geq(watch.sockets[LAZ_HEALTH_SOCKET_TCP], 0);
}

Test(watch, runs_a_command_once_at_a_time_and_says_how_it_ended)
{
    const struct laz_reaped none[LAZ_REAPED_MAX] = {{0}};
    cr_expect_eq(tell_number(LAZ_MESSAGE_CHECK, 2), -1, "there are two");
    cr_assert_eq(tell_number(LAZ_MESSAGE_CHECK, 1), 0);
    laz_watch_run(&watch, launch, true);
    cr_expect(laz_watch_is_starting(&watch));
    cr_assert_eq(tell_number(LAZ_MESSAGE_CHECK, 1), 0);
    laz_watch_run(&watch, launch, true);
    expect(LAZ_MESSAGE_CHECKED, 1, -EBUSY);
    pid_t pid = fork();
    if (pid == 0) {
        (void)setpgid(0, 0);
        (void)pause();
        _exit(0);
    }
    message.len = 0;
    laz_message_u32(&message, 1);
    laz_message_u32(&message, (uint32_t)pid);
    const struct laz_message runs = {.type = LAZ_MESSAGE_RUNS,
            .fields = (const uint8_t *)message.data,
            .length = message.len};
    laz_watch_runs(&watch, &runs);
    laz_watch_look(&watch, none);
    cr_expect_eq(watch.checks[1].pid, pid);
    cr_assert_eq(tell_number(LAZ_MESSAGE_CANCEL, 1), 0);
    laz_watch_run(&watch, launch, true); /* it is killed: or this waits for ever */
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(laz_watch_ended(&watch, pid, status));
    expect(LAZ_MESSAGE_CHECKED, 1, SIGKILL);
    cr_expect_not(laz_watch_ended(&watch, pid, status), "it is not there any more");
}

Test(watch, says_how_a_command_ended_that_was_reaped_before_it_was_known)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(3);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    const struct laz_reaped reaped[LAZ_REAPED_MAX] = {{.pid = pid, .status = status}};
    cr_assert_eq(tell_number(LAZ_MESSAGE_CHECK, 0), 0);
    laz_watch_run(&watch, launch, true);
    message.len = 0;
    laz_message_u32(&message, 0);
    laz_message_u32(&message, (uint32_t)pid);
    const struct laz_message runs = {.type = LAZ_MESSAGE_RUNS,
            .fields = (const uint8_t *)message.data,
            .length = message.len};
    laz_watch_runs(&watch, &runs);
    laz_watch_look(&watch, reaped);
    expect(LAZ_MESSAGE_CHECKED, 0, 3 << 8);
    cr_expect_not(laz_watch_is_starting(&watch));
}

/* Its number comes while it is being reaped: who reaps it knows how it ended. */
Test(watch, ends_the_group_of_a_command_that_is_known_only_while_it_is_reaped_and_says_how_it_ended)
{
    const struct laz_reaped none[LAZ_REAPED_MAX] = {{0}};
    const pid_t gone = fork();
    if (gone == 0) {
        (void)setpgid(0, 0);
        _exit(7);
    }
    (void)setpgid(gone, gone);
    pid_t left = fork();
    if (left == 0) {
        (void)pause();
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(setpgid(left, gone), 0);
    cr_assert_eq(waitpid(gone, &status, 0), gone);
    cr_assert_eq(tell_number(LAZ_MESSAGE_CHECK, 0), 0);
    laz_watch_run(&watch, launch, true);
    message.len = 0;
    laz_message_u32(&message, 0);
    laz_message_u32(&message, (uint32_t)gone);
    const struct laz_message runs = {.type = LAZ_MESSAGE_RUNS,
            .fields = (const uint8_t *)message.data,
            .length = message.len};
    laz_watch_runs(&watch, &runs);
    cr_expect(laz_watch_ended(&watch, gone, status));
    cr_assert_eq(waitpid(left, &status, 0), left); /* for ever, if it was not killed with it */
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    laz_watch_look(&watch, none);
    expect(LAZ_MESSAGE_CHECKED, 0, 7 << 8);
}

Test(watch, starts_no_command_where_the_workload_is_not_or_launch_has_gone)
{
    cr_assert_eq(tell_number(LAZ_MESSAGE_CHECK, 0), 0);
    laz_watch_run(&watch, launch, false);
    expect(LAZ_MESSAGE_CHECKED, 0, -ECHILD);
    cr_assert_eq(tell_number(LAZ_MESSAGE_CHECK, 0), 0);
    laz_watch_run(&watch, -1, true);
    expect(LAZ_MESSAGE_CHECKED, 0, -ECHILD);
    cr_assert_eq(tell_number(LAZ_MESSAGE_CHECK, 0), 0);
    laz_watch_run(&watch, launch, true);
    laz_watch_lose_launch(&watch);
    expect(LAZ_MESSAGE_CHECKED, 0, -ECHILD);
}

/* ---- its two words ---- */

static struct laz_image policy;
static struct laz_state state;
static struct laz_actions actions;

static void step(enum laz_event_type type, int number)
{
    const struct laz_event event = {.type = type, .signal = {.number = number, .is_trusted = true}};
    laz_step(&state, &policy, &event, START, &actions);
}

static void run(void)
{
    policy.signal_stop = LAZ_SIGNAL_BIT(SIGTERM);
    policy.signal_map[SIGTERM] = SIGTERM;
    policy.grace_ms = 1000;
    policy.lb_grace_ms = 5000;
    step(LAZ_EVENT_FORKED, 0);
    step(LAZ_EVENT_STARTED, 0);
}

#define MS UINT64_C(1000000)

static bool says(bool *said, bool overdue, uint64_t since_ns, uint64_t now_ns)
{
    *said = true;
    bool is_believed = overdue ? laz_watch_is_overdue(&watch, since_ns, now_ns)
                               : laz_watch_is_drained(&watch, since_ns, now_ns);
    cr_expect_not(*said, "it is taken away");
    return is_believed;
}

static void check_dropped(const char *when)
{
    cr_expect_eq(watch.helper.chan, -1, "%s", when);
    cr_expect_str_eq(
            watch.helper.err.message, "lazaret-helper health sent what cannot be true yet");
    begin();
}

Test(watch, drained_is_believed_when_the_least_time_is_over_and_dropped_before)
{
    image.lb_least_ms = 3000;
    cr_expect_not(laz_watch_is_drained(&watch, START, START + 3000 * MS), "it has not said so");
    cr_expect(watch.helper.chan >= 0);
    cr_expect(says(&watch.is_drained, false, START, START + 3000 * MS));
    cr_expect(watch.helper.chan >= 0);
    cr_expect_not(says(&watch.is_drained, false, START, START + 3000 * MS - 1));
    check_dropped("a moment too early");
    cr_expect_not(says(&watch.is_drained, false, 0, START));
    check_dropped("nobody has asked for the end");
}

Test(watch, overdue_is_believed_after_the_deadline_if_start_up_is_not_over)
{
    image.startup_deadline_ms = 1000;
    cr_expect_not(laz_watch_is_overdue(&watch, START, START + 1000 * MS), "it has not said so");
    cr_expect(says(&watch.is_overdue, true, START, START + 1000 * MS));
    cr_expect(watch.helper.chan >= 0);
    cr_expect_not(says(&watch.is_overdue, true, START, START + 1000 * MS - 1));
    check_dropped("a moment too early");
    cr_expect_not(says(&watch.is_overdue, true, 0, START));
    check_dropped("the workload does not run");
    watch.has_started = true;
    cr_expect_not(says(&watch.is_overdue, true, START, START + 1000 * MS));
    check_dropped("start-up is over");
    image.startup_deadline_ms = 0;
    cr_expect_not(says(&watch.is_overdue, true, START, START + 1000 * MS));
    check_dropped("there are no start-up checks");
}

Test(watch, drained_ends_the_time_for_the_load_balancer_and_nothing_else)
{
    run();
    step(LAZ_EVENT_DRAINED, 0);
    cr_expect_eq(state.phase, LAZ_PHASE_RUNNING, "nobody has asked for the end");
    step(LAZ_EVENT_SIGNAL, SIGTERM);
    cr_assert_eq(state.phase, LAZ_PHASE_LB_GRACE);
    step(LAZ_EVENT_DRAINED, 0);
    cr_expect_eq(state.phase, LAZ_PHASE_STOPPING);
    cr_expect_eq(state.deadline_ns, START + UINT64_C(1000000000), "it has its grace");
    step(LAZ_EVENT_DRAINED, 0);
    cr_expect_eq(state.phase, LAZ_PHASE_STOPPING);
    cr_expect_eq(actions.n, 0);
}

Test(watch, overdue_stops_as_a_stop_signal_would_with_107_and_not_who_is_stopped_already)
{
    run();
    step(LAZ_EVENT_START_OVERDUE, 0);
    cr_expect_eq(state.phase, LAZ_PHASE_STOPPING);
    cr_expect_eq(state.forced_code, 107);
    state = (struct laz_state){0};
    run();
    step(LAZ_EVENT_SIGNAL, SIGTERM);
    step(LAZ_EVENT_START_OVERDUE, 0);
    cr_expect_eq(state.phase, LAZ_PHASE_LB_GRACE);
    cr_expect_eq(state.forced_code, 0);
}
