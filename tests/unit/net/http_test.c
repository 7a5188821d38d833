/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to a server that misbehaves: each ends, with a reply that is whole and the request's own
 * or with a reason, and no connection stays half open.
 */
#include "net/http.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tests/fixture/http_server.h"

#define COUNT(all) (sizeof(all) / sizeof((all)[0]))
#define OK(text)   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" text
#define BODY_MAX   40960
#define BODY_LONG  40000
#define READ_BYTES 4096 /* that the client looks at together */

static struct event_base *base;
static struct http_server server;
static struct laz_http *http;
static struct laz_tls *tls; /* NULL: plain */
static unsigned left;       /* requests that are to be sent when one is answered */
static char said[600];
static unsigned n_ended;
static char last_body[BODY_LONG];
static size_t n_body;

static void send_one(void)
{
    const struct laz_header headers[] = {{"host", "here"}};
    const struct laz_http_request request = {
            .method = "GET", .path = "/", .headers = headers, .n_headers = COUNT(headers)};
    cr_assert(laz_http_send(http, &request));
}

static void end_one(const char *what, const char *text, size_t length)
{
    size_t at = strlen(said);
    n_ended++;
    (void)snprintf(said + at, sizeof(said) - at, "%s%s %.*s", at == 0 ? "" : "; ", what,
            (int)(length < 200 ? length : 200), text);
    if (left == 0) {
        (void)event_base_loopbreak(base);
        return;
    }
    left--;
    send_one();
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    char what[32];
    (void)context;
    (void)snprintf(what, sizeof(what), "%u", reply->status);
    n_body = reply->body.len;
    (void)memcpy(last_body, reply->body.len == 0 ? "" : reply->body.data, n_body);
    end_one(what, reply->body.len == 0 ? "" : reply->body.data, reply->body.len);
}

static void on_failed(void *context, const char *why)
{
    (void)context;
    end_one("failed:", why, strlen(why));
}

static void meet(const struct http_turn *turns, size_t n, uint32_t answer_ms)
{
    static const struct laz_http_owner owner = {.answered = on_answered, .failed = on_failed};
    struct laz_err err = {0};
    server = http_server_start(turns, n);
    base = event_base_new();
    const struct laz_http_plan plan = {.host = "127.0.0.1",
            .port = server.port,
            .tls = tls,
            .connect_ms = tls == NULL ? 5000 : 200,
            .answer_ms = answer_ms,
            .body_max = BODY_MAX};
    cr_assert_eq(laz_http_new(base, &plan, &owner, &http, &err), 0, "%s", err.message);
}

/* So many requests, each sent in the moment in which the one before is answered. */
static void ask(unsigned requests)
{
    left = requests - 1;
    n_ended = 0;
    said[0] = '\0';
    send_one();
    (void)event_base_dispatch(base);
    cr_assert_eq(n_ended, requests);
}

/* What is closed is freed in the next turn. */
static bool is_nothing_open(void)
{
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
    return event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == 0;
}

static void tear_down(void)
{
    laz_http_free(http);
    cr_expect(is_nothing_open(), "it is freed, and something of it is waited for");
    event_base_free(base);
    laz_tls_free(tls);
}

TestSuite(http, .timeout = 60, .fini = tear_down);

Test(http, keeps_the_connection_for_the_next_request)
{
    static const struct http_turn turns[] = {{.answer = OK("first")}, {.answer = OK("later")}};
    meet(turns, COUNT(turns), 30000);
    ask(2);
    cr_assert_str_eq(said, "200 first; 200 later");
    cr_assert_eq(server.counts->connections, 1);
}

/* The first reply ends exactly where what is looked at together ends. */
Test(http, a_reply_that_comes_before_its_request_is_nobodys)
{
    static char smuggles[READ_BYTES + 256];
    int head = snprintf(
            smuggles, sizeof(smuggles), "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\nX-Padding: ");
    size_t padding = READ_BYTES - 4000 - 4 - (size_t)head;
    (void)memset(smuggles + head, 'x', padding);
    (void)memcpy(smuggles + (size_t)head + padding, "\r\n\r\n", 4);
    (void)memset(smuggles + READ_BYTES - 4000, 'b', 4000);
    (void)memcpy(smuggles + READ_BYTES, OK("wrong"), sizeof(OK("wrong")));
    const struct http_turn turns[] = {{.answer = smuggles}, {.answer = OK("right")}};
    meet(turns, COUNT(turns), 30000);
    ask(2);
    cr_assert_not_null(strstr(said, "; 200 right"), "%s", said + 200);
    cr_assert_eq(server.counts->connections, 2);
}

