/* SPDX-License-Identifier: Apache-2.0
 *
 * What PID 1 takes from `tunnel` and what it does not, without it: sockets, words, and its end.
 */
#include "init/pid1/tunnel.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/fd.h"

#define START UINT64_C(1000000000000)

/* Of three, the second and the third are for who comes from outside. */
static const struct laz_image image = {.n_tunnels = 3, .tunnels_in = 6};
static struct laz_tunnels tunnels;
static char memory[256];
static struct laz_buf message;
static struct laz_err err;

static void begin(void)
{
    laz_tunnels_begin(&tunnels, &image);
    laz_buf_init_fixed(&message, memory, sizeof(memory));
}

TestSuite(tunnel, .init = begin);

static int tell(enum laz_message_type type, int fd, uint64_t now_ns)
{
    struct laz_message told = {.type = type,
            .fields = (const uint8_t *)message.data,
            .length = message.len,
            .n_fds = fd >= 0,
            .fds = {fd}};
    err = (struct laz_err){0};
    return laz_tunnels_told(&tunnels, &told, now_ns, &err);
}

static int hand_over(uint32_t entry, int fd)
{
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_u32(&message, entry);
    return tell(LAZ_MESSAGE_LISTENER, fd, START);
}

static int new_socket(bool listens)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&any, sizeof(sa_family_t)), 0);
    cr_assert(!listens || listen(fd, 1) == 0);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void refuses(uint32_t entry, int fd, const char *what)
{
    char said[128];
    int held = entry < 3 ? tunnels.listeners[entry] : -1;
    (void)snprintf(said, sizeof(said), "lazaret-helper tunnel sent %s", what);
    cr_expect_eq(hand_over(entry, fd), -1, "%s", what);
    cr_expect_eq(err.kind, LAZ_E_TUNNEL);
    cr_expect_str_eq(err.message, said);
    cr_expect_not(is_open(fd), "%s", what);
    cr_expect(entry >= 3 || tunnels.listeners[entry] == held);
}

Test(tunnel, gives_each_socket_once_and_before_it_is_ready)
{
    int first = new_socket(true);
    cr_assert_eq(hand_over(0, first), 0, "%s", err.message);
    cr_expect_eq(tunnels.listeners[0], first);
    refuses(0, new_socket(true), "a socket that is here already");
    cr_expect(is_open(first));
    cr_assert_eq(hand_over(1, new_socket(true)), 0);
    tunnels.helper.is_ready = true;
    refuses(2, new_socket(true), "a socket that is here already");
    tunnels.helper.is_ready = false; /* it has ended, and this is another one */
    cr_assert_eq(hand_over(2, new_socket(true)), 0);
}

Test(tunnel, gives_sockets_that_listen_and_nothing_else)
{
    refuses(0, new_socket(false), "what is no socket that listens");
    refuses(0, open("/proc/self/stat", O_RDONLY | O_CLOEXEC), "what is no socket that listens");
    refuses(3, new_socket(true), "the socket of an entry that there is not");
    refuses(UINT32_MAX, new_socket(true), "the socket of an entry that there is not");
    message.len = 0;
    int fd = new_socket(true);
    cr_expect_eq(tell(LAZ_MESSAGE_LISTENER, fd, START), -1, "no entry at all");
    cr_expect_not(is_open(fd));
}

Test(tunnel, is_not_ready_before_all_of_its_sockets_are_here)
{
    cr_assert_eq(hand_over(0, new_socket(true)), 0);
    cr_assert_eq(hand_over(1, new_socket(true)), 0);
    tunnels.helper.is_ready = true;
    laz_tunnels_check(&tunnels);
    cr_expect_not(tunnels.helper.is_ready);
    cr_expect_str_eq(tunnels.helper.err.message,
            "lazaret-helper tunnel is ready, and not all of its sockets are here");
    cr_assert_eq(hand_over(2, new_socket(true)), 0);
    tunnels.helper.is_ready = true;
    laz_tunnels_check(&tunnels);
    cr_expect(tunnels.helper.is_ready && !tunnels.helper.is_needed);
}

Test(tunnel, lets_nobody_in_once_the_run_ends)
{
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(hand_over(i, new_socket(true)), 0);
    }
    laz_tunnels_drain(&tunnels);
    cr_expect(tunnels.listeners[0] >= 0 && tunnels.listeners[1] < 0, "the way out stays");
    int late = new_socket(true);
    cr_assert_eq(hand_over(2, late), 0, "it had not heard of it");
    cr_expect(tunnels.listeners[2] < 0 && !is_open(late));
    tunnels.helper.is_ready = true;
    laz_tunnels_check(&tunnels);
    cr_expect(tunnels.helper.is_ready, "without those that are closed for good");
}

static int say(char what, uint64_t now_ns)
{
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_u8(&message, (uint8_t)what);
    return tell(LAZ_MESSAGE_COUNTED, -1, now_ns);
}

static void hears(const char *wanted)
{
    char heard[LAZ_TUNNEL_SAID_AHEAD + 2] = "";
    size_t n = 0;
    for (struct laz_message said; laz_tunnels_next(&tunnels, &said);) {
        cr_assert_lt(n, sizeof(heard) - 1);
        heard[n++] = (char)said.fields[0];
    }
    cr_expect_str_eq(heard, wanted);
}

Test(tunnel, is_heard_in_the_order_in_which_it_spoke)
{
    for (unsigned round = 0; round < 3; round++) {
        for (const char *what = "abcde"; *what != '\0'; what++) {
            cr_assert_eq(say(*what, START), 0);
        }
        hears("abcde");
        hears("");
    }
}

Test(tunnel, may_not_talk_without_end)
{
    for (unsigned i = 0; i < LAZ_TUNNEL_WORDS_MAX; i++) {
        cr_assert_eq(say('x', START), 0, "what does not fit is lost");
    }
    cr_expect_eq(tunnels.n_said, (unsigned)LAZ_TUNNEL_SAID_AHEAD);
    cr_expect_eq(say('x', START + LAZ_TUNNEL_WORDS_NS - 1), -1);
    cr_expect_str_eq(err.message, "lazaret-helper tunnel sent more than it can have to say");
    cr_expect_eq(say('x', START + LAZ_TUNNEL_WORDS_NS), 0, "it has another ten seconds");
}
