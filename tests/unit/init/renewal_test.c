/* SPDX-License-Identifier: Apache-2.0
 *
 * What PID 1 does about renewal around the plan, with a clock of the test's own and nobody at the
 * other ends: who is waited for and how long, what ends a run, and who gets the signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/deadline.h"
#include "init/pid1/pid1.h"

#define S     (1000 * LAZ_NS_PER_MS)
#define START (1000 * S)
#define LOOKS 8 /* that it takes to believe that a signal is waited for */

static const uint8_t one_file[] = "\0\0\0\1one";
static struct laz_pid1 pid1;
static struct laz_secrets *secrets = &pid1.helpers.secrets;
static uint64_t now;
static int launch; /* its end of the channel */
static int ship;   /* likewise */
static bool may_happen;
static unsigned n_events;

/* What pid1.c has. */
void laz_pid1_event(struct laz_pid1 *of, const struct laz_event *event, uint64_t now_ns)
{
    (void)of;
    (void)now_ns;
    cr_assert(may_happen, "event %d", (int)event->type);
    n_events++;
}

static int memory(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

static void take_over(int pair[2], int *ret_ours, int *ret_theirs)
{
    struct laz_err err = {0};
    cr_assert_eq(laz_chan_pair(pair, &err), 0, "%s", err.message);
    *ret_ours = pair[0];
    *ret_theirs = pair[1];
}

/* One that runs, with one secret, that is a file and sends HUP when it is another one. */
static void begin(void)
{
    int pair[2];
    struct laz_image *image = &pid1.image;
    *image = (struct laz_image){.fetches = true,
            .fetch_wait_ms = 60000,
            .secrets_dir = "/run/secrets",
            .fetched = {.n = 1, .first = "one"},
            .refresh_ms = 100000,
            .refresh_least_ms = 5000,
            .stale_ms = 600000,
            .stale_then = LAZ_STALE_NOT_READY,
            .retire_ms = 30000,
            .renewals = (const uint8_t *)"\1\1\0",
            .n_deliveries = 1,
            .deliveries = one_file};
    now = START;
    pid1.state.phase = LAZ_PHASE_RUNNING;
    pid1.trail = (struct laz_trail){.fd = memory("trail"), .main_exe = "/app", .ctr = ""};
    pid1.workload.pid = INT32_MAX; /* nobody has it */
    pid1.helpers.image = image;
    take_over(pair, &pid1.helpers.launcher_chan, &launch);
    laz_helper_init(&pid1.helpers.ship, LAZ_ROLE_SHIP, LAZ_E_AUDIT);
    take_over(pair, &pid1.helpers.ship.chan, &ship);
    pid1.helpers.ship.knows_masks = true;
    pid1.helpers.shipping.image = image;
    laz_helper_init(&pid1.helpers.fetch, LAZ_ROLE_FETCH, LAZ_E_SECRET);
    secrets->image = image;
    secrets->folder = memory("folder");
    secrets->generation = secrets->current = 1;
    secrets->phase = LAZ_SECRETS_THERE;
    struct laz_secret_item *item = &secrets->items[0];
    item->value = memory("value");
    item->fresh = item->fresh_masks = -1;
    for (unsigned i = 0; i <= LAZ_IMAGE_FETCHED_MAX; i++) {
        secrets->inherited[i] = -1;
    }
    for (unsigned i = 0; i < LAZ_MASKS_KEPT; i++) {
        item->masks[i] = -1;
    }
    item->now = (struct laz_secret_seen){
            .is_known = true, .outcome = LAZ_OUTCOME_FETCHED, .fingerprint = "00"};
}

TestSuite(renewal, .init = begin);

static void turn_at(uint64_t when)
{
    now = when;
    laz_pid1_turn_renewal(&pid1, now);
}

/* How many records say that, and this too. */
static unsigned count(const char *ev, const char *also)
{
    static char text[65536];
    unsigned n = 0;
    ssize_t length = pread(pid1.trail.fd, text, sizeof(text) - 1, 0);
    cr_assert_geq(length, 0);
    text[length] = '\0';
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        n += strstr(line, ev) != NULL && strstr(line, also) != NULL;
    }
    return n;
}