Test(http, a_connection_on_which_something_comes_that_nobody_asked_for_is_closed)
{
    static const struct http_turn turns[] = {
            {.answer = OK("first") "HTTP"}, {.answer = OK("later")}};
    meet(turns, COUNT(turns), 30000);
    ask(2);
    cr_assert_str_eq(said, "200 first; 200 later");
    cr_assert_eq(server.counts->connections, 2);
}

Test(http, asks_again_once_where_a_kept_connection_was_closed_before_any_of_a_reply)
{
    static const struct http_turn turns[] = {
            {.answer = OK("first")}, {.closes = true}, {.answer = OK("later")}};
    meet(turns, COUNT(turns), 30000);
    ask(2);
    cr_assert_str_eq(said, "200 first; 200 later");
    cr_assert_eq(server.counts->connections, 2);
    cr_assert_eq(server.counts->requests, 3);
}

Test(http, a_new_connection_that_is_closed_is_not_tried_again)
{
    static const struct http_turn turns[] = {
            {.answer = OK("first")}, {.closes = true}, {.closes = true}, {.answer = OK("never")}};
    meet(turns, COUNT(turns), 30000);
    ask(2);
    cr_assert_str_eq(said, "200 first; failed: the peer closed the connection");
    cr_assert_eq(server.counts->requests, 3);
}

Test(http, part_of_a_reply_is_none)
{
    static const struct {
        const char *what;
        const char *answer;
    } rows[] = {
            {"a head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"},
            {"a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour"},
            {"a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfour"},
            {"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n"},
            {"a trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"},
            {"an interim reply", "HTTP/1.1 100 Continue\r\n\r\n"},
    };
    struct http_turn turns[2 * COUNT(rows)];
    for (size_t i = 0; i < COUNT(rows); i++) {
        turns[2 * i] = (struct http_turn){.answer = rows[i].answer, .closes = true};
        turns[2 * i + 1] = (struct http_turn){.answer = OK("whole")};
    }
    meet(turns, COUNT(turns), 30000);
    for (size_t i = 0; i < COUNT(rows); i++) {
        ask(2);
        cr_expect_str_eq(said, "failed: the peer closed the connection; 200 whole", "%s: %s",
                rows[i].what, said);
        laz_http_cancel(http);
    }
}

