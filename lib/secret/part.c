/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of an item, and how it ends.
 */
#include "secret/part.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/fd.h"
#include "core/json.h"
#include "core/num.h"
#include "secret/masks.h"
#include "secret/memory.h"
#include "secret/sealed.h"
#include "secret/value.h"

#define VALUE_MAX  (LAZ_FETCH_VALUE_MAX + 2)     /* one byte more than may be, and a NUL */
#define RENDER_MAX (2 * LAZ_FETCH_VALUE_MAX + 3) /* in hex, with a line feed */

/* ---- what parts share ---- */

int laz_desk_init(struct laz_desk *desk, struct laz_err *err)
{
    return laz_secret_buf_init(&desk->source, LAZ_SECRET_SOURCE_MAX + 2, err) != 0 ||
                    laz_secret_buf_init(&desk->value, VALUE_MAX, err) != 0 ||
                    laz_secret_buf_init(&desk->rendered, RENDER_MAX, err) != 0
            ? -1
            : 0;
}

static void wipe(struct laz_desk *desk)
{
    laz_secret_buf_clear(&desk->source);
    laz_secret_buf_clear(&desk->value);
    laz_secret_buf_clear(&desk->rendered);
}

void laz_desk_done(struct laz_desk *desk)
{
    laz_secret_buf_done(&desk->source);
    laz_secret_buf_done(&desk->value);
    laz_secret_buf_done(&desk->rendered);
}

/* ---- how it ends ---- */

static void end(struct laz_part *part, enum laz_secret_end how)
{
    struct laz_desk *desk = part->desk;
    wipe(desk);
    part->state = LAZ_PART_ENDED;
    part->result.end = how;
    if (how != LAZ_SECRET_END_FETCHED) {
        part->result.version[0] = part->result.fingerprint[0] = '\0';
        part->result.renew = part->result.expires = 0;
    }
    desk->ended(desk->context, part);
}

void laz_part_fail(
        struct laz_part *part, enum laz_secret_fault fault, const char *why, const char *id)
{
    if (part->state != LAZ_PART_OPEN) {
        return;
    }
    (void)snprintf(part->result.why, sizeof(part->result.why), "%s: %.320s%s%s%s",
            laz_secret_fault_name(fault), why, id[0] == '\0' ? "" : " (request ", id,
            id[0] == '\0' ? "" : ")");
    end(part,
            fault == LAZ_SECRET_FAULT_ABSENT && part->item->optional ? LAZ_SECRET_END_ABSENT
                                                                     : LAZ_SECRET_END_FAILED);
}

void laz_part_expire(struct laz_part *part, uint32_t wait_ms)
{
    const struct laz_source *source = part->is_decrypting ? part->decrypt : part->source;
    struct laz_source_said said = {.fault = LAZ_SECRET_FAULT_UNAVAILABLE};
    char why[LAZ_ERR_MESSAGE_MAX];
    if (part->state != LAZ_PART_OPEN || part->held >= 0) {
        return;
    }
    source->kind->said(source, &said);
    (void)snprintf(why, sizeof(why), "not there after %u ms; the last try: %.240s", wait_ms,
            said.why[0] == '\0' ? "it has not been answered" : said.why);
    laz_part_fail(part, said.fault, why, said.id);
}

/* ---- its last step ---- */

/* Of its value; where the key of before is in its form, of that: it changes with either. */
static int take_fingerprint(struct laz_part *part, struct laz_err *err)
{
    const struct laz_desk *desk = part->desk;
    const struct laz_buf *of = part->previous == NULL ? &desk->value : &desk->rendered;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (HMAC(EVP_sha256(), desk->key, LAZ_SECRET_KEY_BYTES, (const uint8_t *)of->data, of->len,
                digest, &size) == NULL ||
            size < LAZ_SECRET_FINGERPRINT) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0, "libcrypto refuses HMAC");
    }
    laz_format_hex(digest, LAZ_SECRET_FINGERPRINT, part->result.fingerprint);
    return 0;
}

