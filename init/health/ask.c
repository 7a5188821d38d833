/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy's checks: each asks one thing at a time and has its deadline. Commands are init's to
 * run; the rest is a connection of this process.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/trusted.h"
#include "init/health/health.h"

#define UNSENT_MS 30000U
#define NS_PER_MS UINT64_C(1000000)

/* ---- their results ---- */

/* What is still open is given up; a command is init's to end. */
static void let_go(struct laz_health_asked *asked)
{
    if (asked->dial != NULL) {
        laz_dial_cancel(asked->dial);
    }
    if (asked->talk != NULL) {
        laz_health_talk_stop(asked->talk);
    }
}

/* NULL: it passed. */
static void end(struct laz_health_asked *asked, const char *why)
{
    if (asked->watch->began_ns == 0) {
        return; /* it has its result already */
    }
    laz_health_watch_end(asked->watch, laz_health_clock_ns(), why);
    laz_health_turn(asked->role);
}

/* ---- connections ---- */

static void on_connected(void *context, int fd)
{
    struct laz_health_asked *asked = context;
    (void)close(fd);
    asked->role->our_own += asked->is_local ? 1 : 0;
    end(asked, NULL);
}

static void on_failed(void *context, const char *why)
{
    end(context, why);
}

static void on_up(void *context)
{
    struct laz_health_asked *asked = context;
    asked->role->our_own += asked->is_local ? 1 : 0;
}

static void on_ended(void *context, const char *why)
{
    end(context, why);
}

/* ---- commands ---- */

/* What Lazaret itself ends one with, whose program never ran, as a shell has it; or the program
 * does. */
static const char *meaning(int code)
{
    return code == 127    ? ": not found"
            : code == 126 ? ": not executable"
            : code == 109 ? ": not confined"
                          : "";
}

void laz_health_take_end(struct laz_health_role *role, uint32_t command, int32_t status)
{
    char why[64];
    for (uint32_t i = 0; i < role->config.n_checks; i++) {
        struct laz_health_asked *asked = &role->asked[i];
        if (!asked->is_out || asked->watch->check->command != command) {
            continue;
        }
        asked->is_out = false;
        if (status < 0) {
            (void)snprintf(why, sizeof(why), "it cannot be run: %s", strerror(-status));
        } else if (WIFSIGNALED(status)) {
            (void)snprintf(why, sizeof(why), "ended by signal %d", WTERMSIG(status));
        } else {
            (void)snprintf(why, sizeof(why), "exit code %d%s", WEXITSTATUS(status),
                    meaning(WEXITSTATUS(status)));
        }
        end(asked, status == 0 ? NULL : why);
        laz_health_turn(role); /* one whose time was over may be asked again now */
        return;
    }
}

/* ---- all of them ---- */

static void ask(struct laz_health_asked *asked, uint64_t now_ns)
{
    const struct laz_health_check *check = asked->watch->check;
    let_go(asked);
    laz_health_watch_begin(asked->watch, now_ns);
    switch (check->kind) {
    case LAZ_HEALTH_TCP:
        laz_dial_start(asked->dial);
        break;
    case LAZ_HEALTH_HTTP:
    case LAZ_HEALTH_GRPC:
        laz_health_talk_start(asked->talk);
        break;
    case LAZ_HEALTH_EXEC:
        asked->is_out = true;
        laz_health_tell_number(asked->role, LAZ_MESSAGE_CHECK, check->command);
        break;
    case LAZ_HEALTH_KIND_COUNT:
        break;
    }
}

static void give_up(struct laz_health_asked *asked, uint64_t now_ns)
{
    const struct laz_health_check *check = asked->watch->check;
    char why[64];
    let_go(asked);
    if (asked->is_out) {
        laz_health_tell_number(asked->role, LAZ_MESSAGE_CANCEL, check->command);
    }
    (void)snprintf(why, sizeof(why), "no answer in %u ms", check->timeout_ms);
    laz_health_watch_end(asked->watch, now_ns, why);
}

/* A command that cannot be killed: in the kernel for long, frozen, or held by a tracer. It does not
 * run twice, and each time it were to run again it has failed again. */
static void count_as_failed(struct laz_health_asked *asked, uint64_t now_ns)
{
    laz_health_watch_begin(asked->watch, now_ns);
    laz_health_watch_end(asked->watch, now_ns, "the last run has not ended");
    laz_health_tell_number(asked->role, LAZ_MESSAGE_CANCEL, asked->watch->check->command);
}

