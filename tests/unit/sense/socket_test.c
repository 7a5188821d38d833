/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/sense/socket: lines of /proc/net, who listens, and who is expected.
 */
#include "sense/socket.h"

#include <string.h>

#include <criterion/criterion.h>

#define FIRST_GIVEN 32768
#define LAST_GIVEN  60999

/* As a little-endian kernel prints them; the words of addresses are in its own order. */
static const char listening[] = "   0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 "
                                "00:00000000 00000000 10001        0 "
                                "40882052 1 0000000000000000 100 0 0 10 0";
static const char connected[] = "   1: 0100007F:20FB 0100007F:C350 01 00000000:00000000 "
                                "02:00000123 00000000     0        0 "
                                "5 2 0000000000000000 20 4 30 10 -1";
static const char six[] = "   2: 00000000000000000000000001000000:0035 "
                          "00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 "
                          "00000000  101        0 77 2 0000000000000000 0";

static bool parse(const char *line, struct laz_socket *ret)
{
    return laz_socket_parse(line, strlen(line), ret);
}

static void check_text(const struct laz_socket *socket, const char *wanted)
{
    char text[LAZ_SOCKET_TEXT_MAX];
    laz_socket_format(socket, text, sizeof(text));
    cr_expect_str_eq(text, wanted);
}

Test(sense_socket, reads_a_line)
{
    struct laz_socket socket = {.protocol = LAZ_SENSE_TCP};
    cr_assert(parse(listening, &socket));
    cr_expect(socket.port == 8443 && socket.remote_port == 0 && socket.state == 10);
    cr_expect(socket.uid == 10001 && socket.inode == 40882052);
    check_text(&socket, "127.0.0.1:8443/tcp");
    cr_expect(laz_socket_listens(&socket, FIRST_GIVEN, LAST_GIVEN));
}

Test(sense_socket, reads_a_line_of_ipv6)
{
    struct laz_socket socket = {.protocol = LAZ_SENSE_UDP, .is_v6 = true};
    cr_assert(parse(six, &socket));
    check_text(&socket, "[::1]:53/udp");
    cr_expect(socket.inode == 77 && socket.uid == 101);
    cr_expect(laz_socket_listens(&socket, FIRST_GIVEN, LAST_GIVEN));
}

Test(sense_socket, tells_who_waits_from_who_talks)
{
    struct laz_socket socket = {.protocol = LAZ_SENSE_TCP};
    cr_assert(parse(connected, &socket));
    cr_expect(!laz_socket_listens(&socket, FIRST_GIVEN, LAST_GIVEN));
    /* UDP: a client that was given a port, one that is connected, one without a port. */
    socket = (struct laz_socket){.protocol = LAZ_SENSE_UDP, .state = 7, .port = 40000};
    cr_expect(!laz_socket_listens(&socket, FIRST_GIVEN, LAST_GIVEN));
    cr_expect(laz_socket_listens(&socket, 50000, LAST_GIVEN));
    socket.port = 53;
    cr_expect(laz_socket_listens(&socket, FIRST_GIVEN, LAST_GIVEN));
    socket.remote_port = 9;
    cr_expect(!laz_socket_listens(&socket, FIRST_GIVEN, LAST_GIVEN));
    socket = (struct laz_socket){.protocol = LAZ_SENSE_UDP, .state = 7};
    cr_expect(!laz_socket_listens(&socket, FIRST_GIVEN, LAST_GIVEN));
}

Test(sense_socket, expects_a_port_of_its_protocol_alone)
{
    static struct laz_sense_config config = {
            .n_ports = 2, .ports = {{8443, LAZ_SENSE_TCP}, {53, LAZ_SENSE_UDP}}};
    struct laz_socket socket = {.protocol = LAZ_SENSE_TCP, .port = 8443};
    cr_expect(laz_socket_is_expected(&socket, &config));
    socket.protocol = LAZ_SENSE_UDP;
    cr_expect(!laz_socket_is_expected(&socket, &config));
    socket.port = 53;
    cr_expect(laz_socket_is_expected(&socket, &config));
}

Test(sense_socket, refuses_what_is_no_line)
{
    static const char *const rows[] = {"",
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid",
            "   0: 0100007F:20FB 00000000:0000 0A", "   0: 0100007F20FB 00000000:0000 0A",
            "   0: 010000:20FB 00000000:0000 0A 0:0 0:0 0 1 0 1 1",
            "   0: 0100007F:20FB0 00000000:0000 0A 0:0 0:0 0 1 0 1 1",
            "   0: 0100007f:20FB 00000000:0000 0A 0:0 0:0 0 1 0 1 1",
            "   x: 0100007F:20FB 00000000:0000 0A 0:0 0:0 0 1 0 1 1",
            "   0: 0100007F:20FB 00000000:0000 0A 0:0 0:0 0 4294967296 0 1 1",
            "   0: 0100007F:20FB 00000000:0000 0A 0:0 0:0 0 1 0 x 1"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_socket socket = {.inode = 7};
        cr_expect(!parse(rows[i], &socket), "row %zu", i);
        cr_expect_eq(socket.inode, 7, "row %zu", i);
    }
}

Test(sense_socket, refuses_every_truncation)
{
    size_t needed = (size_t)(strstr(listening, "40882052") - listening);
    for (size_t length = 0; length <= needed; length++) {
        struct laz_socket socket = {.protocol = LAZ_SENSE_TCP};
        cr_assert(!laz_socket_parse(listening, length, &socket), "%zu bytes", length);
    }
}
