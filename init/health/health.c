/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `health`: takes its orders, makes or takes over the sockets that listen, narrows itself,
 * reads certificates, and then watches, answers and tells until init closes the channel.
 */
#include "init/health/health.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"
#include "init/role/crypto.h"
#include "secret/memory.h"

#define NS_PER_S   UINT64_C(1000000000)
#define NS_PER_MS  UINT64_C(1000000)
#define PRIORITIES 3 /* orders and time come before whoever asks */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t laz_health_clock_ns(void)
{
    return clock_ns(CLOCK_BOOTTIME);
}

static struct laz_health_now now_of(uint64_t *ret_real_ns)
{
    *ret_real_ns = clock_ns(CLOCK_REALTIME);
    return (struct laz_health_now){.ns = laz_health_clock_ns(), .unix_s = *ret_real_ns / NS_PER_S};
}

/* ---- its turn ---- */

static void look_for_end(struct laz_health_role *role, uint64_t now_ns)
{
    char evidence[LAZ_HEALTH_EVIDENCE_MAX];
    bool drains = role->health.has_status && role->health.status.phase == LAZ_PHASE_LB_GRACE;
    if (!drains || role->health.drain.is_over) {
        role->look_ns = UINT64_MAX;
        return;
    }
    if (role->look_ns != UINT64_MAX && now_ns < role->look_ns) {
        return;
    }
    role->look_ns = now_ns + LAZ_HEALTH_LOOK_MS * NS_PER_MS;
    laz_health_read_tables(role, true);
    if (laz_health_drain_look(
                &role->health.drain, &role->config, &role->health.sample, now_ns, evidence)) {
        laz_health_tell_words(role, LAZ_MESSAGE_DRAINED, evidence);
    }
}

static void ask_init(struct laz_health_role *role, uint64_t now_ns)
{
    role->ask_ns = now_ns + LAZ_HEALTH_ASK_MS * NS_PER_MS;
    laz_health_ask(&role->health, now_ns);
    laz_role_say_only(role->ear.chan, LAZ_MESSAGE_ASK);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void set_timer(struct laz_health_role *role, uint64_t now_ns)
{
    uint64_t next = earlier(role->ask_ns, role->look_ns);
    next = earlier(next, laz_health_next(&role->health, now_ns));
    for (uint32_t i = 0; i < role->config.n_checks; i++) {
        const struct laz_health_watch *watch = &role->health.watches[i];
        if (laz_health_asks(&role->health, watch->check->list) || watch->began_ns != 0) {
            next = earlier(next, laz_health_watch_next(watch));
        }
    }
    uint64_t wait_ns = next > now_ns ? next - now_ns : NS_PER_MS;
    const struct timeval wait = {.tv_sec = (time_t)(wait_ns / NS_PER_S),
            .tv_usec = (suseconds_t)(wait_ns % NS_PER_S / 1000)};
    (void)event_add(role->timer, &wait);
}

static void tell_overdue(struct laz_health_role *role, uint64_t now_ns)
{
    const char *late = role->is_overdue ? NULL : laz_health_overdue(&role->health, now_ns);
    if (late != NULL) {
        role->is_overdue = true;
        laz_health_tell_words(role, LAZ_MESSAGE_OVERDUE, late);
    }
}

void laz_health_turn(struct laz_health_role *role)
{
    uint64_t real_ns = 0;
    const struct laz_health_now now = now_of(&real_ns);
    if (!role->works) {
        return;
    }
    if (laz_health_judge(&role->health, &now)) {
        laz_health_tell_verdict(role);
    }
    tell_overdue(role, now.ns);
    laz_health_ask_due(role, now.ns);
    look_for_end(role, now.ns);
    if (now.ns >= role->ask_ns) {
        laz_health_read_tables(role, false);
        ask_init(role, now.ns);
    }
    /* What was just found, a deadline that is over or a table that cannot be read. */
    if (laz_health_judge(&role->health, &now)) {
        laz_health_tell_verdict(role);
    }
    set_timer(role, now.ns);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    laz_health_turn(context);
}

void laz_health_view_now(struct laz_health_role *role, struct laz_health_view *ret)
{
    uint64_t real_ns = 0;
    *ret = (struct laz_health_view){.health = &role->health, .facts = &role->facts};
    ret->now = now_of(&real_ns);
    ret->now_us = (uint32_t)(real_ns % NS_PER_S / 1000);
    if (laz_health_judge(&role->health, &ret->now)) { /* a certificate ends by time alone */
        laz_health_tell_verdict(role);
    }
}

void laz_health_look_around(struct laz_health_role *role, struct laz_health_view *ret)
{
    uint64_t now_ns = laz_health_clock_ns();
    if (role->health.asked_ns == 0 &&
            now_ns - role->health.heard_ns > LAZ_HEALTH_FRESH_MS * NS_PER_MS) {
        ask_init(role, now_ns); /* whoever asks next has the answer */
    }
    if (now_ns - role->read_ns > LAZ_HEALTH_FRESH_MS * NS_PER_MS) {
        role->read_ns = now_ns;
        laz_health_read_tables(role, true);
    }
    laz_health_view_now(role, ret);
}

/* ---- orders ---- */

static int refuse(const char *what, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_INTERNAL, 0, "not understood: %s", what);
}

