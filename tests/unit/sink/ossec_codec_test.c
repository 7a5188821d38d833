/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams of OSSEC's agent protocol against bytes that were made elsewhere, and everything that
 * is none.
 */
#include "sink/ossec_codec.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#define HEX_KEY "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
#define LINE    "001 task-1 any " HEX_KEY

/* By Python's hashlib and zlib, and libcrypto: "#!-agent ack ", random 12345, counters 100 and 1,
 * and an IV that counts up. */
static const uint8_t acknowledgment[] = {0x23, 0x41, 0x45, 0x53, 0x3a, 0x00, 0x01, 0x02, 0x03, 0x04,
        0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x81, 0xb9, 0x96, 0x9b,
        0xcc, 0xb6, 0xc7, 0x0c, 0xf2, 0xb4, 0x02, 0xb1, 0x99, 0xa0, 0x07, 0x9f, 0x35, 0x13, 0x12,
        0x84, 0x98, 0x1d, 0x17, 0xda, 0x62, 0x2b, 0xaf, 0xd7, 0x81, 0x34, 0xd4, 0x0e, 0xaf, 0x7b,
        0x82, 0x9f, 0xdd, 0x19, 0x96, 0x30, 0x90, 0xc8, 0x0e, 0xdd, 0x04, 0x73, 0xb0, 0x0d, 0xdd,
        0x8a, 0xf6, 0x32, 0x0a, 0x77, 0x90, 0xd3, 0x05, 0xc3, 0x47, 0x82, 0xf7, 0xce, 0x3d, 0x3e,
        0x60, 0x8d, 0x2e, 0x3f, 0xcd, 0xe0, 0x0f, 0x64, 0x22, 0x3e, 0xcd, 0x54, 0x0f, 0xa3, 0x7e,
        0x83};

/* The same by hand, of "#!-agent startup " with counters 1795349926 and 1. */
#define STARTUP "d25639045332b4cdac746287881982c3123451795349926:0001:#!-agent startup "

static struct laz_ossec_agent agent_of(const char *line)
{
    struct laz_ossec_agent agent;
    struct laz_err err = {0};
    cr_assert_eq(laz_ossec_read_agent(line, strlen(line), &agent, &err), 0, "%s", err.message);
    return agent;
}

Test(ossec_codec, reads_a_line_of_client_keys)
{
    struct laz_ossec_agent agent = agent_of(LINE);
    cr_expect_str_eq(agent.id, "001");
    cr_expect_str_eq(agent.name, "task-1");
    cr_expect(agent.is_anywhere);
    cr_expect_eq(memcmp(agent.key, "cad8a0fdfc8edfa9e9defc521b3a2951", 32), 0);
    cr_expect(!agent_of("7 a 10.0.0.1 k").is_anywhere);
    cr_expect(agent_of("7 a 10.0.0.0/8 k").is_anywhere);
    cr_expect_eq(memcmp(agent_of("7 a any a key").key, "af0711eb7dab2d53c1a580c4705d7cb7", 32), 0);
}

