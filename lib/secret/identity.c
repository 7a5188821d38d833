/* SPDX-License-Identifier: Apache-2.0
 *
 * An identity as a source of its items: a key and a certificate are had, judged together, and only
 * then given, in the forms that programs read. Whatever is given was written here.
 */
#include "secret/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "secret/chain.h"
#include "secret/memory.h"
#include "secret/p12.h"
#include "secret/pem.h"
#include "secret/source.h"
#include "secret/value.h"

#define CAS_BYTES_MAX ((size_t)1 << 20)
#define WHAT_MAX      128 /* bytes of what a sentence is about */

void laz_identity_fail(const struct laz_identity *identity, enum laz_secret_fault fault,
        const char *what, const char *why)
{
    const struct laz_source_owner *owner = &identity->source.owner;
    char text[LAZ_ERR_MESSAGE_MAX];
    (void)snprintf(text, sizeof(text), "%.120s%s%.320s", what, what[0] == '\0' ? "" : ": ", why);
    owner->failed(owner->context, &identity->source, fault, text, identity->id);
}

enum laz_secret_fault laz_identity_fault(const struct laz_err *err)
{
    return err->kind == LAZ_E_SECRET ? LAZ_SECRET_FAULT_CERTIFICATE : LAZ_SECRET_FAULT_SYSTEM;
}

/* Up to what the buffer takes; -1: there is more, or errno. */
static int read_all(int fd, struct laz_buf *ret)
{
    while (ret->len < ret->cap) {
        ssize_t n = pread(fd, ret->data + ret->len, ret->cap - ret->len, (off_t)ret->len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return (int)n;
        }
        ret->len += (size_t)n;
    }
    errno = EFBIG;
    return -1;
}

/* ---- who is trusted ---- */

static int read_cas(const struct laz_identity *identity, STACK_OF(X509) * *ret, struct laz_err *err)
{
    const struct laz_secret_given *given = &identity->reach->means.identity_cas[identity->index];
    int result = -1;
    if (identity->wish->ca[0] == '\0') {
        return 0;
    }
    if (given->fd < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, given->sys_errno, "%s", given->why);
    }
    char *memory = malloc(CAS_BYTES_MAX);
    struct laz_buf text = {.data = memory, .cap = memory == NULL ? 0 : CAS_BYTES_MAX};
    if (memory == NULL || read_all(given->fd, &text) < 0) {
        (void)laz_err_set(err, LAZ_E_SYSTEM, errno, "%s", strerror(errno));
    } else {
        result = laz_pem_read_certificates(text.data, text.len, LAZ_PEM_CAS_MAX, ret, err);
    }
    free(memory);
    return result;
}

/* ---- what is given ---- */

