/* SPDX-License-Identifier: Apache-2.0
 *
 * The control socket's answers, over a socket of this test's own.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/deadline.h"
#include "core/fd.h"
#include "init/pid1/control.h"
#include "ipc/control.h"

#define S (1000 * LAZ_NS_PER_MS)

static const struct laz_image image = {
        .fetches = true,
        .fetched = {.n = 3, .first = "one\0two\0fixed"},
        .refresh_ms = 100000,
        .refresh_least_ms = 5000,
        .stale_ms = 600000,
        .renewals = (const uint8_t *)"\1\0\0\1\0\0\0\0\0",
};
static struct laz_secrets secrets;
static struct laz_control control;
static int client = -1;
static uint64_t now = 1000 * S;

/* A listener without a name in the file system. */
static void begin(void)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    struct sockaddr_un address;
    socklen_t length = sizeof(address);
    control = (struct laz_control){.is_open = true, .peer = -1};
    control.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(control.listener, (const struct sockaddr *)&any, sizeof(sa_family_t)), 0);
    cr_assert_eq(listen(control.listener, 4), 0);
    cr_assert_eq(getsockname(control.listener, (struct sockaddr *)&address, &length), 0);
    client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(connect(client, (const struct sockaddr *)&address, length), 0);
    secrets.image = &image;
    secrets.phase = LAZ_SECRETS_THERE;
    secrets.current = 4;
    for (size_t i = 0; i < 3; i++) {
        secrets.items[i].now.outcome = LAZ_OUTCOME_FETCHED;
    }
    laz_rotation_begin(&secrets.rotation, &image, 1, now);
}

TestSuite(control_socket, .init = begin);

static void ask(enum laz_control_verb verb, const char *name)
{
    char memory[128];
    struct laz_buf request;
    laz_buf_init_fixed(&request, memory, sizeof(memory));
    laz_control_put_request(&request, verb, name);
    cr_assert_eq(send(client, request.data, request.len, 0), (ssize_t)request.len);
}

/* The number of items, and how it ends. */
static unsigned hear(struct laz_control_item items[4], enum laz_control_result *ret_result)
{
    static char packets[8][LAZ_CONTROL_PACKET_MAX];
    for (unsigned n = 0; n < 4; n++) {
        ssize_t length = recv(client, packets[n], sizeof(packets[n]), 0);
        cr_assert_gt(length, 0, "packet %u: %s", n, strerror(errno));
        enum laz_control_got got =
                laz_control_take_answer(packets[n], (size_t)length, &items[n], ret_result);
        cr_assert_neq(got, LAZ_CONTROL_NOTHING);
        if (got == LAZ_CONTROL_END) {
            return n;
        }
    }
    cr_assert_fail("there is no end");
    return 0;
}

Test(control_socket, says_how_each_item_is)
{
    struct laz_control_item items[4];
    enum laz_control_result result = LAZ_CONTROL_BROKEN;
    secrets.rotation.items[1].failures = 2;
    (void)memcpy(secrets.why[1], "denied: no", 11);
    ask(LAZ_CONTROL_STATUS, "");
    laz_control_turn(&control, &secrets, true, now + 30 * S);
    cr_assert_eq(hear(items, &result), 3);
    cr_expect_eq(result, LAZ_CONTROL_DONE);
    cr_expect_str_eq(items[0].name, "one");
    cr_expect(items[0].state == LAZ_CONTROL_GOOD && items[0].is_renewed);
    cr_expect(items[0].age_s == 30 && items[0].next_s == 70 && items[0].generation == 4);
    cr_expect(items[1].state == LAZ_CONTROL_FAILING && items[1].failures == 2);
    cr_expect_str_eq(items[1].why, "denied: no");
    cr_expect(!items[2].is_renewed && items[2].next_s == LAZ_CONTROL_NEVER);
    cr_expect_lt(control.peer, 0, "and that was it");
    char more[8];
    cr_expect_eq(recv(client, more, sizeof(more), 0), 0, "it is closed");
}

Test(control_socket, has_an_item_asked_for_no_more_often_than_it_may)
{
    struct laz_control_item items[4];
    enum laz_control_result result = LAZ_CONTROL_BROKEN;
    ask(LAZ_CONTROL_ROTATE, "two");
    laz_control_turn(&control, &secrets, true, now + 2 * S);
    cr_assert_eq(hear(items, &result), 1);
    cr_expect_eq(result, LAZ_CONTROL_DONE);
    cr_expect_str_eq(items[0].name, "two");
    cr_expect_eq(items[0].next_s, 3);
    cr_expect_eq(secrets.rotation.items[0].due_ns, now + 100 * S, "the other is not touched");
}

Test(control_socket, says_why_nothing_is_asked_for)
{
    static const struct {
        const char *name;
        bool is_running;
        enum laz_control_result result;
    } rows[] = {{"three", true, LAZ_CONTROL_UNKNOWN}, {"fixed", true, LAZ_CONTROL_NOT_RENEWED},
            {"one", false, LAZ_CONTROL_NOT_NOW}, {"*", true, LAZ_CONTROL_DONE}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_control_item items[4];
        enum laz_control_result result = LAZ_CONTROL_BROKEN;
        if (i > 0) {
            begin();
        }
        ask(LAZ_CONTROL_ROTATE, rows[i].name);
        laz_control_turn(&control, &secrets, rows[i].is_running, now);
        cr_expect_eq(hear(items, &result), rows[i].name[0] == '*' ? 2 : 0, "%s", rows[i].name);
        cr_expect_eq(result, rows[i].result, "%s", rows[i].name);
    }
}

Test(control_socket, says_nothing_of_items_before_there_is_a_plan)
{
    struct laz_control_item items[4];
    enum laz_control_result result = LAZ_CONTROL_DONE;
    secrets.rotation = (struct laz_rotation){0};
    ask(LAZ_CONTROL_STATUS, "");
    laz_control_turn(&control, &secrets, false, now);
    cr_expect_eq(hear(items, &result), 0, "whose age would be the host's");
    cr_expect_eq(result, LAZ_CONTROL_NOT_NOW);
}

Test(control_socket, does_not_wait_for_who_says_nothing_or_nonsense)
{
    struct laz_control_item items[4];
    enum laz_control_result result = LAZ_CONTROL_DONE;
    laz_control_turn(&control, &secrets, true, now);
    cr_assert_geq(control.peer, 0, "it has a second");
    cr_expect_eq(laz_control_due_ns(&control), now + S);
    laz_control_turn(&control, &secrets, true, now + S - 1);
    cr_expect_geq(control.peer, 0);
    laz_control_turn(&control, &secrets, true, now + S);
    cr_expect_lt(control.peer, 0, "and no more");
    begin();
    char large[4096] = {0};
    cr_assert_eq(send(client, large, sizeof(large), 0), (ssize_t)sizeof(large));
    laz_control_turn(&control, &secrets, true, now);
    cr_expect_eq(hear(items, &result), 0);
    cr_expect_eq(result, LAZ_CONTROL_BROKEN);
}

Test(control_socket, is_none_where_it_is_not_open)
{
    struct laz_control none = {0};
    cr_expect_eq(laz_control_fd(&none), -1);
    cr_expect_eq(laz_control_due_ns(&none), 0);
    laz_control_turn(&none, &secrets, true, now);
}