/* What is in a sealed file of ours, into an empty buffer. */
static int read_sealed(int fd, struct laz_buf *ret, struct laz_err *err)
{
    laz_secret_buf_clear(ret);
    for (;;) {
        ssize_t n = pread(fd, ret->data + ret->len, ret->cap - ret->len, (off_t)ret->len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? 0 : laz_err_set(err, LAZ_E_SYSTEM, errno, "pread: %s", strerror(errno));
        }
        ret->len += (size_t)n;
    }
}

static bool has_previous(const struct laz_part *part)
{
    return part->previous != NULL && part->previous->result.end == LAZ_SECRET_END_FETCHED;
}

/* What is rendered has been handed over: its place is free. */
static int put_masks_of_previous(struct laz_part *part, struct laz_err *err)
{
    struct laz_desk *desk = part->desk;
    if (!has_previous(part)) {
        return 0;
    }
    laz_secret_buf_clear(&desk->rendered);
    return read_sealed(part->previous->result.fd, &desk->source, err) != 0
            ? -1
            : laz_secret_put_key_masks(part->result.masks, &desk->source, &desk->rendered, err);
}

static int put_masks(struct laz_part *part, struct laz_err *err)
{
    struct laz_desk *desk = part->desk;
    int *fd = &part->result.masks;
    laz_secret_buf_clear(&desk->source);
    return laz_sealed_new(fd, err) != 0 ||
                    laz_secret_put_masks(*fd, part->item, &desk->value, &desk->rendered,
                            &desk->source, err) != 0 ||
                    put_masks_of_previous(part, err) != 0
            ? -1
            : laz_sealed_close(*fd, err);
}

/* What a process would not see as it is, or not start with, is no variable. */
static int check_exposed(
        const struct laz_buf *rendered, enum laz_secret_fault *ret_fault, struct laz_err *err)
{
    *ret_fault = LAZ_SECRET_FAULT_LENGTH;
    if (rendered->len > LAZ_FETCH_EXPOSED_MAX) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "%zu bytes, and a variable may have %d",
                rendered->len, LAZ_FETCH_EXPOSED_MAX);
    }
    *ret_fault = LAZ_SECRET_FAULT_MALFORMED;
    if (memchr(rendered->data, '\0', rendered->len) != NULL) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "it holds a NUL: no variable can");
    }
    for (size_t at = 0; at < rendered->len;) {
        size_t length = laz_utf8_length(rendered->data + at, rendered->len - at);
        if (length == 0) {
            return laz_err_set(err, LAZ_E_SECRET, 0, "it is not UTF-8, and goes to a variable");
        }
        at += length;
    }
    return 0;
}

static int hand_over(struct laz_part *part, enum laz_secret_fault *ret_fault, struct laz_err *err)
{
    struct laz_desk *desk = part->desk;
    const struct laz_buf *rendered = &desk->rendered;
    bool is_two = has_previous(part);
    const struct laz_buf *before = is_two ? &desk->source : NULL;
    *ret_fault = LAZ_SECRET_FAULT_SYSTEM;
    if (is_two && read_sealed(part->previous->result.fd, &desk->source, err) != 0) {
        return -1;
    }
    if (laz_secret_render(part->item, &desk->value, before, &desk->rendered, ret_fault, err) != 0) {
        return -1;
    }
    if (part->item->is_exposed && check_exposed(rendered, ret_fault, err) != 0) {
        return laz_err_context(err, "expose-in-environment");
    }
    *ret_fault = LAZ_SECRET_FAULT_SYSTEM;
    if (take_fingerprint(part, err) != 0 ||
            laz_sealed_make(rendered->data, rendered->len, &part->result.fd, err) != 0) {
        return -1;
    }
    if (put_masks(part, err) != 0) {
        *ret_fault = err->kind == LAZ_E_SECRET ? LAZ_SECRET_FAULT_LENGTH : LAZ_SECRET_FAULT_SYSTEM;
        return -1;
    }
    return 0;
}

/* Until the key of before has ended; an answer is awaited without a value at hand. */
static void hold(struct laz_part *part)
{
    struct laz_err err = {0};
    const struct laz_buf *value = &part->desk->value;
    if (laz_sealed_make(value->data, value->len, &part->held, &err) != 0) {
        laz_part_fail(part, LAZ_SECRET_FAULT_SYSTEM, err.message, "");
        return;
    }
    wipe(part->desk);
}