/* What fetch has brought, when it is due. */
static void bring(const char *fingerprint, uint64_t expires)
{
    struct laz_secret_item *item = &secrets->items[0];
    uint64_t due_ns = secrets->rotation.items[0].due_ns;
    cr_assert_eq(secrets->phase, LAZ_SECRETS_THERE);
    now = due_ns > now ? due_ns : now;
    uint32_t wanted = laz_rotation_take(&secrets->rotation, now);
    cr_assert_eq(wanted, 1);
    laz_secrets_forget(secrets, wanted);
    item->said = (struct laz_secret_seen){
            .is_known = true, .outcome = LAZ_OUTCOME_FETCHED, .expires = expires};
    (void)stpncpy(item->said.fingerprint, fingerprint, sizeof(item->said.fingerprint) - 1);
    item->fresh = memory("fresh");
    item->fresh_masks = memory("masks");
    secrets->is_done = true;
    secrets->phase = LAZ_SECRETS_REFETCHED;
    turn_at(now);
}

/* Launch has this before it, and answers. */
static void answer(enum laz_message_type wanted, int32_t result)
{
    uint8_t bytes[512];
    char memory_of[256];
    struct laz_message got;
    struct laz_buf message;
    struct laz_err err = {0};
    cr_assert_eq(laz_chan_receive(launch, (struct laz_route){LAZ_ROLE_INIT, LAZ_ROLE_LAUNCH}, bytes,
                         sizeof(bytes), &got, &err),
            LAZ_CHAN_MESSAGE, "%s", err.message);
    cr_assert_eq(got.type, wanted, "%d", (int)got.type);
    laz_buf_init_fixed(&message, memory_of, sizeof(memory_of));
    laz_message_u32(&message, 0);
    laz_message_u32(&message, (uint32_t)result);
    laz_message_string(&message, result < 0 ? "remove it" : "");
    const struct laz_message told = {.type = LAZ_MESSAGE_DELIVERED,
            .fields = (const uint8_t *)message.data,
            .length = message.len};
    laz_secrets_delivered(secrets, &told);
    turn_at(now);
}

static void deliver_all(void)
{
    pid1.helpers.ship.n_hiding = 0;
    turn_at(now);
    answer(LAZ_MESSAGE_FOLDER, 0);
    answer(LAZ_MESSAGE_PUT, 0);
    answer(LAZ_MESSAGE_SWAP, 0);
}

/* ---- who is waited for ---- */

Test(renewal, waits_half_a_minute_for_the_logs_to_hide_what_is_new)
{
    laz_pid1_begin_renewal(&pid1, now);
    bring("11", 0);
    cr_assert_eq(secrets->phase, LAZ_SECRETS_REHIDING);
    turn_at(now + 30 * S - 1);
    cr_assert_eq(secrets->phase, LAZ_SECRETS_REHIDING);
    turn_at(now + 1);
    cr_assert_eq(secrets->phase, LAZ_SECRETS_THERE, "it is given up");
    cr_expect_eq(laz_rotation_at(&secrets->rotation, 0)->failures, 1);
    cr_expect_eq(count("secret.rotate", "does not say that the logs hide what is new"), 1);
    cr_expect_eq(secrets->n_old, 0, "nothing was begun");
    bring("11", 0);
    deliver_all();
    cr_expect_eq(secrets->phase, LAZ_SECRETS_THERE);
    cr_expect_eq(count("secret.rotate", "rotated"), 1, "and tried again");
    cr_expect_str_eq(secrets->items[0].now.fingerprint, "11");
}

