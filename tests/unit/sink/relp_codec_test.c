/* SPDX-License-Identifier: Apache-2.0
 *
 * RELP's frames: what is one, what is none and at which byte, in any pieces.
 */
#include "sink/relp_codec.h"

#include <stdio.h>

#include <criterion/criterion.h>

#define FRAME(text) text, sizeof(text) - 1

struct expected {
    uint32_t txnr;
    const char *command;
    const char *data;
    size_t length;
};

/* Decode `bytes` in pieces of at most `piece`, beginning a new one at `split` as well; check each
 * frame against the next of `expected`. How many there were. */
static size_t decode(const char *bytes, size_t length, size_t piece, size_t split,
        const struct expected *expected)
{
    struct laz_relp_decoder decoder;
    struct laz_err err = {0};
    size_t n = 0;
    laz_relp_decoder_init(&decoder);
    for (size_t at = 0, used = 0; at < length; at += used) {
        size_t end = at + piece < length ? at + piece : length;
        end = at < split && split < end ? split : end;
        enum laz_relp_progress progress =
                laz_relp_decode(&decoder, bytes + at, end - at, &used, &err);
        cr_assert_neq(progress, LAZ_RELP_IS_BROKEN, "split at %zu: %s", split, err.message);
        cr_assert(used > 0 && used <= end - at);
        if (progress == LAZ_RELP_HAS_FRAME) {
            cr_assert_eq(decoder.txnr, expected[n].txnr);
            cr_assert_str_eq(decoder.command, expected[n].command);
            cr_assert_eq(decoder.length, expected[n].length);
            cr_assert_eq(memcmp(decoder.data, expected[n].data, decoder.length), 0);
            cr_assert_eq(decoder.data[decoder.length], '\0');
            n++;
        } else {
            cr_assert_eq(used, end - at, "bytes were left without a frame");
        }
    }
    return n;
}

Test(relp_codec, decodes_answers_split_at_every_byte)
{
    static const char bytes[] = "1 rsp 44 200 OK\nrelp_version=0\ncommands=syslog,other\n\n"
                                "2 rsp 6 200 OK\n"
                                "999999999 rsp 3 500\n"
                                "0 serverclose 0\n"
                                "10 rsp 2 \n\n\n"
                                "7 abcdefghijklmnopqrstuvwxyzABCDEF 1 \0\n";
    static const struct expected expected[] = {
            {1, "rsp", FRAME("200 OK\nrelp_version=0\ncommands=syslog,other\n")},
            {2, "rsp", FRAME("200 OK")},
            {999999999, "rsp", FRAME("500")},
            {0, "serverclose", FRAME("")},
            {10, "rsp", FRAME("\n\n")},
            {7, "abcdefghijklmnopqrstuvwxyzABCDEF", FRAME("\0")},
    };
    for (size_t split = 0; split < sizeof(bytes) - 1; split++) {
        cr_assert_eq(
                decode(FRAME(bytes), sizeof(bytes), split, expected), 6, "split at %zu", split);
    }
    for (size_t piece = 1; piece < 20; piece++) {
        cr_assert_eq(decode(FRAME(bytes), piece, 0, expected), 6, "pieces of %zu", piece);
    }
}

Test(relp_codec, names_the_byte_that_makes_it_no_frame)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t length;
        const char *message;
    } rows[] = {
            {"nothing", FRAME("\n"), "byte 0 is 0x0a where a transaction number is due"},
            {"blank first", FRAME(" 1 rsp"), "byte 0 is 0x20 where a transaction number is due"},
            {"sign", FRAME("-1 rsp"), "byte 0 is 0x2d where a transaction number is due"},
            {"leading zero", FRAME("01 rsp"), "byte 1 is 0x31 where a transaction number is due"},
            {"ten digits", FRAME("1000000000 "),
                    "byte 9 is 0x30 where a transaction number is due"},
            {"no command", FRAME("1  6"), "byte 2 is 0x20 where a command is due"},
            {"digit in a command", FRAME("1 r2"), "byte 3 is 0x32 where a command is due"},
            {"NUL in a command", FRAME("1 r\0"), "byte 3 is 0x00 where a command is due"},
            {"33 letters", FRAME("1 abcdefghijklmnopqrstuvwxyzABCDEFG"),
                    "byte 34 is 0x47 where a command is due"},
            {"no length", FRAME("1 rsp \n"), "byte 6 is 0x0a where a length is due"},
            {"letter in a length", FRAME("1 rsp 1x"), "byte 7 is 0x78 where a length is due"},
            {"length with a zero in front", FRAME("1 rsp 06"),
                    "byte 7 is 0x36 where a length is due"},
            {"nothing and a blank", FRAME("1 rsp 0 \n"), "byte 7 is 0x20 where a length is due"},
            {"something and no blank", FRAME("1 rsp 6\n"), "byte 7 is 0x0a where a length is due"},
            {"4097", FRAME("1 rsp 4097 "), "byte 9 is 0x37 where a length of at most 4096 is due"},
            {"endless", FRAME("1 rsp 999999999999"),
                    "byte 9 is 0x39 where a length of at most 4096 is due"},
            {"too long for its length", FRAME("1 rsp 6 200 OKx"),
                    "byte 14 is 0x78 where the line feed at the end is due"},
            {"a carriage return", FRAME("1 rsp 6 200 OK\r\n"),
                    "byte 14 is 0x0d where the line feed at the end is due"},
            {"in the second frame", FRAME("1 rsp 0\n2 rsp x"),
                    "byte 14 is 0x78 where a length is due"},
            {"TLS", FRAME("\x15\x03\x01"), "byte 0 is 0x15 where a transaction number is due"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t piece = 1; piece <= rows[i].length; piece++) {
            struct laz_relp_decoder decoder;
            struct laz_err err = {0};
            enum laz_relp_progress progress = LAZ_RELP_NEEDS_MORE;
            char message[128];
            laz_relp_decoder_init(&decoder);
            for (size_t at = 0, used = 0; at < rows[i].length && progress != LAZ_RELP_IS_BROKEN;
                    at += used) {
                size_t left = rows[i].length - at;
                progress = laz_relp_decode(
                        &decoder, rows[i].bytes + at, left < piece ? left : piece, &used, &err);
            }
            (void)snprintf(message, sizeof(message), "not RELP: %s", rows[i].message);
            cr_assert_eq(progress, LAZ_RELP_IS_BROKEN, "%s: taken", rows[i].name);
            cr_assert_eq(err.kind, LAZ_E_SINK);
            cr_assert_str_eq(err.message, message, "%s: %s", rows[i].name, err.message);
            size_t used = 0;
            cr_assert_eq(laz_relp_decode(&decoder, "1 rsp 0\n", 8, &used, &err), LAZ_RELP_IS_BROKEN,
                    "%s: it goes on afterwards", rows[i].name);
        }
    }
}

