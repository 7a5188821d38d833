/* SPDX-License-Identifier: Apache-2.0
 *
 * Where memory is short for one moment, whichever: a call ends all the same, answered at its next
 * try or refused by that name, and what it had is given back.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "net/call.h"
#include "tests/fixture/http_server.h"

#define MOST 200 /* allocations of a call; it has some forty */

static struct {
    size_t taken;    /* since it was asked last */
    size_t fails_at; /* 0: never */
    long held;       /* blocks */
} memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __real_free(void *block);
void __wrap_free(void *block);

static bool is_out(void)
{
    if (++memory.taken != memory.fails_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

static void *hold(void *block)
{
    memory.held += block == NULL ? 0 : 1;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return is_out() ? NULL : hold(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return is_out() ? NULL : hold(__real_calloc(n, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    void *ret = is_out() ? NULL : __real_realloc(block, size);
    return block == NULL ? hold(ret) : ret;
}

void __wrap_free(void *block)
{
    memory.held -= block == NULL ? 0 : 1;
    __real_free(block);
}

/* ---- a service ---- */

static struct event_base *base;
static struct laz_call *call;
static const char *how;

static void prepare(void *context)
{
    const struct laz_header header = {"host", laz_call_host(call)};
    const struct laz_http_request request = {.method = "POST",
            .path = "/",
            .headers = &header,
            .n_headers = 1,
            .body = "{}",
            .body_length = 2};
    (void)context;
    laz_call_post(call, &request);
}

static uint64_t judge(void *context, const struct laz_http_reply *reply)
{
    (void)context;
    laz_call_say(call, reply->status == 200 ? LAZ_CALL_TAKEN : LAZ_CALL_REFUSED, "it answers");
    return 0;
}

static void correct(void *context, const struct laz_http_reply *reply)
{
    (void)context;
    (void)reply;
    cr_assert_fail("nothing is to be corrected");
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    (void)context;
    cr_expect_eq(reply->body.len, 5);
    how = "answered";
    (void)event_base_loopbreak(base);
}

static void on_refused(void *context)
{
    (void)context;
    how = laz_call_said(call)->why;
    (void)event_base_loopbreak(base);
}

static size_t count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t n = 0;
    while (readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n;
}

static void on_late(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
    cr_assert_fail("it hangs where allocation %zu fails", memory.fails_at);
}

/* false: it never came to that allocation. */
static bool call_once(const struct laz_call_plan *plan, size_t fails_at)
{
    static const struct laz_call_service service = {.prepare = prepare,
            .judge = judge,
            .correct = correct,
            .answered = on_answered,
            .refused = on_refused};
    struct laz_err err = {0};
    size_t descriptors = count_descriptors();
    long held = memory.held;
    memory.taken = 0;
    memory.fails_at = fails_at;
    how = "";
    if (laz_call_new(base, plan, &service, &call, &err) != 0) {
        cr_expect_eq(err.kind, LAZ_E_MEMORY);
        cr_expect(strncmp(err.message, "no memory for a ", 16) == 0, "%s", err.message);
    } else {
        laz_call_begin(call);
        if (how[0] == '\0') {
            (void)event_base_dispatch(base);
        }
        cr_expect(strcmp(how, "answered") == 0 ||
                        strcmp(how, "127.0.0.1: no memory for a request") == 0,
                "allocation %zu: %s", fails_at, how);
        laz_call_free(call);
    }
    bool was_there = memory.taken >= fails_at;
    memory.fails_at = 0;
    (void)event_base_loop(base, EVLOOP_NONBLOCK); /* what is closed is freed then */
    cr_expect_eq(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 1);
    cr_expect(memory.held == held || fails_at == 0, "allocation %zu: %ld blocks are lost", fails_at,
            memory.held - held);
    cr_expect_eq(count_descriptors(), descriptors, "allocation %zu", fails_at);
    return was_there;
}

Test(memory, of_a_call_is_short_once)
{
    static const struct http_turn turns[] = {
            {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}};
    static const struct timeval late = {.tv_sec = 60};
    const struct http_server server = http_server_start(turns, 1);
    const struct laz_call_plan plan = {.host = "127.0.0.1", .port = server.port, .answer_max = 64};
    event_set_mem_functions(__wrap_malloc, __wrap_realloc, __wrap_free);
    base = event_base_new();
    struct event *watch = evtimer_new(base, on_late, NULL);
    cr_assert_eq(evtimer_add(watch, &late), 0);
    (void)call_once(&plan, 0); /* what libevent keeps for the next is there from now on */
    size_t n = 1;
    while (n < MOST && call_once(&plan, n)) {
        n++;
    }
    cr_expect(n > 20 && n < MOST, "%zu allocations", n);
}