Test(renewal, waits_half_a_minute_for_the_files_and_removes_what_was_begun_when_it_can)
{
    laz_pid1_begin_renewal(&pid1, now);
    bring("11", 0);
    pid1.helpers.ship.n_hiding = 0;
    turn_at(now);
    cr_assert_eq(secrets->phase, LAZ_SECRETS_REDELIVERING);
    turn_at(now + 30 * S);
    cr_assert_eq(secrets->phase, LAZ_SECRETS_THERE);
    cr_expect_eq(count("secret.rotate", "the process that delivers does not answer"), 1);
    cr_expect(secrets->n_old == 1 && secrets->old[0].number == 2);
    cr_expect_gt(laz_pid1_renewal_due_ns(&pid1, now), now, "PID 1 sleeps meanwhile");
    turn_at(now);
    cr_assert_eq(secrets->phase, LAZ_SECRETS_THERE, "two orders at a time are none");
    answer(LAZ_MESSAGE_FOLDER, -ENOSPC);
    cr_expect_eq(count("secret.rotate", "No space"), 0, "too late to count");
    cr_assert_eq(secrets->phase, LAZ_SECRETS_RETIRING);
    cr_expect_eq(secrets->retiring, 2);
    answer(LAZ_MESSAGE_RETIRE, 0);
    cr_expect(secrets->phase == LAZ_SECRETS_THERE && secrets->n_old == 0);
}

Test(renewal, what_cannot_be_removed_is_told_and_tried_again)
{
    laz_pid1_begin_renewal(&pid1, now);
    bring("11", 0);
    deliver_all();
    cr_assert_eq(secrets->n_old, 1);
    turn_at(now + 30 * S);
    answer(LAZ_MESSAGE_RETIRE, -EBUSY);
    cr_expect_eq(count("secret.retire", "remove it: Device or resource busy"), 1);
    cr_expect_eq(count("secret.retire", "generation 1"), 1);
    cr_expect(secrets->phase == LAZ_SECRETS_THERE && secrets->n_old == 1);
    cr_expect_eq(secrets->old[0].until_ns, now + 600 * S);
    bring("22", 0);
    deliver_all();
    turn_at(now + 30 * S);
    answer(LAZ_MESSAGE_RETIRE, 0);
    cr_expect(secrets->n_old == 1 && secrets->old[0].number == 1, "the younger one need not wait");
    turn_at(secrets->old[0].until_ns);
    cr_assert_eq(secrets->phase, LAZ_SECRETS_RETIRING);
    turn_at(now + 30 * S);
    cr_expect_eq(count("secret.retire", "does not answer"), 1);
    cr_expect_neq(secrets->phase, LAZ_SECRETS_RETIRING, "nor is that waited for");
}

/* ---- the end of the run ---- */

/* It comes behind so many answers, and this one behind it. */
static void stop_after(unsigned n_answers, enum laz_message_type wanted, int32_t result)
{
    static const enum laz_message_type orders[] = {LAZ_MESSAGE_FOLDER, LAZ_MESSAGE_PUT};
    laz_pid1_begin_renewal(&pid1, now);
    bring("11", 0);
    pid1.helpers.ship.n_hiding = 0;
    turn_at(now);
    for (unsigned i = 0; i < n_answers; i++) {
        answer(orders[i], 0);
    }
    pid1.state.phase = LAZ_PHASE_STOPPING;
    turn_at(now);
    answer(wanted, result);
    laz_secrets_deliver(secrets, pid1.helpers.launcher_chan); /* as PID 1 does between turns */
    turn_at(now);
}

Test(renewal, a_stop_ends_a_delivery_whose_values_nobody_sees_yet)
{
    stop_after(1, LAZ_MESSAGE_PUT, 0);
    cr_expect(secrets->phase == LAZ_SECRETS_OVER && secrets->n_ordered == 0, "no more is ordered");
    cr_expect_str_eq(secrets->items[0].now.fingerprint, "00");
    cr_expect_eq(count("\"secret.rotate\"", ""), 0);
}

Test(renewal, what_the_workload_sees_in_spite_of_a_stop_is_told)
{
    stop_after(2, LAZ_MESSAGE_SWAP, 0);
    cr_expect(secrets->phase == LAZ_SECRETS_THERE && secrets->current == 2);
    cr_expect_str_eq(secrets->items[0].now.fingerprint, "11");
    cr_expect_eq(count("\"secret.rotate\"", "\"rotated\""), 1);
}

