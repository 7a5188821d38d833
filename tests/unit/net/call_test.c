/* SPDX-License-Identifier: Apache-2.0
 *
 * How long is waited before another try, and what becomes of a call by what its answers mean.
 */
#include "net/call.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "tests/fixture/http_server.h"

#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

Test(call, waits_a_random_part_of_what_doubles_up_to_twenty_seconds)
{
    static const struct {
        enum laz_call_verdict verdict;
        unsigned tries;
        uint32_t most;
    } rows[] = {
            {LAZ_CALL_AGAIN, 1, 50},
            {LAZ_CALL_AGAIN, 2, 100},
            {LAZ_CALL_AGAIN, 9, 12800},
            {LAZ_CALL_AGAIN, 10, 20000},
            {LAZ_CALL_AGAIN, 4000000000, 20000},
            {LAZ_CALL_CREDENTIALS, 1, 50},
            {LAZ_CALL_SLOWER, 1, 1000},
            {LAZ_CALL_SLOWER, 5, 16000},
            {LAZ_CALL_SLOWER, 6, 20000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(laz_call_wait_ms(rows[i].verdict, rows[i].tries, UINT32_MAX, 0), rows[i].most);
        cr_expect_eq(laz_call_wait_ms(rows[i].verdict, rows[i].tries, 0, 0), 0);
        cr_expect_eq(laz_call_wait_ms(rows[i].verdict, rows[i].tries, 0, 700), 700);
        cr_expect_eq(laz_call_wait_ms(rows[i].verdict, rows[i].tries, 0, UINT64_MAX), 5000);
    }
}

/* ---- what answers mean: the server says it as a status, which is 500 and the verdict ---- */

#define SAYS(verdict, id)                                                                          \
    {                                                                                              \
        .answer = "HTTP/1.1 50" verdict " X\r\nContent-Length: 0\r\nx-id: " id "\r\n\r\n"          \
    }
#define ID "01234567-89ab-cdef-0123-456789ABCDEF"

static struct event_base *base;
static struct laz_call *call;
static unsigned corrected;
static char ended[LAZ_ERR_MESSAGE_MAX + 128];

static void prepare(void *context)
{
    const struct laz_header header = {"host", laz_call_host(call)};
    const struct laz_http_request request = {
            .method = "GET", .path = "/", .headers = &header, .n_headers = 1};
    (void)context;
    laz_call_post(call, &request);
}

static uint64_t judge(void *context, const struct laz_http_reply *reply)
{
    (void)context;
    laz_call_say(call, (enum laz_call_verdict)(reply->status - 500), "it was said");
    laz_call_name(call, reply, "x-id");
    return 0;
}

static void correct(void *context, const struct laz_http_reply *reply)
{
    (void)context;
    (void)reply;
    corrected++;
}

static void end(const char *how)
{
    const struct laz_call_said *said = laz_call_said(call);
    (void)snprintf(ended, sizeof(ended), "%s %u: %s (%s)", how, said->verdict, said->why,
            said->request_id);
    (void)event_base_loopbreak(base);
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    (void)context;
    (void)reply;
    end("answered");
}

static void on_refused(void *context)
{
    (void)context;
    end("refused");
}

/* How it ends. Which requests came to the server is `counts`. */
static const char *make_call(const struct http_turn *turns, size_t n, struct http_server *ret)
{
    static const struct laz_call_service service = {.prepare = prepare,
            .judge = judge,
            .correct = correct,
            .answered = on_answered,
            .refused = on_refused};
    struct laz_err err = {0};
    *ret = http_server_start(turns, n);
    const struct laz_call_plan plan = {.host = "127.0.0.1", .port = ret->port, .answer_max = 64};
    base = event_base_new();
    corrected = 0;
    cr_assert_eq(laz_call_new(base, &plan, &service, &call, &err), 0, "%s", err.message);
    laz_call_begin(call);
    (void)event_base_dispatch(base);
    laz_call_free(call);
    event_base_free(base);
    return ended;
}

Test(call, goes_on_for_as_long_as_it_is_told_to)
{
    static const struct http_turn turns[] = {
            SAYS("1", ID), {.closes = true}, SAYS("1", "no id"), SAYS("0", ID)};
    struct http_server server;
    cr_assert_str_eq(
            make_call(turns, COUNT(turns), &server), "answered 0: 127.0.0.1: it was said (" ID ")");
    cr_assert_geq(server.counts->requests, 4);
}

Test(call, corrects_once_and_is_refused_by_the_next)
{
    static const struct http_turn turns[] = {SAYS("3", ID), SAYS("4", ID), SAYS("0", ID)};
    struct http_server server;
    cr_assert_str_eq(
            make_call(turns, COUNT(turns), &server), "refused 4: 127.0.0.1: it was said (" ID ")");
    cr_assert_eq(corrected, 1);
    cr_assert_eq(server.counts->requests, 2);
}

Test(call, is_refused_at_once_by_what_would_be_the_same_again)
{
    static const struct http_turn turns[][1] = {
            {SAYS("5", ID)}, {SAYS("6", ID)}, {SAYS("7", ID)}, {SAYS("8", ID)}};
    for (size_t i = 0; i < COUNT(turns); i++) {
        char wanted[128];
        struct http_server server;
        (void)snprintf(
                wanted, sizeof(wanted), "refused %zu: 127.0.0.1: it was said (" ID ")", 5 + i);
        cr_expect_str_eq(make_call(turns[i], 1, &server), wanted);
        cr_expect_eq(server.counts->requests, 1);
    }
}

Test(call, repeats_no_id_that_is_none)
{
    static const struct http_turn turns[][1] = {{SAYS("7", "hunter2")},
            {SAYS("7", "01234567-89ab-cdef-0123-456789ABCDEg")},
            {SAYS("7", "01234567-89ab-cdef-0123_456789ABCDEF")}, {SAYS("7", ID "0")},
            {SAYS("7", "")}};
    for (size_t i = 0; i < COUNT(turns); i++) {
        struct http_server server;
        cr_expect_str_eq(
                make_call(turns[i], 1, &server), "refused 7: 127.0.0.1: it was said ()", "%zu", i);
    }
}

Test(call, names_the_host_as_a_header_does)
{
    static const struct {
        const char *host;
        uint16_t port;
        const char *header;
    } rows[] = {
            {"::1", 443, "[::1]"},
            {"::1", 8200, "[::1]:8200"},
            {"127.0.0.1", 443, "127.0.0.1"},
            {"127.0.0.1", 80, "127.0.0.1:80"},
    };
    static const struct laz_call_service service = {.prepare = prepare};
    base = event_base_new();
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct laz_call_plan plan = {
                .host = rows[i].host, .port = rows[i].port, .answer_max = 64};
        struct laz_err err = {0};
        cr_assert_eq(laz_call_new(base, &plan, &service, &call, &err), 0, "%s", err.message);
        cr_expect_str_eq(laz_call_host(call), rows[i].header);
        laz_call_free(call);
    }
    event_base_free(base);
}