void laz_part_resume(struct laz_part *part)
{
    struct laz_err err = {0};
    enum laz_secret_fault fault = LAZ_SECRET_FAULT_SYSTEM;
    if (part->state != LAZ_PART_OPEN || part->held < 0) {
        return;
    }
    laz_cleanup_fd int held = part->held;
    part->held = -1;
    int result = read_sealed(held, &part->desk->value, &err);
    if (result != 0 || hand_over(part, &fault, &err) != 0) {
        laz_part_fail(part, fault, err.message, "");
    } else {
        end(part, LAZ_SECRET_END_FETCHED);
    }
}

/* desk->value is what was asked for. */
static void finish(struct laz_part *part, const char *id)
{
    struct laz_err err = {0};
    enum laz_secret_fault fault = LAZ_SECRET_FAULT_LENGTH;
    bool has_to_wait = part->previous != NULL && part->previous->state != LAZ_PART_ENDED;
    if (laz_secret_check(part->item, &part->desk->value, &fault, &err) != 0) {
        laz_part_fail(part, fault, err.message, id);
    } else if (has_to_wait) {
        hold(part);
    } else if (hand_over(part, &fault, &err) != 0) {
        laz_part_fail(part, fault, err.message, fault == LAZ_SECRET_FAULT_SYSTEM ? "" : id);
    } else {
        end(part, LAZ_SECRET_END_FETCHED);
    }
}

/* ---- its steps ---- */

static void on_decrypted(void *context, uint32_t item, const char *version, const char *id)
{
    struct laz_part *part = context;
    (void)item;
    (void)version; /* the ciphertext has it */
    if (part->state == LAZ_PART_OPEN) {
        finish(part, id);
    } else {
        wipe(part->desk);
    }
}

static void on_not_decrypted(void *context, const struct laz_source *source,
        enum laz_secret_fault fault, const char *why, const char *id)
{
    (void)source;
    laz_part_fail(context, fault, why, id);
}

static void decrypt(struct laz_part *part, const char *id)
{
    struct laz_desk *desk = part->desk;
    if (desk->value.len == 0 || desk->value.len > LAZ_SECRET_CIPHERTEXT_MAX) {
        char why[96];
        (void)snprintf(why, sizeof(why), "%zu bytes, and KMS decrypts 1 to %d", desk->value.len,
                LAZ_SECRET_CIPHERTEXT_MAX);
        laz_part_fail(part, LAZ_SECRET_FAULT_UNDECRYPTABLE, why, id);
        return;
    }
    laz_source_put_ciphertext(part->decrypt, desk->value.data, desk->value.len);
    wipe(desk);
    part->is_decrypting = true;
    part->decrypt->kind->start(part->decrypt);
}

void laz_part_take(struct laz_part *part, const char *version, const char *id)
{
    struct laz_desk *desk = part->desk;
    struct laz_err err = {0};
    enum laz_secret_fault fault = LAZ_SECRET_FAULT_MALFORMED;
    if (part->state != LAZ_PART_OPEN) {
        wipe(desk);
        return;
    }
    (void)snprintf(part->result.version, sizeof(part->result.version), "%s", version);
    part->result.renew = part->source->renew;
    part->result.expires = part->source->expires;
    if (laz_secret_unpack(part->item, &desk->source, &desk->value, &fault, &err) != 0) {
        laz_part_fail(part, fault, err.message, id);
    } else if (part->decrypt != NULL) {
        decrypt(part, id);
    } else {
        finish(part, id);
    }
}

int laz_part_prepare(
        struct laz_part *part, struct laz_reach *reach, uint32_t item, struct laz_err *err)
{
    const struct laz_source_owner owner = {.given = on_decrypted,
            .failed = on_not_decrypted,
            .into = &part->desk->value,
            .context = part};
    part->item = &reach->means.config->items[item];
    part->state = LAZ_PART_OPEN;
    return part->item->kms_key[0] == '\0'
            ? 0
            : laz_source_new_decrypt(reach, item, &owner, &part->decrypt, err);
}

void laz_part_done(struct laz_part *part)
{
    laz_source_free(part->decrypt);
    laz_fd_close(&part->held);
    laz_fd_close(&part->result.fd);
    laz_fd_close(&part->result.masks);
}