Test(ossec_codec, takes_no_other_line_for_a_key_and_repeats_none)
{
    static const struct {
        const char *line;
        const char *why;
    } rows[] = {
            {"", "no agent's key: it is not \"ID NAME ADDRESS KEY\""},
            {"001 task-1 any", "no agent's key: it is not \"ID NAME ADDRESS KEY\""},
            {"001 task-1 any ", "no agent's key: it is not \"ID NAME ADDRESS KEY\""},
            {"001 task-1 any secret\tx", "no agent's key: it is not \"ID NAME ADDRESS KEY\""},
            {"x01 task-1 any secret", "no agent's key: its id is not a number"},
            {"123456789 task-1 any secret", "no agent's key: its id is not a number"},
            {"001 #*#*#*#gone any secret", "no agent's key: its name is none, or was removed"},
            {"001  any secret", "no agent's key: its name is none, or was removed"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_ossec_agent agent;
        struct laz_err err = {0};
        cr_assert_eq(laz_ossec_read_agent(rows[i].line, strlen(rows[i].line), &agent, &err), -1,
                "%s", rows[i].line);
        cr_expect_eq(err.kind, LAZ_E_SINK, "%s", rows[i].line);
        cr_expect_str_eq(err.message, rows[i].why, "%s: %s", rows[i].line, err.message);
    }
}

Test(ossec_codec, writes_the_message_to_the_byte)
{
    const struct laz_ossec_message message = {.random = 12345,
            .global = 1795349926,
            .local = 1,
            .payload = "#!-agent startup ",
            .length = 17};
    char memory[256];
    struct laz_buf buf;
    struct laz_err err = {0};
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    cr_assert_eq(laz_ossec_put_message(&buf, &message, &err), 0, "%s", err.message);
    cr_expect_str_eq(buf.data, STARTUP);
}

Test(ossec_codec, opens_what_a_manager_sends)
{
    struct laz_ossec_agent agent = agent_of(LINE);
    struct laz_ossec_message message;
    struct laz_err err = {0};
    char memory[LAZ_OSSEC_MESSAGE_MAX];
    cr_assert_eq(
            laz_ossec_open(&agent, acknowledgment, sizeof(acknowledgment), memory, &message, &err),
            0, "%s", err.message);
    cr_expect(message.random == 12345 && message.global == 100 && message.local == 1);
    cr_expect_eq(message.length, 13);
    cr_expect_eq(memcmp(message.payload, "#!-agent ack ", 13), 0);
}

Test(ossec_codec, opens_nothing_that_was_changed)
{
    struct laz_ossec_agent agent = agent_of(LINE);
    struct laz_ossec_agent other = agent_of("001 task-1 any another");
    char memory[LAZ_OSSEC_MESSAGE_MAX];
    struct laz_ossec_message message;
    uint8_t bytes[sizeof(acknowledgment)];
    for (size_t i = 0; i < sizeof(bytes) * 8; i++) {
        struct laz_err err = {0};
        (void)memcpy(bytes, acknowledgment, sizeof(bytes));
        bytes[i / 8] ^= (uint8_t)(1U << i % 8);
        cr_assert_eq(laz_ossec_open(&agent, bytes, sizeof(bytes), memory, &message, &err), -1,
                "bit %zu", i);
        cr_assert_eq(err.kind, LAZ_E_SINK);
    }
    for (size_t length = 0; length < sizeof(acknowledgment); length++) {
        struct laz_err err = {0};
        cr_assert_eq(laz_ossec_open(&agent, acknowledgment, length, memory, &message, &err), -1);
    }
    struct laz_err err = {0};
    cr_assert_eq(laz_ossec_open(&other, acknowledgment, sizeof(bytes), memory, &message, &err), -1);
    cr_expect_str_eq(err.message, "not OSSEC: the key is another, or it is none");
    err = (struct laz_err){0};
    cr_assert_eq(laz_ossec_open(&agent, (const uint8_t *)":x", 2, memory, &message, &err), -1);
    cr_expect_str_eq(err.message, "the manager answers with Blowfish, not AES");
}

Test(ossec_codec, seals_what_it_opens_up_to_the_longest)
{
    static const char *const lines[] = {LINE, "17 b 10.0.0.1 k"};
    static const size_t lengths[] = {0, 1, 100, 4000, LAZ_OSSEC_PAYLOAD_MAX};
    const uint8_t iv[LAZ_OSSEC_IV_SIZE] = {7};
    char payload[LAZ_OSSEC_PAYLOAD_MAX + 1];
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof(payload); i++) {
        random = random * 1664525 + 1013904223; /* deflate finds nothing in it */
        payload[i] = (char)(random >> 24);
    }
    for (size_t i = 0; i < 10; i++) {
        struct laz_ossec_agent agent = agent_of(lines[i % 2]);
        const struct laz_ossec_message in = {.random = 65535,
                .global = UINT32_MAX,
                .local = LAZ_OSSEC_LOCAL_MAX,
                .payload = payload,
                .length = lengths[i / 2]};
        struct laz_ossec_message out;
        struct laz_err err = {0};
        char opened[LAZ_OSSEC_MESSAGE_MAX];
        struct laz_buf buf;
        laz_buf_init_heap(&buf, 2 * LAZ_OSSEC_DATAGRAM_MAX);
        cr_assert_eq(laz_ossec_seal(&buf, &agent, &in, iv, &err), 0, "%s", err.message);
        size_t id = agent.is_anywhere ? 5 : 0;
        cr_expect(id == 0 || memcmp(buf.data, "!001!", 5) == 0);
        cr_assert_eq(laz_ossec_open(&agent, (const uint8_t *)buf.data + id, buf.len - id, opened,
                             &out, &err),
                0, "%zu: %s", in.length, err.message);
        cr_expect(out.random == in.random && out.global == in.global && out.local == in.local);
        cr_assert_eq(out.length, in.length);
        cr_expect_eq(memcmp(out.payload, payload, in.length), 0);
        laz_buf_done(&buf);
    }
    const struct laz_ossec_message long_one = {
            .payload = payload, .length = LAZ_OSSEC_PAYLOAD_MAX + 1};
    struct laz_ossec_agent agent = agent_of(LINE);
    struct laz_err err = {0};
    struct laz_buf buf;
    laz_buf_init_heap(&buf, 2 * LAZ_OSSEC_DATAGRAM_MAX);
    cr_assert_eq(laz_ossec_seal(&buf, &agent, &long_one, iv, &err), -1);
    cr_expect_str_eq(err.message, "it is longer than OSSEC takes");
    cr_expect_eq(buf.len, 0);
    laz_buf_done(&buf);
}

Test(ossec_codec, knows_what_a_manager_wants_to_share)
{
    static const char offer[] = "#!-up file 0123456789abcdef0123456789abcdef merged.mg\n";
    char sum[33];
    cr_assert(laz_ossec_read_offer(offer, sizeof(offer) - 1, sum));
    cr_expect_str_eq(sum, "0123456789abcdef0123456789abcdef");
    cr_expect(!laz_ossec_read_offer(offer, 40, sum));
    cr_expect(!laz_ossec_read_offer("#!-execd restart", 16, sum));
    static const char other[] = "#!-up file 0123456789abcdef0123456789abcdef ../../etc/x";
    cr_expect(!laz_ossec_read_offer(other, sizeof(other) - 1, sum));
    static const char sumless[] = "#!-up file 0123456789abcdef0123456789abcdeg merged.mg\n";
    cr_expect(!laz_ossec_read_offer(sumless, sizeof(sumless) - 1, sum));
}