static void close_all(const struct laz_message *message)
{
    for (size_t i = 0; i < message->n_fds; i++) {
        (void)close(message->fds[i]);
    }
}

static int take_config(
        struct laz_health_role *role, const struct laz_message *message, struct laz_err *err)
{
    uint64_t ignored = 0;
    const struct laz_health_now now = now_of(&ignored);
    if (message->length > sizeof(role->section) || role->has_config) {
        return refuse("CONFIG", err);
    }
    (void)memcpy(role->section, message->fields, message->length);
    if (laz_health_decode(role->section, message->length, &role->config, err) < 0) {
        return -1;
    }
    role->has_config = true;
    laz_health_init(&role->health, &role->config, &now);
    return 0;
}

/* What is shown to others: printable, and no longer than there is room. */
static void keep(char *ret, size_t size, const char *text)
{
    size_t i = 0;
    for (; text[i] != '\0' && i + 1 < size; i++) {
        ret[i] = text[i];
        if (text[i] < ' ' || text[i] > '~') {
            ret[i] = '.';
        }
    }
    ret[i] = '\0';
}

static int take_facts(
        struct laz_health_role *role, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    const char *policy = laz_fields_string(&fields);
    const char *digest = laz_fields_string(&fields);
    (void)laz_fields_string(&fields); /* of the spool */
    if (fields.failed) {
        return refuse("FACTS", err);
    }
    keep(role->policy, sizeof(role->policy), policy);
    keep(role->digest, sizeof(role->digest), digest);
    return 0;
}

static int take_variable(
        struct laz_health_role *role, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    unsigned which = laz_fields_u8(&fields);
    const char *value = laz_fields_string(&fields);
    if (!laz_fields_done(&fields) ||
            (which != LAZ_VARIABLE_COLOR && which != LAZ_VARIABLE_VERSION)) {
        return refuse("VARIABLE", err);
    }
    if (which == LAZ_VARIABLE_COLOR) {
        keep(role->color, sizeof(role->color), value);
    } else {
        keep(role->version, sizeof(role->version), value);
    }
    return 0;
}

static int take_listener(
        struct laz_health_role *role, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint32_t number = laz_fields_u32(&fields);
    if (!laz_fields_done(&fields) || number >= LAZ_HEALTH_SOCKET_COUNT || role->has_begun ||
            role->listeners[number] >= 0) {
        close_all(message);
        return refuse("LISTEN", err);
    }
    role->listeners[number] = message->fds[0];
    role->has_listener = role->has_listener || number == LAZ_HEALTH_SOCKET_TCP;
    return 0;
}

static int take_identity(
        struct laz_health_role *role, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint32_t number = laz_fields_u32(&fields);
    if (!laz_fields_done(&fields) || number != 0 || !role->config.has_identity) {
        close_all(message);
        return refuse("IDENTITY", err);
    }
    laz_fd_close(&role->chain);
    laz_fd_close(&role->key);
    role->chain = message->fds[0];
    role->key = message->fds[1];
    if (role->works) {
        laz_health_renew_tls(role);
    }
    return 0;
}

static int take_status(
        struct laz_health_role *role, const struct laz_message *message, struct laz_err *err)
{
    struct laz_status status;
    if (!laz_status_take(message, &status) || !role->has_config) {
        return refuse("STATUS", err);
    }
    laz_health_hear(&role->health, &status, laz_health_clock_ns());
    laz_health_turn(role);
    return 0;
}

static int take_checked(
        struct laz_health_role *role, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint32_t command = laz_fields_u32(&fields);
    int32_t status = (int32_t)laz_fields_u32(&fields);
    if (!laz_fields_done(&fields) || !role->works) {
        return refuse("CHECKED", err);
    }
    laz_health_take_end(role, command, status);
    return 0;
}

/* Words of ship's, which init has not read: what is none of them is counted, and ends nobody. */
static int take_gauges(
        struct laz_health_role *role, const struct laz_message *message, struct laz_err *err)
{
    struct laz_err ignored = {0};
    struct laz_fields fields;
    (void)err;
    uint64_t now_ns = laz_health_clock_ns();
    laz_fields_begin(&fields, message);
    uint64_t age_ns = laz_fields_u32(&fields) * NS_PER_MS;
    const char *text = laz_fields_string(&fields);
    if (!laz_fields_done(&fields) || age_ns > now_ns ||
            laz_health_gauges_read(text, strlen(text), &role->health.gauges, &ignored) < 0) {
        role->health.bad_gauges++;
        return 0;
    }
    role->health.gauges_ns = now_ns - age_ns;
    laz_health_turn(role);
    return 0;
}

