/* SPDX-License-Identifier: Apache-2.0
 *
 * What Vault's answers mean and say, and that a login is what its documentation asks for.
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/json_read.h"
#include "net/vault.h"

#define COUNT(all) (sizeof(all) / sizeof((all)[0]))
#define DENIED     "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}"
#define DELETED                                                                                    \
    "{\"data\":{\"data\":null,\"metadata\":{\"version\":2,\"deletion_time\":\"2026-01-01\"}}}"

Test(vault_documents, mean_what_status_and_words_say)
{
    static const struct {
        unsigned status;
        const char *text;
        enum laz_call_verdict verdict;
        const char *words;
    } rows[] = {
            {200, "CANARY", LAZ_CALL_TAKEN, "it answers 200"},
            {204, "", LAZ_CALL_REFUSED, "it answers 204"},
            {307, "", LAZ_CALL_REFUSED, "it answers 307"},
            {400, "{\"errors\":[\"CANARY role\",\"b\"]}", LAZ_CALL_REFUSED,
                    "it answers 400: a reason that is not known here"},
            {401, "", LAZ_CALL_DENIED, "it answers 401"},
            {403, DENIED, LAZ_CALL_DENIED, "it answers 403: permission denied"},
            {403, "<html>CANARY</html>", LAZ_CALL_DENIED, "it answers 403"},
            {404, "{\"errors\":[]}", LAZ_CALL_ABSENT, "it answers 404"},
            {404, DELETED, LAZ_CALL_ABSENT, "it answers 404: the version is deleted"},
            {404, "{\"errors\":[\"no handler for route\"]}", LAZ_CALL_REFUSED,
                    "it answers 404: no handler for route"},
            {404, "{}", LAZ_CALL_REFUSED, "it answers 404"},
            {404, "<html>CANARY</html>", LAZ_CALL_REFUSED, "it answers 404"},
            {404, "{\"errors\":[],\"errors\":[]}", LAZ_CALL_REFUSED, "it answers 404"},
            {404, "{\"data\":{\"data\":{\"a\":\"CANARY\"},\"metadata\":{\"version\":2}}}",
                    LAZ_CALL_REFUSED, "it answers 404"},
            {408, "", LAZ_CALL_AGAIN, "it answers 408"},
            {412, "", LAZ_CALL_AGAIN, "it answers 412"},
            {429, "", LAZ_CALL_SLOWER, "it answers 429"},
            {472, "", LAZ_CALL_AGAIN, "it answers 472"},
            {473, "", LAZ_CALL_AGAIN, "it answers 473"},
            {500, "{\"errors\":[\"\\u0007\\u00e9 x\\u001b[2J\"]}", LAZ_CALL_AGAIN,
                    "it answers 500: a reason that is not known here"},
            {503, "{\"errors\":[\"Vault is sealed\"]}", LAZ_CALL_AGAIN,
                    "it answers 503: Vault is sealed"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char words[LAZ_VAULT_WORDS_MAX];
        cr_expect_eq(laz_vault_judge(rows[i].status, rows[i].text, strlen(rows[i].text), words,
                             sizeof(words)),
                rows[i].verdict, "%u %s", rows[i].status, rows[i].text);
        cr_expect_str_eq(words, rows[i].words, "%s", words);
    }
}

Test(vault_documents, say_nothing_that_vault_is_not_known_to_say)
{
    static char text[65536];
    char words[LAZ_VAULT_WORDS_MAX];
    (void)memset(text, 'x', sizeof(text));
    (void)memcpy(text, "{\"errors\":[\"", 12);
    (void)memcpy(text + sizeof(text) - 3, "\"]}", 3);
    cr_expect_eq(laz_vault_judge(400, text, sizeof(text), words, sizeof(words)), LAZ_CALL_REFUSED);
    cr_expect_str_eq(words, "it answers 400: a reason that is not known here");
    static const char longest[] =
            "{\"errors\":[\"upgrading from non-versioned to versioned data\"]}";
    cr_expect_eq(laz_vault_judge(400, longest, sizeof(longest) - 1, words, sizeof(words)),
            LAZ_CALL_REFUSED);
    cr_expect_str_eq(words, "it answers 400: upgrading from non-versioned to versioned data");
}

Test(vault_documents, give_a_token_that_can_be_a_header)
{
    static const struct {
        const char *text;
        const char *token; /* NULL: refused */
    } rows[] = {
            {"{\"auth\":{\"client_token\":\"hvs.CAES\",\"lease_duration\":60}}", "hvs.CAES"},
            {"{\"auth\":{\"client_token\":\"\"}}", NULL},
            {"{\"auth\":{\"client_token\":\"a\\r\\nX-Evil: 1\"}}", NULL},
            {"{\"auth\":{\"client_token\":\"a b\"}}", NULL},
            {"{\"auth\":{\"client_token\":\"a\\u00e9\"}}", NULL},
            {"{\"auth\":{\"client_token\":7}}", NULL},
            {"{\"auth\":null}", NULL},
            {"{\"auth\":{\"client_token\":\"a\",\"client_token\":\"b\"}}", NULL},
            {"{\"auth\":{\"client_token\":\"a\"}}x", NULL},
            {"[]", NULL},
            {"", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char token[LAZ_VAULT_TOKEN_MAX + 1] = "";
        struct laz_err err = {0};
        int result = laz_vault_parse_login(rows[i].text, strlen(rows[i].text), token, &err);
        cr_expect_eq(result, rows[i].token == NULL ? -1 : 0, "%s", rows[i].text);
        if (rows[i].token != NULL) {
            cr_expect_str_eq(token, rows[i].token);
        } else {
            cr_expect_null(strstr(err.message, "hvs"), "%s", err.message);
        }
    }
}

/* The signature itself is judged by botocore's signer, in the suite secrets_vault. */
Test(vault_documents, ask_for_a_login_by_a_signed_request_of_sts)
{
    static const struct laz_aws_key key = {
            .access_key = "AKIA", .secret_key = "CANARYsecret", .token = "CANARYtoken"};
    const struct laz_vault_identity identity = {.role = "app\"",
            .server_id = "vault.internal",
            .region = "",
            .key = &key,
            .date = "20261122T120000Z"};
    struct laz_json_node nodes[16];
    const struct laz_json_room room = {.nodes = nodes, .max = 16, .kind = LAZ_E_SINK};
    struct laz_json_doc doc;
    struct laz_err err = {0};
    struct laz_buf buf;
    char text[256];
    laz_buf_init_heap(&buf, 8192);
    cr_assert_eq(laz_vault_ask_login(&identity, &buf, &err), 0, "%s", err.message);
    cr_assert_eq(laz_json_read(buf.data, buf.len, &room, &doc, &err), 0, "%s", err.message);
    static const char *const rows[][2] = {{"role", "app\""}, {"iam_http_request_method", "POST"},
            {"iam_request_url", "aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbS8="},
            {"iam_request_body", "QWN0aW9uPUdldENhbGxlcklkZW50aXR5JlZlcnNpb249MjAxMS0wNi0xNQ=="}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect(laz_json_copy(
                &doc, laz_json_member(&doc, laz_json_root(&doc), rows[i][0]), text, sizeof(text)));
        cr_expect_str_eq(text, rows[i][1]);
    }
    cr_expect_null(strstr(buf.data, "CANARYsecret"), "the secret is in the request");
    laz_buf_done(&buf);
}
