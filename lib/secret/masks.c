/* SPDX-License-Identifier: Apache-2.0
 *
 * Lengths and bytes.
 */
#include "secret/masks.h"

#include <string.h>

#include "core/fd.h"
#include "secret/coding.h"
#include "secret/members.h"

/* Where they go, and how many they are: whoever reads them takes no more than so many. */
struct masks {
    int fd;
    unsigned n;
};

static int put(struct masks *masks, const char *bytes, size_t length, struct laz_err *err)
{
    uint8_t size[4];
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r')) {
        length--; /* lines of logs end with them, too */
    }
    if (length < LAZ_SECRET_MASK_MIN) {
        return 0;
    }
    if (++masks->n > LAZ_SECRET_MASKS_MAX) {
        return laz_err_set(err, LAZ_E_SECRET, 0,
                "it has more members of %d bytes and more than logs can be kept free of (%d texts)",
                LAZ_SECRET_MASK_MIN, LAZ_SECRET_MASKS_MAX);
    }
    for (unsigned i = 0; i < sizeof(size); i++) {
        size[i] = (uint8_t)(length >> (8 * i));
    }
    return laz_fd_write_all(masks->fd, size, sizeof(size), err) == 0
            ? laz_fd_write_all(masks->fd, bytes, length, err)
            : -1;
}

static int put_member(void *context, const char *bytes, size_t length, struct laz_err *err)
{
    return put(context, bytes, length, err);
}

/* A key as it is, of which each line is masked, and as one line of base64. */
static int put_key(struct masks *masks, const struct laz_buf *pem, struct laz_buf *scratch,
        struct laz_err *err)
{
    const char *end = pem->data + pem->len;
    for (const char *at = pem->data; at < end;) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((feed == NULL ? end : feed) - at);
        laz_buf_put(scratch, at, at[0] == '-' ? 0 : length);
        at += length + 1;
    }
    return put(masks, pem->data, pem->len, err) == 0 ? put(masks, scratch->data, scratch->len, err)
                                                     : -1;
}

/* A symmetric key as it is, and as it is in a JWK. */
static int put_oct(struct masks *masks, const struct laz_buf *key, struct laz_buf *scratch,
        struct laz_err *err)
{
    laz_secret_encode(LAZ_SECRET_FORM_BASE64URL, key->data, key->len, scratch);
    return put(masks, scratch->data, scratch->len, err) == 0 ? put(masks, key->data, key->len, err)
                                                             : -1;
}

int laz_secret_put_key_masks(
        int fd, const struct laz_buf *key, struct laz_buf *scratch, struct laz_err *err)
{
    struct masks masks = {.fd = fd};
    return put_oct(&masks, key, scratch, err);
}

int laz_secret_put_masks(int fd, const struct laz_fetch_item *item, const struct laz_buf *value,
        const struct laz_buf *rendered, struct laz_buf *scratch, struct laz_err *err)
{
    struct masks masks = {.fd = fd};
    const struct laz_members_visit visit = {.take = put_member, .context = &masks};
    bool has_members = item->form == LAZ_SECRET_FORM_JSON || item->form == LAZ_SECRET_FORM_DOTENV;
    if (item->source == LAZ_SECRET_IDENTITY) { /* of which the key alone is a secret */
        return item->part == LAZ_IDENTITY_KEY ? put_key(&masks, value, scratch, err) : 0;
    }
    bool is_jwk = item->form == LAZ_SECRET_FORM_JWK || item->form == LAZ_SECRET_FORM_JWKS;
    if (item->form == LAZ_SECRET_FORM_PEM && put_key(&masks, rendered, scratch, err) != 0) {
        return -1;
    }
    int result = is_jwk ? put_oct(&masks, value, scratch, err)
                        : put(&masks, value->data, value->len, err);
    if (result != 0 ||
            (item->form != LAZ_SECRET_FORM_RAW && item->form != LAZ_SECRET_FORM_PEM &&
                    put(&masks, rendered->data, rendered->len, err) != 0)) {
        return -1;
    }
    return has_members ? laz_members_each(value, &visit, err) : 0;
}