static int take_order(void *context, struct laz_message *message, struct laz_err *err)
{
    static const struct {
        enum laz_message_type type;
        int (*take)(struct laz_health_role *role, const struct laz_message *message,
                struct laz_err *err);
    } orders[] = {{LAZ_MESSAGE_CONFIG, take_config}, {LAZ_MESSAGE_FACTS, take_facts},
            {LAZ_MESSAGE_VARIABLE, take_variable}, {LAZ_MESSAGE_LISTEN, take_listener},
            {LAZ_MESSAGE_IDENTITY, take_identity}, {LAZ_MESSAGE_STATUS, take_status},
            {LAZ_MESSAGE_CHECKED, take_checked}, {LAZ_MESSAGE_GAUGED, take_gauges}};
    struct laz_health_role *role = context;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (orders[i].type == message->type) {
            return orders[i].take(role, message, err);
        }
    }
    close_all(message);
    if (message->type == LAZ_MESSAGE_LEAVE) {
        _exit(0);
    }
    role->has_begun = role->has_begun || message->type == LAZ_MESSAGE_BEGIN;
    return 0;
}

static void on_orders(evutil_socket_t fd, short what, void *context)
{
    struct laz_health_role *role = context;
    (void)fd;
    (void)what;
    if (!laz_role_read_orders(&role->ear)) {
        _exit(0); /* init has gone */
    }
}

/* ---- its life ---- */

/* Init keeps it for who comes after us: nobody else can take the port meanwhile. */
static int hand_over(const struct laz_health_role *role, struct laz_err *err)
{
    const int *listener = &role->listeners[LAZ_HEALTH_SOCKET_TCP];
    char memory[64];
    struct laz_buf message;
    if (*listener < 0 || role->has_listener) {
        return 0;
    }
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_LISTENER);
    laz_message_u32(&message, LAZ_HEALTH_SOCKET_TCP);
    if (!laz_message_end(&message)) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a message does not fit");
    }
    return laz_chan_send(role->ear.chan, &message, listener, 1, err);
}

static int begin_loop(struct laz_health_role *role, struct laz_err *err)
{
    role->orders_event =
            event_new(role->base, role->ear.chan, EV_READ | EV_PERSIST, on_orders, role);
    role->timer = event_new(role->base, -1, 0, on_timer, role);
    if (role->orders_event == NULL || role->timer == NULL ||
            event_priority_set(role->orders_event, 0) != 0 ||
            event_priority_set(role->timer, 0) != 0 || event_add(role->orders_event, NULL) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    return 0;
}

static int begin(struct laz_health_role *role, struct laz_err *err)
{
    if (!role->has_config) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "orders are missing");
    }
    role->facts = (struct laz_health_facts){.policy = role->policy,
            .digest = role->digest,
            .color = role->color,
            .version = role->version,
            .is_pid1 = getppid() == 1};
    role->owner = geteuid();
    if (!laz_secret_lock_keys(LAZ_HEALTH_SEATS)) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for keys");
    }
    tzset(); /* libc looks for its file once, and may not later */
    laz_health_open_tables(role);
    if (laz_health_open_checks(role, err) < 0 || laz_health_listen(role, err) < 0 ||
            hand_over(role, err) < 0 || laz_health_narrow(role, err) < 0) {
        return -1;
    }
    if (laz_health_needs_names(&role->config) &&
            laz_resolver_new(role->base, &role->resolver, err) < 0) {
        return -1;
    }
    if (laz_health_make_tls(role, err) < 0 || laz_health_make_checks(role, err) < 0 ||
            laz_health_make_seats(role, err) < 0 || laz_health_open_doors(role, err) < 0 ||
            laz_health_open_probe(role, err) < 0 || begin_loop(role, err) < 0) {
        return -1;
    }
    role->works = true;
    return 0;
}

static struct laz_health_role *new_role(int chan)
{
    struct laz_health_role *role = calloc(1, sizeof(*role));
    if (role == NULL) {
        _exit(1);
    }
    role->ear = (struct laz_role_ear){
            .chan = chan, .role = LAZ_ROLE_HEALTH, .take = take_order, .context = role};
    for (unsigned i = 0; i < LAZ_HEALTH_SOCKET_COUNT; i++) {
        role->listeners[i] = -1;
    }
    role->chain = role->key = -1;
    role->look_ns = UINT64_MAX;
    return role;
}

_Noreturn void laz_role_health(int chan)
{
    struct laz_err err = {0};
    enum laz_fips_state fips = LAZ_FIPS_UNASKED;
    struct laz_health_role *role = new_role(chan);
    if (!laz_secret_wipe_libraries()) {
        (void)laz_err_set(&err, LAZ_E_INTERNAL, 0, "libcrypto has begun already");
        laz_role_fail(chan, &err);
    }
    laz_role_await_orders(&role->ear, &role->has_begun);
    role->base = event_base_new();
    if (role->base == NULL || event_base_priority_init(role->base, PRIORITIES) != 0) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no event loop");
        laz_role_fail(chan, &err);
    }
    if (laz_role_begin_crypto(role->config.fips, &fips, &err) < 0 || begin(role, &err) < 0) {
        laz_role_fail(chan, &err);
    }
    laz_role_say_ready(chan, fips);
    laz_health_tell_verdict(role);
    laz_health_turn(role);
    (void)event_base_dispatch(role->base);
    (void)laz_err_set(&err, LAZ_E_INTERNAL, 0, "the event loop ended");
    laz_role_fail(chan, &err);
}
