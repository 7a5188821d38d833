/* SPDX-License-Identifier: Apache-2.0
 *
 * What one certificate says is read here; whether a chain holds, OpenSSL says.
 */
#include "secret/chain.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "secret/names.h"

#define LEVEL         2 /* OpenSSL's security level: 112 bits, no SHA-1 */
#define DEPTH_MAX     8
#define RSA_MIN       2048
#define RSA_MAX       8192
#define SECONDS_A_DAY 86400

#define UNREADABLE_KEY "its public key cannot be read"

/* ---- keys ---- */

static bool is_good_curve(const EVP_PKEY *key)
{
    static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
    char name[64];
    if (EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        if (strcmp(curves[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int check_strength(const EVP_PKEY *key, struct laz_err *err)
{
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "RSA")) {
        return bits >= RSA_MIN && bits <= RSA_MAX
                ? 0
                : laz_err_set(err, LAZ_E_SECRET, 0,
                          "its key is RSA of %d bits, and not of %d to %d", bits, RSA_MIN, RSA_MAX);
    }
    if (!EVP_PKEY_is_a(key, "EC") || !is_good_curve(key)) {
        return laz_err_set(
                err, LAZ_E_SECRET, 0, "its key is neither RSA nor on P-256, P-384 or P-521");
    }
    return 0;
}

int laz_chain_check_key(EVP_PKEY *key, struct laz_err *err)
{
    if (check_strength(key, err) != 0) {
        return -1;
    }
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    int result = context == NULL ? 0 : EVP_PKEY_pairwise_check(context);
    EVP_PKEY_CTX_free(context);
    return result == 1
            ? 0
            : laz_err_set(err, LAZ_E_SECRET, 0, "the two halves of its key do not belong together");
}

/* ---- time ---- */

/* Days from 1970-01-01 to the first of a month. */
static int64_t days_to(int64_t year, int64_t month)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t shifted = (month + 9) % 12; /* from March on */
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * shifted + 2) / 5 - 719468;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm;
    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1) {
        return 0;
    }
    int64_t days = days_to((int64_t)tm.tm_year + 1900, (int64_t)tm.tm_mon + 1) + tm.tm_mday - 1;
    return days * SECONDS_A_DAY + (int64_t)tm.tm_hour * 3600 + (int64_t)tm.tm_min * 60 + tm.tm_sec;
}

int64_t laz_chain_not_before(const X509 *certificate)
{
    return seconds_of(X509_get0_notBefore(certificate));
}

int64_t laz_chain_not_after(const X509 *certificate)
{
    return seconds_of(X509_get0_notAfter(certificate));
}

static int refuse_time(const char *what, const ASN1_TIME *time, int64_t now, struct laz_err *err)
{
    struct tm tm;
    struct tm here;
    const time_t seconds = (time_t)now;
    if (ASN1_TIME_to_tm(time, &tm) != 1 || gmtime_r(&seconds, &here) == NULL) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "its times cannot be read");
    }
    return laz_err_set(err, LAZ_E_SECRET, 0,
            "%s %04d-%02d-%02dT%02d:%02d:%02dZ; the clock here says "
            "%04d-%02d-%02dT%02d:%02d:%02dZ",
            what, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
            here.tm_year + 1900, here.tm_mon + 1, here.tm_mday, here.tm_hour, here.tm_min,
            here.tm_sec);
}

static int check_time(const struct laz_chain_wish *wish, const X509 *leaf, struct laz_err *err)
{
    int64_t first = laz_chain_not_before(leaf);
    int64_t last = laz_chain_not_after(leaf);
    if (first > wish->now + LAZ_CHAIN_CLOCK_S) {
        return refuse_time("it is not good before", X509_get0_notBefore(leaf), wish->now, err);
    }
    if (last <= wish->now || last <= first) {
        return refuse_time("it was good until", X509_get0_notAfter(leaf), wish->now, err);
    }
    if (wish->validity_s > 0 && last > wish->now + (int64_t)wish->validity_s + LAZ_CHAIN_EXTRA_S) {
        return refuse_time("it is good for longer than was asked for, until",
                X509_get0_notAfter(leaf), wish->now, err);
    }
    return 0;
}

/* ---- purpose ---- */