static int put_chain(const struct laz_identity *identity, bool is_alone, struct laz_buf *ret,
        struct laz_err *err)
{
    int n = is_alone ? 1 : sk_X509_num(identity->chain);
    for (int i = 0; i < n; i++) {
        if (laz_pem_write_certificate(sk_X509_value(identity->chain, i), ret, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int put_bundle(const struct laz_identity *identity, struct laz_buf *ret, struct laz_err *err)
{
    return laz_pem_write_key(identity->key, ret, err) == 0 ? put_chain(identity, false, ret, err)
                                                           : -1;
}

/* What a PKCS#12 is made of: equal ones have equal fingerprints, which two of them never have. */
static int put_for_p12(
        const struct laz_identity *identity, struct laz_buf *ret, struct laz_err *err)
{
    if (read_all(identity->reach->values[identity->wish->password - 1], ret) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s", strerror(errno));
    }
    if (!laz_p12_is_password(ret->data, ret->len)) {
        return laz_err_set(err, LAZ_E_SECRET, 0,
                "the password of its PKCS#12 is not 1 to %d characters that can be typed",
                LAZ_P12_PASSWORD_MAX);
    }
    laz_buf_char(ret, '\n');
    return put_bundle(identity, ret, err);
}

static int put_part(const struct laz_identity *identity, enum laz_identity_part part,
        struct laz_buf *ret, struct laz_err *err)
{
    switch (part) {
    case LAZ_IDENTITY_CERTIFICATE:
        return put_chain(identity, true, ret, err);
    case LAZ_IDENTITY_CHAIN:
        return put_chain(identity, false, ret, err);
    case LAZ_IDENTITY_KEY:
        return laz_pem_write_key(identity->key, ret, err);
    case LAZ_IDENTITY_BUNDLE:
        return put_bundle(identity, ret, err);
    case LAZ_IDENTITY_P12:
        return put_for_p12(identity, ret, err);
    case LAZ_IDENTITY_PART_COUNT:
        break;
    }
    return laz_err_set(err, LAZ_E_INTERNAL, 0, "no such part");
}

/* The first that ends of those that are given. */
static int64_t find_end(const struct laz_identity *identity)
{
    int64_t end = laz_chain_not_after(sk_X509_value(identity->chain, 0));
    for (int i = 1; i < sk_X509_num(identity->chain); i++) {
        int64_t other = laz_chain_not_after(sk_X509_value(identity->chain, i));
        end = other < end ? other : end;
    }
    return end;
}

/* Its life begins now, whatever a CA says: some say an hour ago, for clocks that are behind. */
static int set_times(struct laz_identity *identity, struct laz_err *err)
{
    const struct laz_fetch_identity *wish = identity->wish;
    int64_t now = (int64_t)time(NULL);
    int64_t end = find_end(identity);
    uint64_t life = end > now ? (uint64_t)(end - now) : 0;
    uint64_t width = life * 2 * wish->renew_jitter / 100;
    uint64_t chance = 0;
    identity->source.expires = end > 0 ? (uint64_t)end : 1; /* 0 would be: never */
    if (wish->renew_at == 0) {
        return 0;
    }
    if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance)) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "getrandom: %s", strerror(errno));
    }
    identity->source.renew =
            (uint64_t)now + life * wish->renew_at / 100 - width / 2 + chance % (width + 1);
    return 0;
}

static void give(struct laz_identity *identity)
{
    const struct laz_fetch_config *config = identity->reach->means.config;
    const struct laz_source_owner *owner = &identity->source.owner;
    char serial[LAZ_SECRET_VERSION_MAX + 1];
    struct laz_err err = {0};
    if (laz_chain_serial(sk_X509_value(identity->chain, 0), serial, sizeof(serial), &err) != 0) {
        laz_identity_fail(identity, LAZ_SECRET_FAULT_CERTIFICATE, "", err.message);
        return;
    }
    if (set_times(identity, &err) != 0) {
        laz_identity_fail(identity, LAZ_SECRET_FAULT_SYSTEM, "", err.message);
        return;
    }
    for (uint32_t i = 0; i < config->n_items; i++) {
        if ((identity->source.items & identity->reach->means.asked & 1U << i) == 0) {
            continue;
        }
        if (put_part(identity, config->items[i].part, owner->into, &err) != 0 ||
                owner->into->overflow) {
            bool is_long = owner->into->overflow;
            laz_secret_buf_clear(owner->into);
            laz_identity_fail(identity,
                    is_long ? LAZ_SECRET_FAULT_LENGTH : laz_identity_fault(&err), "",
                    is_long ? "longer than a file may be" : err.message);
            return;
        }
        owner->given(owner->context, i, serial, identity->id);
    }
}

/* The certificates, the key, and who is trusted: do they hold together? */
static bool judge(struct laz_identity *identity, const STACK_OF(X509) * given)
{
    struct laz_err err = {0};
    STACK_OF(X509) *cas = NULL;
    if (read_cas(identity, &cas, &err) != 0) {
        char what[WHAT_MAX];
        (void)snprintf(what, sizeof(what), "ca %.100s", identity->wish->ca);
        laz_identity_fail(identity, LAZ_SECRET_FAULT_REFUSED, what, err.message);
        return false;
    }
    const struct laz_chain_wish wish = {.identity = identity->wish,
            .cas = cas,
            .key = identity->key,
            .validity_s = identity->wish->validity_s,
            .now = (int64_t)time(NULL)};
    bool is_good = laz_chain_check_key(identity->key, &err) == 0 &&
            laz_chain_check(&wish, given, &identity->chain, &err) == 0;
    sk_X509_pop_free(cas, X509_free);
    if (!is_good) {
        laz_identity_fail(identity, laz_identity_fault(&err), "", err.message);
    }
    return is_good;
}

