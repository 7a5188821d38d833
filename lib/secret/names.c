/* SPDX-License-Identifier: Apache-2.0
 *
 * Both sides become GENERAL_NAMEs, so that each kind is compared in one way.
 */
#include "secret/names.h"

#include <stdio.h>
#include <strings.h>

#define QUOTED_MAX 64
#define COMMON_MAX 64 /* characters: RFC 5280, ub-common-name */
#define TEXT_MAX   256

void laz_names_quote(const void *text, size_t length, struct laz_buf *ret)
{
    const char *at = text;
    laz_buf_char(ret, '"');
    for (size_t i = 0; i < length && i < QUOTED_MAX; i++) {
        bool is_plain = at[i] >= ' ' && at[i] <= '~' && at[i] != '"';
        laz_buf_put(ret, is_plain ? &at[i] : "?", 1);
    }
    laz_buf_str(ret, length > QUOTED_MAX ? "...\"" : "\"");
}

const char *laz_names_common(const struct laz_fetch_identity *identity)
{
    for (uint32_t i = 0; i < identity->n_sans; i++) {
        if (identity->sans[i].type == LAZ_SAN_DNS && strlen(identity->sans[i].text) <= COMMON_MAX) {
            return identity->sans[i].text;
        }
    }
    return identity->name;
}

static GENERAL_NAME *make(const struct laz_san *san)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = san->type == LAZ_SAN_IP ? a2i_IPADDRESS(san->text) : ASN1_IA5STRING_new();
    if (name == NULL || value == NULL ||
            (san->type != LAZ_SAN_IP && ASN1_STRING_set(value, san->text, -1) != 1)) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return NULL;
    }
    const int type = san->type == LAZ_SAN_DNS ? GEN_DNS
            : san->type == LAZ_SAN_IP         ? GEN_IPADD
                                              : GEN_URI;
    GENERAL_NAME_set0_value(name, type, value);
    return name;
}

int laz_names_make(
        const struct laz_fetch_identity *identity, GENERAL_NAMES **ret, struct laz_err *err)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    for (uint32_t i = 0; i < identity->n_sans && names != NULL; i++) {
        GENERAL_NAME *name = make(&identity->sans[i]);
        if (name == NULL || sk_GENERAL_NAME_push(names, name) <= 0) {
            GENERAL_NAME_free(name);
            GENERAL_NAMES_free(names);
            names = NULL;
        }
    }
    if (names == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for names");
    }
    *ret = names;
    return 0;
}

/* ---- comparing ---- */

static bool is_same(const GENERAL_NAME *a, const GENERAL_NAME *b)
{
    int type = 0;
    int other_type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(a, &type);
    const ASN1_STRING *other = GENERAL_NAME_get0_value(b, &other_type);
    if (type != other_type || ASN1_STRING_length(value) != ASN1_STRING_length(other)) {
        return false;
    }
    const char *text = (const char *)ASN1_STRING_get0_data(value);
    const char *other_text = (const char *)ASN1_STRING_get0_data(other);
    size_t length = (size_t)ASN1_STRING_length(value);
    if (type == GEN_DNS) {
        return memchr(text, '\0', length) == NULL && memchr(other_text, '\0', length) == NULL &&
                strncasecmp(text, other_text, length) == 0;
    }
    return memcmp(text, other_text, length) == 0;
}

static bool has(const GENERAL_NAMES *names, const GENERAL_NAME *name)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (is_same(sk_GENERAL_NAME_value(names, i), name)) {
            return true;
        }
    }
    return false;
}

static bool is_known(const GENERAL_NAME *name)
{
    int type = 0;
    (void)GENERAL_NAME_get0_value(name, &type);
    return type == GEN_DNS || type == GEN_IPADD || type == GEN_URI;
}