static int check_extended(uint32_t purpose, X509 *leaf, struct laz_err *err)
{
    const uint32_t tls = XKU_SSL_SERVER | XKU_SSL_CLIENT;
    uint32_t usage = X509_get_extended_key_usage(leaf);
    if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) == 0) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "it has no extended key usage: anybody's purpose");
    }
    if ((purpose & LAZ_PURPOSE_SERVER) != 0 && (usage & XKU_SSL_SERVER) == 0) {
        return laz_err_set(err, LAZ_E_SECRET, 0,
                "it is not for servers: no serverAuth in its extended key usage");
    }
    if ((purpose & LAZ_PURPOSE_CLIENT) != 0 && (usage & XKU_SSL_CLIENT) == 0) {
        return laz_err_set(err, LAZ_E_SECRET, 0,
                "it is not for clients: no clientAuth in its extended key usage");
    }
    EXTENDED_KEY_USAGE *all = X509_get_ext_d2i(leaf, NID_ext_key_usage, NULL, NULL);
    bool is_more = all == NULL || (usage & ~tls) != 0;
    for (int i = 0; all != NULL && i < sk_ASN1_OBJECT_num(all); i++) {
        int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(all, i));
        is_more = is_more || (nid != NID_server_auth && nid != NID_client_auth);
    }
    EXTENDED_KEY_USAGE_free(all);
    return is_more ? laz_err_set(err, LAZ_E_SECRET, 0,
                             "its extended key usage has more than serverAuth and clientAuth")
                   : 0;
}

static int check_purpose(const struct laz_chain_wish *wish, X509 *leaf, struct laz_err *err)
{
    uint32_t flags = X509_get_extension_flags(leaf);
    uint32_t usage = X509_get_key_usage(leaf); /* all, where it has none */
    if ((flags & EXFLAG_INVALID) != 0) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "its extensions cannot be read");
    }
    if ((flags & EXFLAG_CA) != 0) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "it is that of a CA: CA:TRUE");
    }
    if ((flags & EXFLAG_KUSAGE) != 0 &&
            ((usage & KU_DIGITAL_SIGNATURE) == 0 ||
                    (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0)) {
        return laz_err_set(err, LAZ_E_SECRET, 0,
                (usage & KU_DIGITAL_SIGNATURE) == 0
                        ? "its key usage has no digitalSignature, which TLS needs"
                        : "its key usage permits to sign certificates");
    }
    return check_extended(wish->identity->purpose, leaf, err);
}

/* ---- the chain ---- */

/* From the leaf up, as far as it goes. Borrows. */
static STACK_OF(X509) * find_way(const STACK_OF(X509) * given)
{
    STACK_OF(X509) *way = sk_X509_new_null();
    X509 *at = sk_X509_value(given, 0);
    while (way != NULL && at != NULL && sk_X509_push(way, at) > 0) {
        X509 *next = NULL;
        bool is_end = X509_check_issued(at, at) == X509_V_OK || sk_X509_num(way) > DEPTH_MAX;
        for (int i = 1; i < sk_X509_num(given) && next == NULL && !is_end; i++) {
            X509 *other = sk_X509_value(given, i);
            if (other != at && X509_check_issued(other, at) == X509_V_OK) {
                next = other;
            }
        }
        at = next;
    }
    return way;
}

static int fill_store(X509_STORE *store, const STACK_OF(X509) * cas, X509 *own, struct laz_err *err)
{
    int n = cas == NULL ? 1 : sk_X509_num(cas);
    for (int i = 0; i < n; i++) {
        if (X509_STORE_add_cert(store, cas == NULL ? own : sk_X509_value(cas, i)) != 1) {
            return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for CAs");
        }
    }
    return 0;
}

static int refuse_chain(const X509_STORE_CTX *context, struct laz_err *err)
{
    int why = X509_STORE_CTX_get_error(context);
    const char *hint = why == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                    why == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
                    why == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
            ? ": an intermediate is missing, or another CA than that of \"ca\" issued it"
            : "";
    return laz_err_set(err, LAZ_E_SECRET, 0, "its chain does not hold, at depth %d: %s%s",
            X509_STORE_CTX_get_error_depth(context), X509_verify_cert_error_string(why), hint);
}

/* Of those above the leaf, to the one that is trusted, as peers look at them: OpenSSL's level says
 * nothing of curves. */
static int check_links(const STACK_OF(X509) * chain, struct laz_err *err)
{
    for (int i = 1; i < sk_X509_num(chain); i++) {
        const EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(chain, i));
        int result = key == NULL ? laz_err_set(err, LAZ_E_SECRET, 0, UNREADABLE_KEY)
                                 : check_strength(key, err);
        if (result != 0) {
            return laz_err_context(err, "its chain does not hold, at depth %d", i);
        }
    }
    return 0;
}

