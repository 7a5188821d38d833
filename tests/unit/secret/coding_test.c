/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as text and back: the vectors of RFC 4648, every value of three bytes' ends, and every
 * spelling that is not the one.
 */
#include "secret/coding.h"

#include <string.h>

#include <criterion/criterion.h>

#define MEMORY     1024
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

static struct laz_buf buffer(char memory[MEMORY])
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, memory, MEMORY);
    return buf;
}

static const struct row {
    enum laz_secret_form form;
    const char *bytes;
    size_t length;
    const char *text;
} rows[] = {
        {LAZ_SECRET_FORM_RAW, "foo\n", 4, "foo\n"},
        {LAZ_SECRET_FORM_BASE64, "", 0, ""},
        {LAZ_SECRET_FORM_BASE64, "f", 1, "Zg=="},
        {LAZ_SECRET_FORM_BASE64, "fo", 2, "Zm8="},
        {LAZ_SECRET_FORM_BASE64, "foo", 3, "Zm9v"},
        {LAZ_SECRET_FORM_BASE64, "foob", 4, "Zm9vYg=="},
        {LAZ_SECRET_FORM_BASE64, "fooba", 5, "Zm9vYmE="},
        {LAZ_SECRET_FORM_BASE64, "foobar", 6, "Zm9vYmFy"},
        {LAZ_SECRET_FORM_BASE64, "\xfb\xff\xbf\0", 4, "+/+/AA=="},
        {LAZ_SECRET_FORM_BASE64URL, "\xfb\xff\xbf\0", 4, "-_-_AA"},
        {LAZ_SECRET_FORM_BASE64URL, "fo", 2, "Zm8"},
        {LAZ_SECRET_FORM_HEX, "", 0, ""},
        {LAZ_SECRET_FORM_HEX, "\0\x9a\xbf\xff", 4, "009abfff"},
};

Test(coding, writes_and_reads_what_the_rfc_has)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        char memory[MEMORY];
        struct laz_err err = {0};
        struct laz_buf buf = buffer(memory);
        laz_secret_encode(row->form, row->bytes, row->length, &buf);
        cr_expect_str_eq(buf.data, row->text);
        buf = buffer(memory);
        cr_assert_eq(laz_secret_decode(row->form, row->text, strlen(row->text), &buf, &err), 0,
                "%s: %s", row->text, err.message);
        cr_expect(buf.len == row->length && memcmp(buf.data, row->bytes, row->length) == 0, "%s",
                row->text);
    }
}

Test(coding, reads_back_every_byte_at_every_place)
{
    static const enum laz_secret_form forms[] = {LAZ_SECRET_FORM_RAW, LAZ_SECRET_FORM_BASE64,
            LAZ_SECRET_FORM_BASE64URL, LAZ_SECRET_FORM_HEX};
    for (size_t form = 0; form < COUNT(forms); form++) {
        for (unsigned value = 0; value < 256; value++) {
            for (size_t length = 1; length <= 4; length++) {
                char text[MEMORY];
                char memory[MEMORY];
                struct laz_err err = {0};
                uint8_t bytes[4] = {0x55, 0xAA, 0x0F, 0xF0};
                struct laz_buf to = buffer(text);
                struct laz_buf back = buffer(memory);
                bytes[length - 1] = (uint8_t)value;
                laz_secret_encode(forms[form], bytes, length, &to);
                cr_assert_eq(laz_secret_decode(forms[form], text, to.len, &back, &err), 0);
                cr_assert(back.len == length && memcmp(back.data, bytes, length) == 0);
            }
        }
    }
}