/* It has its result, and the server still has not closed. */
static bool lingers(const struct laz_health_asked *asked, uint64_t now_ns)
{
    const struct laz_health_watch *watch = asked->watch;
    uint64_t spare_ns = (watch->check->every_ms - watch->check->timeout_ms) * NS_PER_MS;
    return asked->talk != NULL && laz_health_talk_is_open(asked->talk) && watch->began_ns == 0 &&
            (now_ns + spare_ns >= watch->next_ns ||
                    !laz_health_asks(&asked->role->health, watch->check->list));
}

void laz_health_ask_due(struct laz_health_role *role, uint64_t now_ns)
{
    for (uint32_t i = 0; i < role->config.n_checks; i++) {
        struct laz_health_asked *asked = &role->asked[i];
        if (laz_health_watch_is_overdue(asked->watch, now_ns)) {
            give_up(asked, now_ns);
        }
        if (lingers(asked, now_ns)) {
            let_go(asked);
        }
        if (!laz_health_asks(&role->health, asked->watch->check->list) ||
                !laz_health_watch_is_due(asked->watch, now_ns)) {
            continue;
        }
        if (asked->is_out) {
            count_as_failed(asked, now_ns);
        } else {
            ask(asked, now_ns);
        }
    }
}

/* ---- before ---- */

static bool is_this_host(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
            strcmp(host, "localhost") == 0;
}

int laz_health_open_checks(struct laz_health_role *role, struct laz_err *err)
{
    for (uint32_t i = 0; i < role->config.n_checks; i++) {
        const struct laz_health_check *check = &role->config.checks[i];
        struct laz_health_asked *asked = &role->asked[i];
        struct laz_err why = {0};
        *asked = (struct laz_health_asked){.role = role, .ca = -1};
        asked->watch = &role->health.watches[i];
        asked->is_local = is_this_host(check->host);
        if (check->is_tls &&
                laz_trusted_open(check->ca, &role->config.workload, &asked->ca, &why) < 0) {
            return laz_err_set(err, LAZ_E_HEALTH, why.sys_errno, "health: check %s: ca: %s: %s",
                    check->name, check->ca, why.message);
        }
    }
    return 0;
}

static int make_tls(struct laz_health_asked *asked, struct laz_err *err)
{
    const struct laz_health_check *check = asked->watch->check;
    struct laz_err why = {0};
    const struct laz_tls_files files = {.ca = asked->ca, .cert = -1, .key = -1};
    const struct laz_tls_plan plan = {.ca = check->ca,
            .cert = "",
            .key = "",
            .peer = check->server_name[0] != '\0' ? check->server_name : check->host,
            .profile = asked->role->config.profile,
            .files = &files};
    int result = laz_tls_new(&plan, &asked->tls, &why);
    laz_fd_close(&asked->ca);
    return result == 0
            ? 0
            : laz_err_set(err, LAZ_E_HEALTH, 0, "health: check %s: %s", check->name, why.message);
}

static int make_check(struct laz_health_asked *asked, struct laz_err *err)
{
    struct laz_health_role *role = asked->role;
    const struct laz_health_check *check = asked->watch->check;
    const struct laz_dial_plan plan = {.host = check->host,
            .port = check->port,
            .wait_ms = check->timeout_ms,
            .unsent_ms = UNSENT_MS,
            .resolver = role->resolver};
    const struct laz_dial_owner dials = {
            .connected = on_connected, .failed = on_failed, .context = asked};
    const struct laz_health_talk_owner talks = {
            .connected = on_up, .ended = on_ended, .context = asked};
    if (check->kind == LAZ_HEALTH_TCP) {
        return laz_dial_new(role->base, &plan, &dials, &asked->dial, err);
    }
    if (check->kind == LAZ_HEALTH_EXEC) {
        return 0;
    }
    if (check->is_tls && make_tls(asked, err) < 0) {
        return -1;
    }
    const struct laz_health_talk_plan talk = {
            .check = check, .tls = asked->tls, .resolver = role->resolver};
    return laz_health_talk_new(role->base, &talk, &talks, &asked->talk, err);
}

int laz_health_make_checks(struct laz_health_role *role, struct laz_err *err)
{
    for (uint32_t i = 0; i < role->config.n_checks; i++) {
        if (make_check(&role->asked[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}
