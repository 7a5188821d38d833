/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of a value.
 */
#include "secret/value.h"

#include <stdlib.h>

#include "core/json_read.h"
#include "secret/coding.h"
#include "secret/jwk.h"
#include "secret/members.h"
#include "secret/memory.h"
#include "secret/p12.h"
#include "secret/pem.h"

#define NODES                                                                                      \
    (LAZ_FETCH_VALUE_MAX + 1) /* more than there can be in a value: one for every byte             \
                               */

/* Text as it is, everything else as it is written: 1e6 stays 1e6. */
static int take_member(const struct laz_fetch_item *item, const struct laz_json_doc *doc,
        struct laz_buf *ret, struct laz_err *err)
{
    const struct laz_json_node *root = laz_json_root(doc);
    const struct laz_json_node *node = laz_json_member(doc, root, item->json_key);
    if (root->type != LAZ_JSON_OBJECT) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "json-key \"%.64s\": the value is no JSON object",
                item->json_key);
    }
    if (node == NULL || node->type == LAZ_JSON_NULL) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "json-key \"%.64s\": %s", item->json_key,
                node == NULL ? "there is no such key" : "it is null");
    }
    if (node->type != LAZ_JSON_STRING) {
        laz_buf_put(ret, doc->text + node->start, node->end - node->start);
    } else if (!laz_json_text(doc, node, ret) && !ret->overflow) {
        return laz_err_set(
                err, LAZ_E_SECRET, 0, "json-key \"%.64s\": its text holds a NUL", item->json_key);
    }
    return 0;
}

/* Nodes hold places in the text, and nothing of it. */
static int read_member(const struct laz_fetch_item *item, const struct laz_buf *from,
        struct laz_buf *ret, struct laz_err *err)
{
    struct laz_json_doc doc;
    struct laz_json_node *nodes = calloc(NODES, sizeof(*nodes));
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SECRET};
    if (nodes == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to read JSON");
    }
    int result = laz_json_read(from->data, from->len, &room, &doc, err);
    if (result != 0) {
        (void)laz_err_context(err, "json-key \"%.64s\": the value", item->json_key);
    } else {
        result = take_member(item, &doc, ret, err);
    }
    free(nodes);
    return result;
}

/* The member has to be decoded from a place of its own. */
static int decode_member(const struct laz_fetch_item *item, const struct laz_buf *from,
        struct laz_buf *ret, struct laz_err *err)
{
    struct laz_buf member = {0};
    if (laz_secret_buf_init(&member, LAZ_SECRET_SOURCE_MAX + 1, err) != 0) {
        return -1;
    }
    int result = read_member(item, from, &member, err);
    ret->overflow = ret->overflow || member.overflow;
    if (result == 0 && laz_secret_decode(item->decode, member.data, member.len, ret, err) != 0) {
        result = laz_err_context(err, "decode: %s", laz_secret_form_name(item->decode));
    }
    laz_secret_buf_done(&member);
    return result;
}

int laz_secret_unpack(const struct laz_fetch_item *item, const struct laz_buf *from,
        struct laz_buf *ret, enum laz_secret_fault *ret_fault, struct laz_err *err)
{
    int result = 0;
    bool is_raw = item->decode == LAZ_SECRET_FORM_RAW;
    if (item->json_key[0] != '\0') {
        result = is_raw ? read_member(item, from, ret, err) : decode_member(item, from, ret, err);
    } else if (laz_secret_decode(item->decode, from->data, from->len, ret, err) != 0) {
        result = laz_err_context(err, "decode: %s", laz_secret_form_name(item->decode));
    }
    if (result != 0) {
        *ret_fault =
                err->kind == LAZ_E_MEMORY ? LAZ_SECRET_FAULT_SYSTEM : LAZ_SECRET_FAULT_MALFORMED;
    } else if (ret->overflow) {
        *ret_fault = LAZ_SECRET_FAULT_LENGTH;
        result = laz_err_set(err, LAZ_E_SECRET, 0, "longer than %d bytes", LAZ_FETCH_VALUE_MAX);
    }
    return result;
}

int laz_secret_check(const struct laz_fetch_item *item, const struct laz_buf *value,
        enum laz_secret_fault *ret_fault, struct laz_err *err)
{
    if (value->len >= item->min_bytes && value->len <= item->max_bytes) {
        return 0;
    }
    *ret_fault = LAZ_SECRET_FAULT_LENGTH;
    if (item->min_bytes == item->max_bytes) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "%zu bytes, and not the %u of \"bytes\"",
                value->len, item->min_bytes);
    }
    return laz_err_set(err, LAZ_E_SECRET, 0, "%zu bytes, and \"bytes\" has %u to %u", value->len,
            item->min_bytes, item->max_bytes);
}

int laz_secret_render(const struct laz_fetch_item *item, const struct laz_buf *value,
        const struct laz_buf *before, struct laz_buf *ret, enum laz_secret_fault *ret_fault,
        struct laz_err *err)
{
    int result = 0;
    if (item->source == LAZ_SECRET_IDENTITY && item->part == LAZ_IDENTITY_P12) {
        result = laz_p12_put(item->from, value, ret, err);
    } else if (item->form == LAZ_SECRET_FORM_JSON) {
        result = laz_members_json(value, ret, err);
    } else if (item->form == LAZ_SECRET_FORM_DOTENV) {
        result = laz_members_dotenv(value, ret, err);
    } else if (item->form == LAZ_SECRET_FORM_JWK || item->form == LAZ_SECRET_FORM_JWKS) {
        result = laz_secret_put_jwk(item, value, before, ret, err);
    } else if (item->form == LAZ_SECRET_FORM_PEM) {
        result = laz_pem_rewrite(value->data, value->len, ret, err);
    } else {
        laz_secret_encode(item->form, value->data, value->len, ret);
    }
    if (item->newline) {
        laz_buf_char(ret, '\n');
    }
    if (result != 0) {
        *ret_fault =
                err->kind == LAZ_E_SECRET ? LAZ_SECRET_FAULT_MALFORMED : LAZ_SECRET_FAULT_SYSTEM;
        return laz_err_context(err, "form: %s", laz_secret_form_name(item->form));
    }
    *ret_fault = LAZ_SECRET_FAULT_LENGTH;
    return ret->overflow ? laz_err_set(err, LAZ_E_SECRET, 0, "its form is too long") : 0;
}
