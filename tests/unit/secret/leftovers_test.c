/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request and its answer leave in memory when they are over: nothing that was secret in
 * either. The whole memory of this process is searched, by a pattern that is nowhere in it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>

#include <criterion/criterion.h>

#include "net/http.h"
#include "secret/memory.h"
#include "tests/fixture/http_server.h"

#define LENGTH 32
#define MORE   2048 /* bytes of something else, so that what holds it has to grow */
#define WINDOW 65536
#define SHADOW                                                                                     \
    (1UL << 28) /* bytes: what is larger is a sanitizer's own, and holds nothing of ours */

/* Made at run time; its bytes are in memory only where put_secret puts them. */
static uint8_t masked[LENGTH];
static uint8_t mask[LENGTH];
static struct event_base *base;
static char status[16];
static size_t n_body;

/* Where a library is bound at its first call, the loader saves registers on the stack meanwhile;
 * what is shipped has no loader. */
static void make_secret(void)
{
    cr_assert_not_null(getenv("LD_BIND_NOW"), "by hand: LD_BIND_NOW=1");
    cr_assert_eq(getrandom(mask, sizeof(mask), 0), (ssize_t)sizeof(mask));
    cr_assert_eq(getrandom(masked, sizeof(masked), 0), (ssize_t)sizeof(masked));
    for (size_t i = 0; i < LENGTH; i++) {
        masked[i] = (uint8_t)(mask[i] ^ ('a' + masked[i] % 26));
    }
}

static void put_secret(volatile char *to)
{
    for (size_t i = 0; i < LENGTH; i++) {
        to[i] = (char)(masked[i] ^ mask[i]);
    }
}

static bool is_secret(const volatile uint8_t *at)
{
    size_t n = 0;
    while (n < LENGTH && at[n] == (masked[n] ^ mask[n])) {
        n++;
    }
    return n == LENGTH;
}

/* What the window holds is wiped, or it would be found in it. */
static size_t count_in(int memory, off_t from, off_t to)
{
    static uint8_t window[WINDOW];
    size_t found = 0;
    for (off_t at = from; at < to;) {
        size_t wanted = to - at < WINDOW ? (size_t)(to - at) : WINDOW;
        ssize_t n = pread(memory, window, wanted, at);
        if (n < LENGTH) {
            break;
        }
        for (size_t i = 0; i + LENGTH <= (size_t)n; i++) {
            found += is_secret(window + i) ? 1 : 0;
        }
        at += at + n == to ? n : n - LENGTH + 1;
    }
    explicit_bzero(window, sizeof(window));
    return found;
}

static size_t count_everywhere(void)
{
    static char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    size_t found = 0;
    cr_assert(maps != NULL && memory >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from = 0;
        unsigned long to = 0;
        char mode[5] = "";
        if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && mode[0] == 'r' &&
                mode[1] == 'w' && to - from < SHADOW) {
            found += count_in(memory, (off_t)from, (off_t)to);
        }
    }
    (void)fclose(maps);
    (void)close(memory);
    return found;
}

/* libevent; Criterion's libraries have begun with OpenSSL, which is too late. */
static void wipe_libraries(void)
{
    laz_ignore((int)laz_secret_wipe_libraries());
}

static void on_answered(void *context, const struct laz_http_reply *reply)
{
    (void)context;
    (void)snprintf(status, sizeof(status), "%u", reply->status);
    n_body = is_secret((const uint8_t *)reply->body.data) ? reply->body.len : 0;
    (void)event_base_loopbreak(base);
}

static void on_failed(void *context, const char *why)
{
    (void)context;
    cr_assert_fail("%s", why);
}

static void ask(struct laz_http *http, char *token, char *body)
{
    const struct laz_header headers[] = {{"host", "here"}, {"x-vault-token", token}};
    const struct laz_http_request request = {.method = "POST",
            .path = "/",
            .headers = headers,
            .n_headers = 2,
            .body = body,
            .body_length = LENGTH};
    cr_assert(laz_http_send(http, &request));
    (void)event_base_dispatch(base);
}

TestSuite(leftovers, .init = make_secret, .timeout = 60);

Test(leftovers, nothing_of_a_request_or_its_answer)
{
    static const struct http_turn turns[] = {
            {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n", .echoes = true}};
    static const struct laz_http_owner owner = {.answered = on_answered, .failed = on_failed};
    static char token[MORE];
    static char body[LENGTH + 1];
    struct laz_http *http = NULL;
    struct laz_err err = {0};
    const struct http_server server = http_server_start(turns, 1);
    wipe_libraries();
    base = event_base_new();
    const struct laz_http_plan plan = {.host = "127.0.0.1",
            .port = server.port,
            .connect_ms = 5000,
            .answer_ms = 30000,
            .body_max = 8192};
    cr_assert_eq(laz_http_new(base, &plan, &owner, &http, &err), 0, "%s", err.message);
    (void)memset(token, 'x', sizeof(token) - 1);
    put_secret(token + sizeof(token) - 1 - LENGTH);
    put_secret(body);
    cr_assert_eq(count_everywhere(), 2, "the search does not see what is there");
    ask(http, token, body);
    cr_assert_str_eq(status, "200");
    cr_assert_eq(n_body, LENGTH);
    explicit_bzero(token, sizeof(token));
    explicit_bzero(body, sizeof(body));
    cr_expect_eq(count_everywhere(), 0, "while the connection waits for another request");
    laz_http_free(http);
    event_base_free(base);
    cr_expect_eq(count_everywhere(), 0, "when it is gone");
}

Test(leftovers, nothing_of_what_is_signed)
{
    static char token[MORE];
    static char key[LENGTH + 1];
    static char memory[LAZ_SIGV4_MAX];
    struct laz_buf authorization;
    struct laz_err err = {0};
    const struct laz_header headers[] = {
            {"host", "here"}, {"x-amz-security-token", token}, {"x-padding", token + LENGTH}};
    const struct laz_sigv4_request request = {"POST", "/", headers, 3, "{}", 2};
    const struct laz_sigv4_key signing = {
            "AKID", key, "eu-central-1", "secretsmanager", "20261122T120000Z"};
    laz_buf_init_fixed(&authorization, memory, sizeof(memory));
    (void)memset(token, 'x', sizeof(token) - 1);
    put_secret(token);
    put_secret(key);
    cr_assert_eq(count_everywhere(), 2, "the search does not see what is there");
    cr_assert_eq(laz_sigv4_sign(&request, &signing, &authorization, &err), 0, "%s", err.message);
    explicit_bzero(token, sizeof(token));
    explicit_bzero(key, sizeof(key));
    cr_expect_eq(count_everywhere(), 0);
}
