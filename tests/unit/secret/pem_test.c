/* SPDX-License-Identifier: Apache-2.0
 *
 * PEM: what is read is written in one way, and everything that is not quite it is refused by line.
 */
#include "secret/pem.h"

#include <string.h>

#include <criterion/criterion.h>
#include <openssl/ec.h>

#include "policy/fetch.h"
#include "secret/chain.h"
#include "secret/names.h"
#include "secret/request.h"

#define ROOM       32768
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

static EVP_PKEY *make_key(enum laz_identity_key kind)
{
    struct laz_err err = {0};
    EVP_PKEY *key = NULL;
    cr_assert_eq(laz_request_make_key(kind, &key, &err), 0, "%s", err.message);
    return key;
}

Test(pem, gives_back_the_key_that_it_wrote)
{
    static const enum laz_identity_key kinds[] = {
            LAZ_IDENTITY_KEY_EC_P256, LAZ_IDENTITY_KEY_EC_P384, LAZ_IDENTITY_KEY_RSA_2048};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        static char memory[ROOM];
        static char again[ROOM];
        struct laz_buf text;
        struct laz_buf second;
        struct laz_err err = {0};
        EVP_PKEY *key = make_key(kinds[i]);
        EVP_PKEY *read = NULL;
        laz_buf_init_fixed(&text, memory, sizeof(memory));
        laz_buf_init_fixed(&second, again, sizeof(again));
        cr_assert_eq(laz_pem_write_key(key, &text, &err), 0, "%s", err.message);
        cr_assert_eq(laz_pem_read_key(text.data, text.len, &read, &err), 0, "%s", err.message);
        cr_assert_eq(laz_pem_write_key(read, &second, &err), 0, "%s", err.message);
        cr_expect_str_eq(memory, again, "%s", laz_identity_key_name(kinds[i]));
        cr_expect_eq(EVP_PKEY_eq(key, read), 1, "%s", laz_identity_key_name(kinds[i]));
        cr_expect_eq(laz_chain_check_key(read, &err), 0, "%s", err.message);
        EVP_PKEY_free(key);
        EVP_PKEY_free(read);
    }
}

Test(pem, refuses_what_is_no_key_by_its_line)
{
    static const struct {
        const char *name;
        const char *text;
        const char *message;
    } rows[] = {
            {"nothing", "", "there is no private key in it"},
            {"empty lines", "\n \r\n", "there is no private key in it"},
            {"words", "\nsecret\n", "line 2: text that belongs to no block"},
            {"parameters", "-----BEGIN EC PARAMETERS-----\n",
                    "line 1: a block that is no certificate and no private key"},
            {"no end", "-----BEGIN PRIVATE KEY-----\nAAAA\n", "line 2: the block does not end"},
            {"another end", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
                    "line 3: no base64 in lines of one length"},
            {"empty", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
                    "line 2: the block is empty"},
            {"a longer line", "-----BEGIN PRIVATE KEY-----\nAAAA\nAAAAAAAA\n",
                    "line 3: no base64 in lines of one length"},
            {"after padding", "-----BEGIN PRIVATE KEY-----\nAA==\nAAAA\n",
                    "line 3: no base64 in lines of one length"},
            {"a blank", "-----BEGIN PRIVATE KEY-----\nAA AA\n",
                    "line 2: no base64 in lines of one length"},
            {"no key inside", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                    "line 3: no private key ends here, or something follows it"},
            {"a passphrase", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n",
                    "line 1: the key has a passphrase: nobody is asked for one"},
            {"a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                    "line 3: a certificate, and not a private key"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct laz_err err = {0};
        EVP_PKEY *key = NULL;
        cr_expect_eq(laz_pem_read_key(rows[i].text, strlen(rows[i].text), &key, &err), -1, "%s",
                rows[i].name);
        cr_expect_eq(err.kind, LAZ_E_SECRET, "%s", rows[i].name);
        cr_expect_str_eq(err.message, rows[i].message, "%s", rows[i].name);
        cr_expect_null(key, "%s", rows[i].name);
    }
}

Test(pem, is_written_anew_whatever_form_it_had)
{
    static char memory[ROOM];
    static char padded[ROOM];
    static char again[ROOM];
    struct laz_buf written;
    struct laz_buf text;
    struct laz_buf rewritten;
    struct laz_err err = {0};
    EVP_PKEY *key = make_key(LAZ_IDENTITY_KEY_EC_P256);
    laz_buf_init_fixed(&written, memory, sizeof(memory));
    laz_buf_init_fixed(&rewritten, again, sizeof(again));
    cr_assert_eq(laz_pem_write_key(key, &written, &err), 0, "%s", err.message);
    laz_buf_init_fixed(&text, padded, sizeof(padded));
    laz_buf_printf(&text, "\n\n%s \r\n\n", memory);
    cr_assert_eq(laz_pem_rewrite(text.data, text.len, &rewritten, &err), 0, "%s", err.message);
    cr_expect_str_eq(again, memory);
    EVP_PKEY_free(key);
}

Test(pem, is_not_written_anew_where_it_is_neither)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {{"", "there is no private key and no certificate"},
            {"\n \n", "there is no private key and no certificate"},
            {"CANARY\n", "line 1: text that belongs to no block"},
            {"-----BEGIN PUBLIC KEY-----\n",
                    "line 1: a block that is no certificate and no private key"},
            {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                    "line 3: no certificate ends here, or something follows it"},
            {"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
                    "line 1: the key has a passphrase: nobody is asked for one"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char memory[64];
        struct laz_buf buf;
        struct laz_err err = {0};
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        cr_expect_eq(laz_pem_rewrite(rows[i].text, strlen(rows[i].text), &buf, &err), -1);
        cr_expect(err.kind == LAZ_E_SECRET && buf.len == 0, "row %zu", i);
        cr_expect_str_eq(err.message, rows[i].message, "row %zu", i);
    }
}

Test(request, asks_for_the_names_and_the_purpose)
{
    static char memory[ROOM];
    struct laz_buf text;
    struct laz_err err = {0};
    const struct laz_fetch_identity identity = {.name = "web",
            .purpose = LAZ_PURPOSE_SERVER | LAZ_PURPOSE_CLIENT,
            .n_sans = 2,
            .sans = {{LAZ_SAN_URI, "spiffe://corp/app"}, {LAZ_SAN_DNS, "app.internal"}}};
    EVP_PKEY *key = make_key(LAZ_IDENTITY_KEY_EC_P256);
    laz_buf_init_fixed(&text, memory, sizeof(memory));
    cr_assert_eq(laz_request_make(&identity, key, &text, &err), 0, "%s", err.message);
    cr_expect_eq(strncmp(memory, "-----BEGIN CERTIFICATE REQUEST-----\n", 36), 0);
    cr_expect_str_eq(laz_names_common(&identity), "app.internal");
    const struct laz_fetch_identity nameless = {.name = "web"};
    cr_expect_str_eq(laz_names_common(&nameless), "web");
    EVP_PKEY_free(key);
}
