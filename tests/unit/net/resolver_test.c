/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking names up, against a name server of this file in a network of its own, which counts what
 * it is asked: for "many.test" it answers with 127.0.0.1, for everything else that there is none.
 */
#include "net/resolver.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/fd.h"
#include "net/dial.h"

#define MANY    20
#define TYPE_A  1
#define WAIT_MS 5000

static struct event_base *base;
static struct event *asked;
static unsigned questions;
static unsigned left;
static unsigned connected;
static int listener;

/* ---- its network ---- */

static void up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0, "lo: %s", strerror(errno));
    (void)close(fd);
}

static void resolv_conf(void)
{
    static const char text[] = "nameserver 127.0.0.1\n";
    char path[] = "/tmp/laz-resolver-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_eq(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
    cr_assert_eq(mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL), 0, "resolv.conf: %s",
            strerror(errno));
    (void)unlink(path);
    (void)close(fd);
}

/* The question is the name behind 12 bytes, its type, its class; the answer repeats it. */
static void on_question(evutil_socket_t fd, short what, void *context)
{
    uint8_t packet[512];
    struct sockaddr_in from;
    socklen_t length = sizeof(from);
    static const uint8_t name[] = "\4many\4test";
    static const uint8_t address[] = {0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1};
    ssize_t n = recvfrom(
            fd, packet, sizeof(packet) - sizeof(address), 0, (struct sockaddr *)&from, &length);
    (void)what;
    (void)context;
    cr_assert_gt(n, 16);
    questions++;
    /* in letters of any size, which the client mixes against forged answers */
    bool is_known = strcasecmp((const char *)packet + 12, (const char *)name) == 0;
    bool is_a = packet[12 + sizeof(name) + 1] == TYPE_A;
    packet[2] = 0x81; /* an answer */
    packet[3] = is_known ? 0x80 : 0x83;
    packet[10] = packet[11] = 0; /* of what stands behind */
    if (is_known && is_a) {
        packet[7] = 1;
        (void)memcpy(packet + n, address, sizeof(address));
        n += (ssize_t)sizeof(address);
    }
    cr_assert_eq(sendto(fd, packet, (size_t)n, 0, (struct sockaddr *)&from, length), n);
}

static uint16_t listen_somewhere(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    cr_assert_eq(listen(listener, 4 * MANY), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    return ntohs(at.sin_port);
}

static void serve(void)
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
            .sin_port = htons(53),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert_eq(unshare(CLONE_NEWNET | CLONE_NEWNS), 0, "unshare: %s", strerror(errno));
    cr_assert_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    up();
    resolv_conf();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0, "%s", strerror(errno));
    base = event_base_new();
    asked = event_new(base, fd, EV_READ | EV_PERSIST, on_question, NULL);
    cr_assert_eq(event_add(asked, NULL), 0);
}

TestSuite(resolver, .init = serve, .timeout = 30);

/* ---- those who connect ---- */

static void end_one(void)
{
    if (--left == 0) {
        (void)event_base_loopbreak(base);
    }
}

static void on_connected(void *context, int fd)
{
    (void)context;
    (void)close(fd);
    connected++;
    end_one();
}

static void on_failed(void *context, const char *why)
{
    (void)snprintf(context, 128, "%s", why);
    end_one();
}

static void dial_many(struct laz_resolver *resolver, const char *host, uint16_t port, char why[128])
{
    struct laz_dial *dials[MANY];
    struct laz_err err = {0};
    const struct laz_dial_owner owner = {
            .connected = on_connected, .failed = on_failed, .context = why};
    const struct laz_dial_plan plan = {.host = host,
            .port = port,
            .resolver = resolver,
            .wait_ms = WAIT_MS,
            .unsent_ms = WAIT_MS};
    questions = connected = 0;
    left = MANY;
    for (size_t i = 0; i < MANY; i++) {
        cr_assert_eq(laz_dial_new(base, &plan, &owner, &dials[i], &err), 0, "%s", err.message);
        laz_dial_start(dials[i]);
    }
    (void)event_base_dispatch(base);
    for (size_t i = 0; i < MANY; i++) {
        laz_dial_free(dials[i]);
    }
}

Test(resolver, are_asked_for_once_by_all_who_ask_at_once)
{
    char why[128] = "";
    struct laz_err err = {0};
    struct laz_resolver *resolver = NULL;
    uint16_t port = listen_somewhere();
    cr_assert_eq(laz_resolver_new(base, &resolver, &err), 0, "%s", err.message);
    dial_many(resolver, "many.test", port, why);
    cr_expect_eq(connected, MANY, "%u have connected; %s", connected, why);
    cr_expect_eq(questions, 2, "%u questions, and it has two kinds of addresses", questions);
    dial_many(resolver, "many.test", port, why);
    cr_expect_eq(connected, MANY);
    cr_expect_eq(questions, 2, "no answer is kept: %u", questions);
    laz_resolver_free(resolver);
    dial_many(NULL, "many.test", port, why);
    cr_expect_eq(connected, MANY);
    cr_expect_eq(questions, 2 * MANY, "the control: each by itself has %u", questions);
}

Test(resolver, that_are_none_fail_all_who_asked_in_the_same_words)
{
    char why[128] = "";
    struct laz_err err = {0};
    struct laz_resolver *resolver = NULL;
    cr_assert_eq(laz_resolver_new(base, &resolver, &err), 0, "%s", err.message);
    dial_many(resolver, "none.test", 1, why);
    cr_expect_eq(connected, 0);
    cr_expect_str_eq(why, "it cannot be looked up: no such name");
    cr_expect_eq(questions, 2, "%u questions", questions);
    laz_resolver_free(resolver);
}

Test(resolver, are_answered_to_nobody_who_has_gone_and_to_all_others)
{
    char why[128] = "";
    struct laz_err err = {0};
    struct laz_resolver *resolver = NULL;
    struct laz_dial *dials[3];
    const struct laz_dial_owner owner = {
            .connected = on_connected, .failed = on_failed, .context = why};
    cr_assert_eq(laz_resolver_new(base, &resolver, &err), 0, "%s", err.message);
    const struct laz_dial_plan plan = {.host = "many.test",
            .port = listen_somewhere(),
            .resolver = resolver,
            .wait_ms = WAIT_MS,
            .unsent_ms = WAIT_MS};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(laz_dial_new(base, &plan, &owner, &dials[i], &err), 0, "%s", err.message);
        laz_dial_start(dials[i]);
    }
    left = 1;
    laz_dial_cancel(dials[0]); /* the one that has asked */
    laz_dial_free(dials[2]);
    (void)event_base_dispatch(base);
    cr_expect_eq(connected, 1, "%s", why);
    laz_dial_start(dials[1]); /* and while it is asked for, all go */
    laz_dial_free(dials[1]);
    laz_dial_free(dials[0]);
    laz_resolver_free(resolver);
}
