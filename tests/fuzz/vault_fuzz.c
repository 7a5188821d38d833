/* SPDX-License-Identifier: Apache-2.0
 *
 * What Vault answers, by the first byte: a refusal of that status, a login, a secret of KV. What is
 * said of it is short, printable and on one line; a token can be a header; a value is an object
 * that the answer has byte for byte; what is refused leaves nothing and quotes nothing.
 */
#include "net/vault.h"

#include <stdlib.h>

#include "core/json_read.h"
#include "fuzz.h"
#include "secret/kv.h"

#define NODES 8192

static void check_line(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        require(*c >= ' ' && *c <= '~');
    }
}

static void check_refusal(unsigned status, const char *text, size_t length)
{
    char words[LAZ_VAULT_WORDS_MAX];
    enum laz_call_verdict verdict = laz_vault_judge(status, text, length, words, sizeof(words));
    require((verdict == LAZ_CALL_TAKEN) == (status == 200));
    require(verdict != LAZ_CALL_ABSENT || status == 404);
    require(strlen(words) < LAZ_VAULT_WORDS_MAX - 1);
    check_line(words);
}

static void check_login(const char *text, size_t length)
{
    char token[LAZ_VAULT_TOKEN_MAX + 1];
    struct laz_err err = {0};
    if (laz_vault_parse_login(text, length, token, &err) == 0) {
        require(token[0] != '\0' && strchr(token, ' ') == NULL);
        check_line(token);
    } else {
        require(strlen(err.message) < 160);
        check_line(err.message);
    }
}

static void check_secret(const char *text, size_t length)
{
    static const struct laz_fetch_item item = {.name = "it", .from = "kv/data/a", .version = ""};
    struct laz_json_node *nodes = calloc(NODES, sizeof(*nodes));
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SECRET};
    struct laz_json_doc doc;
    struct laz_buf value;
    struct laz_err err = {0};
    laz_buf_init_wiped(&value, length + 2);
    struct laz_secret_reading reading = {.value = &value, .fault = LAZ_SECRET_FAULT_COUNT};
    require(nodes != NULL);
    if (laz_secret_read_kv(&item, text, length, &reading, &err) != 0) {
        require(reading.fault < LAZ_SECRET_FAULT_COUNT && value.len == 0);
        require(err.kind == LAZ_E_SECRET && strlen(err.message) < 160);
        check_line(err.message);
    } else {
        require(laz_json_read(value.data, value.len, &room, &doc, &err) == 0);
        require(laz_json_root(&doc)->type == LAZ_JSON_OBJECT && value.len <= length);
        require(reading.version[0] >= '1' && reading.version[0] <= '9');
    }
    laz_buf_done(&value);
    free(nodes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned statuses[] = {200, 400, 403, 404, 429, 472, 503, 999};
    if (size < 1 || size > 20000) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    check_refusal(statuses[data[0] / 4 % 8], text, size - 1);
    if (data[0] % 4 == 1) {
        check_login(text, size - 1);
    } else if (data[0] % 4 == 2) {
        check_secret(text, size - 1);
    }
    return 0;
}