Test(renewal, what_a_stop_finds_on_its_way_and_is_refused_is_told)
{
    stop_after(2, LAZ_MESSAGE_SWAP, -EIO);
    cr_expect_str_eq(secrets->items[0].now.fingerprint, "00");
    cr_expect_eq(count("\"secret.rotate\"", "remove it: Input/output error"), 1);
}

/* ---- what has expired ---- */

static void expire(enum laz_stale_then then)
{
    pid1.image.stale_then = then;
    secrets->items[0].now.expires = (uint64_t)time(NULL) - 5;
    laz_pid1_begin_renewal(&pid1, now);
    turn_at(now);
}

Test(renewal, what_has_expired_is_not_ready_and_ends_no_run)
{
    expire(LAZ_STALE_STOP); /* an event would fail the test */
    cr_expect_eq(count("secret.expired", "one"), 1);
    cr_expect_eq(count("ready.off", "expired"), 1);
    secrets->rotation.items[0].expires += 3600; /* as if the clock were set back by an hour */
    cr_assert_eq(laz_pid1_renewal_due_ns(&pid1, now), now + 60 * S);
    turn_at(now + 60 * S - 1);
    cr_expect_eq(count("ready.on", "expired"), 0);
    turn_at(now + 1);
    cr_expect_eq(count("ready.on", "expired"), 1, "and it is looked at each minute");
}

Test(renewal, of_what_has_expired_readiness_does_not_come_and_go)
{
    uint64_t past = (uint64_t)time(NULL) - 5;
    expire(LAZ_STALE_NOT_READY);
    for (unsigned i = 0; i < 3; i++) {
        bring("00", past);
        turn_at(now + S);
    }
    bring("11", past);
    deliver_all();
    turn_at(now + S);
    cr_expect_eq(count("secret.expired", ""), 1);
    cr_expect_eq(count("ready.", ""), 1, "off, and not on");
    bring("11", past + 100000);
    turn_at(now + S);
    cr_expect_eq(count("ready.on", "expired"), 1);
}

Test(renewal, what_was_stale_and_comes_expired_is_not_ready_in_between)
{
    laz_pid1_begin_renewal(&pid1, now);
    turn_at(START + 600 * S);
    if (secrets->phase == LAZ_SECRETS_REFETCHING) {
        laz_rotation_settled(&secrets->rotation);
    }
    cr_assert_eq(count("ready.off", "stale"), 1);
    secrets->phase = LAZ_SECRETS_THERE;
    laz_rotation_failed(&secrets->rotation, 0, now);
    bring("00", (uint64_t)time(NULL) - 5);
    cr_expect_eq(count("secret.expired", ""), 1);
    cr_expect_eq(count("ready.", ""), 1);
}

Test(renewal, what_is_stale_ends_the_run_where_the_policy_says_so)
{
    may_happen = true;
    pid1.image.stale_then = LAZ_STALE_STOP;
    laz_pid1_begin_renewal(&pid1, now);
    turn_at(START + 600 * S);
    cr_expect_eq(n_events, 1);
}

/* ---- what is taken back ---- */

static void say_checks(enum laz_checks checks)
{
    pid1.helpers.watch.verdict.checks = checks;
    turn_at(now + S);
}

/* An identity, with a workload that passes its checks. */
static void begin_watched(void)
{
    pid1.image.renewals = (const uint8_t *)"\1\0\1";
    pid1.image.watches = true;
    pid1.helpers.watch.image = &pid1.image;
    laz_helper_init(&pid1.helpers.watch.helper, LAZ_ROLE_HEALTH, LAZ_E_HEALTH);
    laz_pid1_begin_renewal(&pid1, now);
    say_checks(LAZ_CHECKS_PASS);
}

/* Generations whose time is over go. */
static void rest(void)
{
    while (secrets->phase == LAZ_SECRETS_RETIRING) {
        answer(LAZ_MESSAGE_RETIRE, 0);
    }
    cr_assert_eq(secrets->phase, LAZ_SECRETS_THERE, "%d", (int)secrets->phase);
}