void laz_identity_take(struct laz_identity *identity, const STACK_OF(X509) * given)
{
    if (judge(identity, given)) {
        give(identity);
    }
    EVP_PKEY_free(identity->key);
    identity->key = NULL;
}

/* ---- its life ---- */

void laz_identity_init(struct laz_identity *ret, struct laz_reach *reach, uint32_t item,
        const struct laz_source_kind *kind, const struct laz_source_owner *owner)
{
    const struct laz_fetch_config *config = reach->means.config;
    ret->reach = reach;
    ret->index = config->items[item].identity;
    ret->wish = &config->identities[ret->index];
    ret->id = "";
    ret->source = (struct laz_source){.kind = kind, .owner = *owner};
    for (uint32_t i = 0; i < config->n_items; i++) {
        const struct laz_fetch_item *other = &config->items[i];
        if (other->source == LAZ_SECRET_IDENTITY && other->identity == ret->index) {
            ret->source.items |= 1U << i;
            bool is_p12 = (reach->means.asked >> i & 1U) != 0 && other->part == LAZ_IDENTITY_P12;
            ret->source.needs |= is_p12 ? 1U << (ret->wish->password - 1) : 0;
        }
    }
}

void laz_identity_done(struct laz_identity *identity)
{
    EVP_PKEY_free(identity->key);
    sk_X509_pop_free(identity->chain, X509_free);
}

/* ---- out of two items ---- */

static int read_certificates(const struct laz_identity *identity, struct laz_buf *room,
        STACK_OF(X509) * *ret, struct laz_err *err)
{
    if (read_all(identity->reach->values[identity->wish->certificate_item], room) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s", strerror(errno));
    }
    return laz_pem_read_certificates(room->data, room->len, LAZ_PEM_CERTIFICATES_MAX, ret, err);
}

static int read_key(struct laz_identity *identity, struct laz_buf *room, struct laz_err *err)
{
    if (read_all(identity->reach->values[identity->wish->key_item], room) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s", strerror(errno));
    }
    return laz_pem_read_key(room->data, room->len, &identity->key, err);
}

static void start(struct laz_source *source)
{
    struct laz_identity *identity = (struct laz_identity *)source;
    const struct laz_fetch_config *config = identity->reach->means.config;
    struct laz_buf room = {0};
    struct laz_err err = {0};
    STACK_OF(X509) *given = NULL;
    uint32_t at = identity->wish->certificate_item;
    bool is_read = false;
    if (laz_secret_buf_init(&room, (size_t)LAZ_SECRET_SOURCE_MAX, &err) == 0 &&
            read_certificates(identity, &room, &given, &err) == 0) {
        laz_secret_buf_clear(&room);
        at = identity->wish->key_item;
        is_read = read_key(identity, &room, &err) == 0;
    }
    laz_secret_buf_done(&room);
    if (is_read) {
        laz_identity_take(identity, given);
    } else {
        laz_identity_fail(identity, laz_identity_fault(&err), config->items[at].name, err.message);
    }
    sk_X509_pop_free(given, X509_free);
}

static void say(const struct laz_source *source, struct laz_source_said *ret)
{
    (void)source;
    *ret = (struct laz_source_said){.fault = LAZ_SECRET_FAULT_UNAVAILABLE,
            .why = "the items that it is made of are not there"};
}

static void end(struct laz_source *source)
{
    laz_identity_done((struct laz_identity *)source);
    free(source);
}

static const struct laz_source_kind kind = {.start = start, .said = say, .free = end};

int laz_source_new_identity(struct laz_reach *reach, uint32_t item,
        const struct laz_source_owner *owner, struct laz_source **ret, struct laz_err *err)
{
    const struct laz_fetch_config *config = reach->means.config;
    const struct laz_fetch_identity *wish = &config->identities[config->items[item].identity];
    if (wish->source != LAZ_IDENTITY_FROM_ITEMS) {
        return laz_source_new_issuer(reach, item, owner, ret, err);
    }
    struct laz_identity *identity = calloc(1, sizeof(*identity));
    if (identity == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a source");
    }
    laz_identity_init(identity, reach, item, &kind, owner);
    identity->source.needs |= 1U << wish->certificate_item | 1U << wish->key_item;
    *ret = &identity->source;
    return 0;
}