Test(coding, takes_no_other_letter_in_any_place)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (unsigned c = 0; c < 256; c++) {
        bool is_letter = c != 0 && strchr(letters, (int)c) != NULL;
        bool is_digit = c != 0 && strchr("0123456789abcdefABCDEF", (int)c) != NULL;
        for (size_t at = 0; at < 4; at++) {
            char memory[MEMORY];
            char text[5] = "AAAA";
            struct laz_err err = {0};
            struct laz_buf buf = buffer(memory);
            text[at] = (char)c;
            int plain = laz_secret_decode(LAZ_SECRET_FORM_BASE64, text, 4, &buf, &err);
            bool is_padding = c == '=' && at == 3; /* two bytes; the bits before it are zero */
            cr_expect_eq(plain == 0, is_letter || c == '+' || c == '/' || is_padding, "%u", c);
            cr_expect(plain == 0 || (err.kind == LAZ_E_SECRET && buf.len == 0));
            err = (struct laz_err){0};
            buf = buffer(memory);
            int url = laz_secret_decode(LAZ_SECRET_FORM_BASE64URL, text, 4, &buf, &err);
            cr_expect_eq(url == 0, is_letter || c == '-' || c == '_', "%u", c);
            err = (struct laz_err){0};
            buf = buffer(memory);
            int hex = laz_secret_decode(LAZ_SECRET_FORM_HEX, text, 4, &buf, &err);
            cr_expect_eq(hex == 0, is_digit, "%u", c);
        }
    }
}

Test(coding, refuses_every_other_spelling_with_where_and_without_what)
{
    static const struct {
        enum laz_secret_form form;
        const char *text;
        const char *why;
    } bad[] = {
            {LAZ_SECRET_FORM_BASE64, "Zg", "its 2 characters are no base64"},
            {LAZ_SECRET_FORM_BASE64, "Zg=", "its 3 characters are no base64"},
            {LAZ_SECRET_FORM_BASE64, "=", "its 1 characters are no base64"},
            {LAZ_SECRET_FORM_BASE64, "====", "character 1 is none of base64"},
            {LAZ_SECRET_FORM_BASE64, "Z===", "character 2 is none of base64"},
            {LAZ_SECRET_FORM_BASE64, "Zg==Zg==", "character 3 is none of base64"},
            {LAZ_SECRET_FORM_BASE64, "Zm9v\n\n\n\n", "character 5 is none of base64"},
            {LAZ_SECRET_FORM_BASE64, "Zh==", "its last character has bits left over"},
            {LAZ_SECRET_FORM_BASE64, "Zm9=", "its last character has bits left over"},
            {LAZ_SECRET_FORM_BASE64, "Zm-v", "character 3 is none of base64"},
            {LAZ_SECRET_FORM_BASE64URL, "Z", "its 1 characters are no base64url"},
            {LAZ_SECRET_FORM_BASE64URL, "Zm8=", "character 4 is none of base64url"},
            {LAZ_SECRET_FORM_BASE64URL, "Zh", "its last character has bits left over"},
            {LAZ_SECRET_FORM_BASE64URL, "Zm+v", "character 3 is none of base64url"},
            {LAZ_SECRET_FORM_HEX, "0", "its 1 characters are no hex"},
            {LAZ_SECRET_FORM_HEX, "0x", "character 2 is none of hex"},
            {LAZ_SECRET_FORM_HEX, "00 0", "character 3 is none of hex"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        char memory[MEMORY];
        struct laz_err err = {0};
        struct laz_buf buf = buffer(memory);
        laz_buf_str(&buf, "before");
        cr_expect_eq(laz_secret_decode(bad[i].form, bad[i].text, strlen(bad[i].text), &buf, &err),
                -1, "%s", bad[i].text);
        cr_expect_eq(err.kind, LAZ_E_SECRET);
        cr_expect_str_eq(err.message, bad[i].why, "%s: %s", bad[i].text, err.message);
        cr_expect_eq(buf.len, 6, "%s: something of it stays", bad[i].text);
    }
}

Test(coding, says_that_there_is_no_room)
{
    char memory[8];
    struct laz_err err = {0};
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    cr_expect_eq(laz_secret_decode(LAZ_SECRET_FORM_HEX, "0011223344556677", 16, &buf, &err), 0);
    cr_expect(buf.overflow);
}