static void renew(const char *fingerprint)
{
    bring(fingerprint, 0);
    deliver_all();
    rest();
    cr_expect_str_eq(secrets->items[0].now.fingerprint, fingerprint);
}

static void expect_back(unsigned times, unsigned failed)
{
    cr_expect_eq(count("\"secret.rollback\"", "\"rolled-back\""), times);
    cr_expect_eq(count("\"secret.rollback\"", "\"failed\""), failed);
    cr_expect_eq(secrets->rollback.phase, LAZ_ROLLBACK_IDLE);
    cr_expect_eq(secrets->kept, 0, "nothing is kept");
}

Test(renewal, what_the_workload_fails_with_is_taken_back_whole_and_told)
{
    begin_watched();
    renew("10");
    renew("11");
    struct laz_secret_item *item = &secrets->items[0];
    int old_masks = item->masks[1];
    int old_value = secrets->before[0].value;
    pid1.image.renewals = (const uint8_t *)"\1\1\1"; /* with a signal from here on */
    say_checks(LAZ_CHECKS_FAIL);
    answer(LAZ_MESSAGE_FOLDER, 0);
    answer(LAZ_MESSAGE_PUT, 0);
    cr_expect_str_eq(item->now.fingerprint, "11", "until all of it is there");
    answer(LAZ_MESSAGE_SWAP, 0);
    cr_expect_str_eq(item->now.fingerprint, "10");
    cr_expect(item->value == old_value && item->masks[0] == old_masks);
    expect_back(1, 0);
    cr_expect_eq(count("\"secret.rollback\"", "\"old_fingerprint\":\"11\""), 1);
    cr_expect_eq(pid1.renewal.signals, LAZ_SIGNAL_BIT(SIGHUP));
    cr_expect_eq(laz_rotation_at(&secrets->rotation, 0)->failures, 1);
    cr_expect_str_eq(secrets->why[0],
            "rolled-back: the workload failed its checks with what its source has");
}

Test(renewal, what_was_taken_back_is_not_taken_again_and_another_one_is)
{
    begin_watched();
    renew("11");
    say_checks(LAZ_CHECKS_FAIL);
    answer(LAZ_MESSAGE_FOLDER, 0);
    answer(LAZ_MESSAGE_PUT, 0);
    answer(LAZ_MESSAGE_SWAP, 0);
    for (unsigned i = 1; i <= 3; i++) {
        say_checks(i == 1 ? LAZ_CHECKS_FAIL : LAZ_CHECKS_PASS);
        rest();
        bring("11", 0);
        cr_expect_eq(laz_rotation_at(&secrets->rotation, 0)->due_ns, now + 100 * S, "interval");
        rest();
        cr_expect_str_eq(secrets->items[0].now.fingerprint, "00");
        cr_expect_eq(count("\"secret.fetch\"", "\"rolled-back: "), i);
    }
    renew("22");
    cr_expect_eq(laz_rotation_at(&secrets->rotation, 0)->failures, 0);
    cr_expect_eq(secrets->rollback.phase, LAZ_ROLLBACK_WATCHING);
    say_checks(LAZ_CHECKS_FAIL);
    answer(LAZ_MESSAGE_FOLDER, 0);
    answer(LAZ_MESSAGE_PUT, 0);
    answer(LAZ_MESSAGE_SWAP, 0);
    expect_back(2, 0);
    cr_expect_str_eq(secrets->items[0].now.fingerprint, "00", "each of them once");
}