/* Without the one that is trusted; the leaf stays, whoever it is. */
static int take_chain(X509_STORE_CTX *context, const STACK_OF(X509) * way, bool is_own,
        STACK_OF(X509) * *ret, struct laz_err *err)
{
    STACK_OF(X509) *chain =
            is_own ? X509_chain_up_ref(laz_unconst(way)) : X509_STORE_CTX_get1_chain(context);
    if (chain == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a chain");
    }
    int last = sk_X509_num(chain) - 1;
    X509 *top = sk_X509_value(chain, last);
    if (last > 0 && (!is_own || X509_check_issued(top, top) == X509_V_OK)) {
        X509_free(sk_X509_pop(chain));
    }
    *ret = chain;
    return 0;
}

static void set_wishes(
        const struct laz_chain_wish *wish, int purpose, X509_STORE_CTX *context, X509 *leaf)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    int64_t first = laz_chain_not_before(leaf); /* our clock may be behind a little */
    (void)X509_VERIFY_PARAM_set_flags(
            param, X509_V_FLAG_X509_STRICT | (wish->cas == NULL ? X509_V_FLAG_PARTIAL_CHAIN : 0));
    X509_VERIFY_PARAM_set_auth_level(param, LEVEL);
    X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
    X509_VERIFY_PARAM_set_time(param, (time_t)(first > wish->now ? first : wish->now));
    (void)X509_VERIFY_PARAM_set_purpose(param, purpose);
}

static int verify_for(const struct laz_chain_wish *wish, int purpose, const STACK_OF(X509) * given,
        const STACK_OF(X509) * way, STACK_OF(X509) * *ret, struct laz_err *err)
{
    X509 *leaf = sk_X509_value(way, 0);
    X509 *top = sk_X509_value(way, sk_X509_num(way) - 1);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int result = -1;
    if (store == NULL || context == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a chain");
    } else if (fill_store(store, wish->cas, top, err) == 0) {
        if (X509_STORE_CTX_init(context, store, leaf, laz_unconst(given)) != 1) {
            (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a chain");
        } else {
            set_wishes(wish, purpose, context, leaf);
            if (X509_verify_cert(context) != 1) {
                (void)refuse_chain(context, err);
            } else if (check_links(X509_STORE_CTX_get0_chain(context), err) == 0) {
                result = take_chain(context, way, wish->cas == NULL, ret, err);
            }
        }
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return result;
}

/* OpenSSL looks at one purpose at a time, and a CA may be for one alone. */
static int verify(const struct laz_chain_wish *wish, const STACK_OF(X509) * given,
        const STACK_OF(X509) * way, STACK_OF(X509) * *ret, struct laz_err *err)
{
    static const struct {
        uint32_t wanted;
        int purpose;
    } purposes[] = {{LAZ_PURPOSE_SERVER, X509_PURPOSE_SSL_SERVER},
            {LAZ_PURPOSE_CLIENT, X509_PURPOSE_SSL_CLIENT}};
    STACK_OF(X509) *chain = NULL;
    for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++) {
        if ((wish->identity->purpose & purposes[i].wanted) == 0) {
            continue;
        }
        sk_X509_pop_free(chain, X509_free);
        chain = NULL;
        if (verify_for(wish, purposes[i].purpose, given, way, &chain, err) != 0) {
            return -1;
        }
    }
    *ret = chain;
    return 0;
}

int laz_chain_check(const struct laz_chain_wish *wish, const STACK_OF(X509) * given,
        STACK_OF(X509) * *ret, struct laz_err *err)
{
    X509 *leaf = sk_X509_value(given, 0);
    const EVP_PKEY *its = X509_get0_pubkey(leaf);
    if (its == NULL) {
        return laz_err_set(err, LAZ_E_SECRET, 0, UNREADABLE_KEY);
    }
    if (EVP_PKEY_eq(its, wish->key) != 1) {
        return laz_err_set(err, LAZ_E_SECRET, 0, "it belongs to another key");
    }
    if (check_strength(its, err) != 0 || check_time(wish, leaf, err) != 0 ||
            check_purpose(wish, leaf, err) != 0 ||
            laz_names_check(wish->identity, leaf, err) != 0) {
        return -1;
    }
    STACK_OF(X509) *way = find_way(given);
    if (way == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a chain");
    }
    int result = verify(wish, given, way, ret, err);
    sk_X509_free(way);
    return result;
}

int laz_chain_serial(const X509 *certificate, char *ret, size_t size, struct laz_err *err)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = number == NULL ? NULL : BN_bn2hex(number);
    BN_free(number);
    if (text == NULL || strlen(text) >= size) {
        OPENSSL_free(text);
        return laz_err_set(err, LAZ_E_SECRET, 0, "its serial number is too long");
    }
    (void)snprintf(ret, size, "%s", text);
    OPENSSL_free(text);
    return 0;
}