/* "dns:app.internal" */
static void describe(const GENERAL_NAME *name, struct laz_buf *ret)
{
    int type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    if (!is_known(name)) {
        laz_buf_str(ret, "a name of another kind than dns, ip and uri");
    } else if (type == GEN_IPADD) {
        const unsigned char *bytes = ASN1_STRING_get0_data(value);
        laz_buf_str(ret, "ip ");
        for (int i = 0; i < ASN1_STRING_length(value) && i < 32; i++) {
            laz_buf_printf(ret, ASN1_STRING_length(value) == 4 ? "%s%u" : "%s%02x",
                    i == 0                                   ? ""
                            : ASN1_STRING_length(value) == 4 ? "."
                            : i % 2 == 0                     ? ":"
                                                             : "",
                    bytes[i]);
        }
    } else {
        laz_buf_str(ret, type == GEN_DNS ? "dns " : "uri ");
        laz_names_quote(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value), ret);
    }
}

static int refuse(const GENERAL_NAME *name, const char *what, struct laz_err *err)
{
    char memory[TEXT_MAX];
    struct laz_buf text;
    laz_buf_init_fixed(&text, memory, sizeof(memory));
    describe(name, &text);
    return laz_err_set(err, LAZ_E_SECRET, 0, "%s %s", what, memory);
}

static int compare(const GENERAL_NAMES *wanted, const GENERAL_NAMES *there, struct laz_err *err)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(wanted); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(wanted, i);
        if (!has(there, name)) {
            return refuse(name, "it does not have the name", err);
        }
    }
    for (int i = 0; i < sk_GENERAL_NAME_num(there); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(there, i);
        if (!is_known(name) || !has(wanted, name)) {
            return refuse(name, "it has a name that was not asked for:", err);
        }
    }
    return 0;
}

/* A client that knows no alternative names believes this one. */
static int check_common(
        const struct laz_fetch_identity *identity, const X509 *certificate, struct laz_err *err)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    for (int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1); at >= 0;
            at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) {
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
        unsigned char *utf8 = NULL;
        int length = ASN1_STRING_to_UTF8(&utf8, value);
        bool is_wanted = length >= 0 && (size_t)length == strlen(identity->name) &&
                memcmp(utf8, identity->name, (size_t)length) == 0;
        for (uint32_t i = 0; i < identity->n_sans; i++) {
            const struct laz_san *san = &identity->sans[i];
            is_wanted = is_wanted ||
                    (length >= 0 && san->type != LAZ_SAN_URI &&
                            (size_t)length == strlen(san->text) &&
                            strncasecmp((const char *)utf8, san->text, (size_t)length) == 0);
        }
        if (!is_wanted) {
            char memory[TEXT_MAX];
            struct laz_buf text;
            laz_buf_init_fixed(&text, memory, sizeof(memory));
            laz_names_quote(utf8, length < 0 ? 0 : (size_t)length, &text);
            OPENSSL_free(utf8);
            return laz_err_set(err, LAZ_E_SECRET, 0,
                    "it has a common name that was not asked for: %s", memory);
        }
        OPENSSL_free(utf8);
    }
    return 0;
}

int laz_names_check(
        const struct laz_fetch_identity *identity, const X509 *certificate, struct laz_err *err)
{
    GENERAL_NAMES *wanted = NULL;
    int found = 0;
    if (identity->n_sans == 0) {
        return 0;
    }
    GENERAL_NAMES *there = X509_get_ext_d2i(certificate, NID_subject_alt_name, &found, NULL);
    if (there == NULL) {
        return laz_err_set(err, LAZ_E_SECRET, 0,
                found == -1 ? "it has no alternative names"
                            : "its alternative names cannot be read, or are there twice");
    }
    if (laz_names_make(identity, &wanted, err) != 0) {
        GENERAL_NAMES_free(there);
        return -1;
    }
    int result = compare(wanted, there, err);
    GENERAL_NAMES_free(wanted);
    GENERAL_NAMES_free(there);
    return result == 0 ? check_common(identity, certificate, err) : -1;
}