Test(renewal, nothing_is_taken_back_that_the_renewal_is_not_to_blame_for)
{
    begin_watched();
    say_checks(LAZ_CHECKS_FAIL);
    renew("11"); /* it failed before */
    say_checks(LAZ_CHECKS_FAIL);
    expect_back(0, 0);
    say_checks(LAZ_CHECKS_PASS);
    renew("22");
    cr_expect_eq(secrets->rollback.phase, LAZ_ROLLBACK_WATCHING);
    cr_expect_eq(laz_pid1_renewal_due_ns(&pid1, now), now + 30 * S);
    turn_at(now + 30 * S); /* and fails much later */
    rest();
    say_checks(LAZ_CHECKS_FAIL);
    expect_back(0, 0);
    say_checks(LAZ_CHECKS_PASS);
    pid1.image.renewals = (const uint8_t *)"\1\0\0"; /* no identity */
    renew("33");
    say_checks(LAZ_CHECKS_FAIL);
    expect_back(0, 0);
    cr_expect_str_eq(secrets->items[0].now.fingerprint, "33");
}

Test(renewal, without_health_nothing_is_taken_back)
{
    begin_watched();
    pid1.image.watches = false;
    renew("11");
    say_checks(LAZ_CHECKS_FAIL);
    expect_back(0, 0);
    cr_expect_str_eq(secrets->items[0].now.fingerprint, "11");
}

Test(renewal, what_is_not_valid_any_more_is_not_gone_back_to)
{
    begin_watched();
    renew("11");
    secrets->before[0].seen.expires = (uint64_t)time(NULL) - 1;
    say_checks(LAZ_CHECKS_FAIL);
    expect_back(0, 1);
    cr_expect_eq(count("\"secret.rollback\"", "what it was is not valid any more"), 1);
    cr_expect_str_eq(secrets->items[0].now.fingerprint, "11");
    cr_expect(secrets->items[0].fresh < 0 && secrets->phase == LAZ_SECRETS_THERE);
}

Test(renewal, without_a_process_that_delivers_nothing_is_taken_back)
{
    begin_watched();
    renew("11");
    (void)close(pid1.helpers.launcher_chan);
    pid1.helpers.launcher_chan = -1;
    laz_secrets_lose_launch(secrets);
    say_checks(LAZ_CHECKS_FAIL);
    expect_back(0, 1);
    cr_expect_eq(count("\"secret.rollback\"", "the process that delivers secrets has ended"), 1);
}

Test(renewal, what_cannot_be_delivered_again_is_told_and_not_tried_again)
{
    begin_watched();
    renew("11");
    say_checks(LAZ_CHECKS_FAIL);
    answer(LAZ_MESSAGE_FOLDER, -ENOSPC);
    expect_back(0, 1);
    cr_expect_eq(count("\"secret.rollback\"", "No space"), 1);
    cr_expect_str_eq(secrets->items[0].now.fingerprint, "11");
    cr_expect_eq(laz_rotation_at(&secrets->rotation, 0)->failures, 0, "its source is well");
    say_checks(LAZ_CHECKS_FAIL);
    expect_back(0, 1);
}

Test(renewal, what_comes_while_it_is_to_go_back_has_to_wait)
{
    begin_watched();
    pid1.image.retire_ms = 300000;
    renew("11");
    struct laz_secret_item *item = &secrets->items[0];
    now = secrets->rotation.items[0].due_ns;
    cr_assert_eq(laz_rotation_take(&secrets->rotation, now), 1);
    laz_secrets_forget(secrets, 1);
    secrets->phase = LAZ_SECRETS_REFETCHING;
    pid1.helpers.fetch.is_starting = true; /* it is at work */
    say_checks(LAZ_CHECKS_FAIL);
    cr_expect_eq(secrets->rollback.phase, LAZ_ROLLBACK_WANTED);
    item->said = item->now;
    (void)stpncpy(item->said.fingerprint, "22", sizeof(item->said.fingerprint) - 1);
    item->fresh = memory("fresh");
    item->fresh_masks = memory("masks");
    secrets->is_done = true;
    secrets->phase = LAZ_SECRETS_REFETCHED;
    turn_at(now);
    answer(LAZ_MESSAGE_FOLDER, 0);
    answer(LAZ_MESSAGE_PUT, 0);
    answer(LAZ_MESSAGE_SWAP, 0);
    expect_back(1, 0);
    cr_expect_str_eq(item->now.fingerprint, "00");
}