Test(http, what_is_not_http_ends_the_request_and_the_connection)
{
    static const struct http_turn turns[] = {
            {.answer = "SSH-2.0-OpenSSH\r\n\r\n"},
            {.answer = OK("whole")},
            {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 40961\r\n\r\n"},
            {.answer = OK("again")},
    };
    meet(turns, COUNT(turns), 30000);
    ask(2);
    cr_expect_str_eq(said, "failed: not HTTP: no status line; 200 whole");
    laz_http_cancel(http);
    ask(2);
    cr_expect_str_eq(said, "failed: not HTTP: longer than is read; 200 again");
}

/* Without a request the loop has nothing else to wait for. */
static void turn_until_closed(void)
{
    (void)event_base_dispatch(base);
    cr_expect(is_nothing_open());
}

Test(http, a_kept_connection_that_the_server_closes_is_nobodys_failure)
{
    static const struct http_turn turns[] = {
            {.answer = OK("first"), .closes = true}, {.answer = OK("later")}};
    meet(turns, COUNT(turns), 30000);
    ask(1);
    turn_until_closed();
    ask(1);
    cr_expect_str_eq(said, "200 later");
    cr_expect_eq(server.counts->requests, 2);
}

Test(http, what_comes_when_nobody_has_asked_closes_the_connection)
{
    static const struct http_turn turns[] = {
            {.answer = OK("first"), .later = OK("wrong")}, {.answer = OK("later")}};
    meet(turns, COUNT(turns), 30000);
    ask(1);
    turn_until_closed();
    ask(1);
    cr_expect_str_eq(said, "200 later");
    cr_expect_eq(server.counts->connections, 2);
}

Test(http, a_body_that_is_longer_than_what_is_written_at_once_goes_out_whole)
{
    static const struct http_turn turns[] = {
            {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n", .echoes = true}};
    static char body[BODY_LONG + 1];
    const struct laz_header header = {"host", "here"};
    const struct laz_http_request request = {.method = "POST",
            .path = "/",
            .headers = &header,
            .n_headers = 1,
            .body = body,
            .body_length = BODY_LONG};
    for (size_t i = 0; i < BODY_LONG; i++) {
        body[i] = (char)('a' + i % 23);
    }
    meet(turns, COUNT(turns), 30000);
    left = 0;
    cr_assert(laz_http_send(http, &request));
    (void)event_base_dispatch(base);
    cr_expect_eq(n_body, BODY_LONG, "%s", said);
    cr_expect_eq(memcmp(last_body, body, BODY_LONG), 0);
}

/* 4 bytes in a while are an answer to nobody. */
Test(http, a_reply_has_so_long_to_its_last_byte)
{
    static const struct http_turn turns[] = {{.answer = "HTTP"}, {.answer = OK("whole")}};
    meet(turns, COUNT(turns), 200);
    ask(1);
    cr_expect_str_eq(said, "failed: no answer in 200 ms");
    cr_expect(is_nothing_open(), "it is still open");
}

static void trust_somebody(void)
{
    char path[] = "/tmp/laz-http-XXXXXX";
    struct laz_err err = {0};
    const struct laz_tls_plan plan = {.ca = path, .cert = "", .key = "", .peer = "server.test"};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *made = X509_new();
    FILE *file = fdopen(mkstemp(path), "w");
    cr_assert(file != NULL && X509_set_pubkey(made, key) == 1 &&
            X509_gmtime_adj(X509_getm_notBefore(made), 0) != NULL &&
            X509_gmtime_adj(X509_getm_notAfter(made), 3600) != NULL &&
            X509_sign(made, key, EVP_sha256()) > 0 && PEM_write_X509(file, made) == 1);
    (void)fclose(file);
    X509_free(made);
    EVP_PKEY_free(key);
    cr_assert_eq(laz_tls_new(&plan, &tls, &err), 0, "%s", err.message);
    (void)unlink(path);
}

Test(http, a_handshake_that_never_ends_does)
{
    trust_somebody();
    meet(NULL, 0, 30000);
    ask(1);
    cr_expect_str_eq(said, "failed: during the handshake: no answer in 200 ms");
    cr_expect_not(laz_http_is_untrusted(http));
    cr_expect(is_nothing_open(), "it is still open");
}

Test(http, nobody_is_told_of_what_is_cancelled)
{
    static const struct http_turn turns[] = {{.answer = NULL}, {.answer = OK("whole")}};
    meet(turns, COUNT(turns), 30000);
    n_ended = 0;
    send_one();
    while (server.counts->requests == 0) {
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
    }
    laz_http_cancel(http);
    cr_expect(is_nothing_open(), "it is still open");
    cr_assert_eq(n_ended, 0);
}

Test(http, nobody_is_there)
{
    meet(NULL, 0, 30000);
    (void)kill(server.pid, 9);
    (void)waitpid(server.pid, NULL, 0);
    ask(1);
    cr_assert_str_eq(said, "failed: Connection refused");
}

Test(http, what_would_be_another_header_or_does_not_fit_is_not_sent)
{
    static char long_value[LAZ_HTTP_REQUEST_MAX + 1];
    static const char *const values[] = {"a\r\nx-more: b", "a\nb", "a\rb", long_value};
    (void)memset(long_value, 'x', sizeof(long_value) - 1);
    meet(NULL, 0, 30000);
    for (size_t i = 0; i < COUNT(values); i++) {
        const struct laz_header header = {"authorization", values[i]};
        const struct laz_http_request request = {
                .method = "GET", .path = "/", .headers = &header, .n_headers = 1};
        cr_expect_not(laz_http_send(http, &request), "%.20s", values[i]);
    }
    cr_expect(is_nothing_open(), "something is sent");
}
