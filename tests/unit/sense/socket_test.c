/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/sense/socket: lines of /proc/net, who listens, and who is expected.
 */
#include "sense/socket.h"

#include <stdio.h>
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

/* 10.0.0.7:5432 by IPv4, by a socket of both families; and others. */
Test(sense_socket, tells_clear_text_that_leaves_the_host)
{
    static const struct laz_sense_config config = {.plain = true,
            .n_tls_only = 2,
            .tls_only = {80, 5432},
            .n_peers = 1,
            .peers = {{{[10] = 0xff, [11] = 0xff, [12] = 169, [13] = 254, [14] = 170, [15] = 2},
                    80}}};
    static const struct {
        const char *name;
        const char *peer; /* as the kernel prints it */
        const char *state;
        const char *inode;
        const char *text; /* NULL: it is none */
    } rows[] = {
            {"v4", "0700000A:1538", "01", "9", "10.0.0.7:5432/tcp"},
            {"mapped", "0000000000000000FFFF00000700000A:1538", "01", "9", "10.0.0.7:5432/tcp"},
            {"v6", "000000FD000000000000000007000000:1538", "01", "9", "[fd00::7]:5432/tcp"},
            {"half closed by them", "0700000A:1538", "08", "9", "10.0.0.7:5432/tcp"},
            {"half closed by us", "0700000A:1538", "05", "9", "10.0.0.7:5432/tcp"},
            {"begun", "0700000A:1538", "02", "9", NULL},
            {"over", "0700000A:1538", "06", "0", NULL},
            {"nobody's", "0700000A:1538", "01", "0", NULL},
            {"another port", "0700000A:1539", "01", "9", NULL},
            {"loopback", "0700007F:1538", "01", "9", NULL},
            {"loopback mapped", "0000000000000000FFFF00000100007F:1538", "01", "9", NULL},
            {"loopback of v6", "00000000000000000000000001000000:1538", "01", "9", NULL},
            {"allowed", "02AAFEA9:0050", "01", "9", NULL},
            {"allowed, mapped", "0000000000000000FFFF000002AAFEA9:0050", "01", "9", NULL},
            {"another of its port", "03AAFEA9:0050", "01", "9", "169.254.170.3:80/tcp"},
            {"allowed at another port", "02AAFEA9:1538", "01", "9", "169.254.170.2:5432/tcp"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[256];
        char text[LAZ_SOCKET_TEXT_MAX];
        bool is_v6 = strlen(rows[i].peer) > 16;
        struct laz_socket socket = {.protocol = LAZ_SENSE_TCP, .is_v6 = is_v6};
        (void)snprintf(line, sizeof(line), "   1: %s:C350 %s %s 0:0 0:0 0 10001 0 %s 1",
                is_v6 ? "00000000000000000000000000000000" : "0100000A", rows[i].peer,
                rows[i].state, rows[i].inode);
        cr_assert(parse(line, &socket), "%s", rows[i].name);
        cr_expect_eq(
                laz_socket_is_plain(&socket, &config), rows[i].text != NULL, "%s", rows[i].name);
        socket.uid = LAZ_SENSE_TUNNEL;
        cr_expect_not(laz_socket_is_plain(&socket, &config), "%s, of the tunnel", rows[i].name);
        if (rows[i].text != NULL) {
            laz_socket_format_peer(&socket, text, sizeof(text));
            cr_expect_str_eq(text, rows[i].text, "%s", rows[i].name);
        }
    }
}

Test(sense_socket, tells_who_listens_for_this_host_alone)
{
    static const struct {
        const char *address;
        bool is_local;
    } rows[] = {{"0100007F", true}, {"FFFFFF7F", true}, {"00000000", false}, {"0100000A", false},
            {"00000000000000000000000001000000", true}, {"00000000000000000000000000000000", false},
            {"0000000000000000FFFF00000200007F", true},
            {"0000000000000000FFFF00000100000A", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[256];
        bool is_v6 = strlen(rows[i].address) > 8;
        struct laz_socket socket = {.protocol = LAZ_SENSE_TCP, .is_v6 = is_v6};
        (void)snprintf(line, sizeof(line), "   1: %s:20FB %s:0000 0A 0:0 0:0 0 1 0 9 1",
                rows[i].address, is_v6 ? "00000000000000000000000000000000" : "00000000");
        cr_assert(parse(line, &socket), "%s", rows[i].address);
        cr_expect_eq(laz_socket_is_local(&socket), rows[i].is_local, "%s", rows[i].address);
    }
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