/* ---- who gets the signal ---- */

static void on_hup(int number)
{
    (void)number;
}

/* A thread is made with all signals blocked, and only then has its maker's mask. */
static void *wait_without_end(void *is_there)
{
    (void)sem_post(is_there);
    while (pause() < 0) {
    }
    return NULL;
}

/* A workload of this test: it does what a byte says, and says so. */
static struct {
    pid_t pid;
    int orders;
    int answers;
} child;

static void obey(char order)
{
    sigset_t hup;
    pthread_t thread;
    sem_t is_there;
    (void)sigemptyset(&hup);
    (void)sigaddset(&hup, SIGHUP);
    if (order == 'h') {
        const struct sigaction does = {.sa_handler = on_hup, .sa_flags = SA_RESTART};
        (void)sigaction(SIGHUP, &does, NULL);
    } else if (order == 't') {
        cr_assert_eq(sem_init(&is_there, 0, 0), 0);
        cr_assert_eq(pthread_create(&thread, NULL, wait_without_end, &is_there), 0);
        cr_assert_eq(sem_wait(&is_there), 0);
    } else {
        (void)pthread_sigmask(order == 'b' ? SIG_BLOCK : SIG_UNBLOCK, &hup, NULL);
    }
}

static void tell(const char *orders)
{
    for (; *orders != '\0'; orders++) {
        char told = 0;
        cr_assert_eq(write(child.orders, orders, 1), 1);
        cr_assert_eq(read(child.answers, &told, 1), 1, "it has ended");
        cr_assert_eq(told, *orders);
    }
}

static void run_child(void)
{
    int down[2];
    int up[2];
    cr_assert(pipe(down) == 0 && pipe(up) == 0);
    child.pid = fork();
    cr_assert_geq(child.pid, 0);
    if (child.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        const struct sigaction nothing = {.sa_handler = SIG_DFL};
        (void)sigaction(SIGHUP, &nothing, NULL);
        (void)close(down[1]);
        (void)close(up[0]);
        for (char order = 0; read(down[0], &order, 1) == 1;) {
            obey(order);
            if (write(up[1], &order, 1) != 1) {
                break;
            }
        }
        _exit(0);
    }
    (void)close(down[0]);
    (void)close(up[1]);
    child.orders = down[1];
    child.answers = up[0];
    pid1.workload.pid = child.pid;
    laz_pid1_begin_renewal(&pid1, now);
    pid1.renewal.signals = LAZ_SIGNAL_BIT(SIGHUP);
}

static void look(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        turn_at(now + S);
    }
}

static void is_sent(bool yes)
{
    cr_expect_eq(count("secret.signal", "\"sent\""), yes ? 1 : 0);
    cr_expect_eq((pid1.renewal.signals & LAZ_SIGNAL_BIT(SIGHUP)) == 0, yes);
}

Test(renewal, a_handler_gets_the_signal_at_the_first_look)
{
    run_child();
    tell("h");
    look(1);
    is_sent(true);
    tell("u");
}

Test(renewal, whoever_has_no_handler_gets_none_and_lives_on)
{
    run_child();
    tell("u");
    look(3 * LOOKS);
    is_sent(false);
    cr_expect_eq(count("secret.signal", "deferred"), 1, "said once");
    tell("u");
}

Test(renewal, whoever_blocks_it_for_moments_gets_none_and_lives_on)
{
    run_child();
    for (unsigned i = 0; i < 3; i++) {
        tell("b");
        look(LOOKS - 1);
        tell("u");
        look(1);
    }
    is_sent(false);
    tell("u");
}

Test(renewal, whoever_blocks_it_for_good_waits_for_it)
{
    run_child();
    tell("b");
    look(LOOKS - 1);
    is_sent(false);
    look(1);
    is_sent(true);
    tell("b");
    (void)kill(child.pid, SIGKILL);
}

Test(renewal, one_thread_that_does_not_block_it_would_end_all_of_them)
{
    run_child();
    tell("tb");
    look(3 * LOOKS);
    is_sent(false);
    tell("b");
}