Test(relp_codec, takes_data_up_to_its_ceiling)
{
    static char bytes[LAZ_RELP_DATA_MAX + 32] = "1 rsp 4096 ";
    size_t length = strlen(bytes);
    (void)memset(bytes + length, 'x', LAZ_RELP_DATA_MAX);
    bytes[length + LAZ_RELP_DATA_MAX] = '\n';
    const struct expected expected = {1, "rsp", bytes + length, LAZ_RELP_DATA_MAX};
    cr_assert_eq(decode(bytes, length + LAZ_RELP_DATA_MAX + 1, 1000, 0, &expected), 1);
}

Test(relp_codec, reads_answers)
{
    static const struct {
        const char *data;
        int result;
        unsigned code;
        const char *text;
    } rows[] = {
            {"200 OK", 0, 200, "OK"},
            {"200", 0, 200, ""},
            {"200 ", 0, 200, ""},
            {"200\nrelp_version=0", 0, 200, ""},
            {"200 OK\nrelp_version=0", 0, 200, "OK"},
            {"500 the disk\tis \x1b[1mfull\xff", 0, 500, "the disk?is ?[1mfull?"},
            {"000 ", 0, 0, ""},
            {"", -1, 0, NULL},
            {"20", -1, 0, NULL},
            {"2000", -1, 0, NULL},
            {"20x OK", -1, 0, NULL},
            {" 200 OK", -1, 0, NULL},
            {"200OK", -1, 0, NULL},
            {"200 0123456789012345678901234567890123456789012345678901234567890123456789", 0, 200,
                    "0123456789012345678901234567890123456789012345678901234567890123"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_relp_answer answer = {0};
        struct laz_err err = {0};
        int result = laz_relp_read_answer(rows[i].data, strlen(rows[i].data), &answer, &err);
        cr_assert_eq(result, rows[i].result, "%s", rows[i].data);
        if (result == 0) {
            cr_assert_eq(answer.code, rows[i].code, "%s: %u", rows[i].data, answer.code);
            cr_assert_str_eq(answer.text, rows[i].text, "%s: %s", rows[i].data, answer.text);
        } else {
            cr_assert_str_eq(err.message, "not RELP: an answer without a code");
        }
    }
}

Test(relp_codec, finds_syslog_among_the_offers)
{
    static const struct {
        const char *data;
        bool is_there;
    } rows[] = {
            {"200 OK\nrelp_version=0\ncommands=syslog", true},
            {"200 OK\ncommands=syslog\nrelp_version=0\n", true},
            {"200 OK\ncommands=a,syslog,b", true},
            {"200 OK\ncommands=a,syslog", true},
            {"200 OK\ncommands=,,syslog", true},
            {"200 OK\ncommands=a\ncommands=syslog", true},
            {"200 OK\ncommands=", false},
            {"200 OK\ncommands=syslo", false},
            {"200 OK\ncommands=syslogs", false},
            {"200 OK\ncommands=xsyslog", false},
            {"200 OK\ncommands=a syslog", false},
            {"200 OK\nxcommands=syslog", false},
            {"200 OK\nrelp_software=commands=syslog", false},
            {"200 OK", false},
            {"", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(laz_relp_offers_syslog(rows[i].data, strlen(rows[i].data)), rows[i].is_there,
                "%s", rows[i].data);
    }
}

Test(relp_codec, numbers_wrap_to_one)
{
    cr_assert_eq(laz_relp_txnr_after(0), 1);
    cr_assert_eq(laz_relp_txnr_after(1), 2);
    cr_assert_eq(laz_relp_txnr_after(999999998), 999999999);
    cr_assert_eq(laz_relp_txnr_after(999999999), 1);
}

Test(relp_codec, puts_heads_that_it_decodes)
{
    static const struct {
        uint32_t txnr;
        const char *command;
        size_t length;
        const char *head;
    } rows[] = {
            {1, "open", 13, "1 open 13 "},
            {999999999, "syslog", 999999999, "999999999 syslog 999999999 "},
            {7, "close", 0, "7 close 0"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char memory[LAZ_RELP_HEAD_MAX];
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        laz_relp_put_head(&buf, rows[i].txnr, rows[i].command, rows[i].length);
        cr_assert_not(buf.overflow);
        cr_assert_str_eq(buf.data, rows[i].head);
    }
}
