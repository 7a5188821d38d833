/* SPDX-License-Identifier: Apache-2.0
 *
 * What AWS's services and agents answer, as far as credentials need it. Pure. What is not exactly
 * of the expected form is refused, and never quoted.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include <openssl/crypto.h>

#include "core/json_read.h"
#include "core/num.h"
#include "core/url.h"
#include "net/aws_call.h"
#include "net/aws_credentials.h"
#include "net/http_reply.h"

#define NODES    128
#define CODE_MAX 160 /* with the names of a service and a page around it */

/* Exactly "2026-11-22T12:00:00Z", as seconds since 1970. */
static bool parse_time(const char *text, int64_t *ret)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    struct tm parts = {0};
    for (size_t i = 0; i < sizeof(form); i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !is_digit : text[i] != form[i]) {
            return false;
        }
    }
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == NULL || *end != '\0') {
        return false;
    }
    *ret = timegm(&parts);
    return true;
}

/* A header is made of it. */
static bool is_printable(const char *text)
{
    size_t n = 0;
    while (text[n] > ' ' && text[n] <= '~') {
        n++;
    }
    return n > 0 && text[n] == '\0';
}

int laz_aws_parse_key(const char *text, size_t length, struct laz_aws_key *ret, struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SINK};
    struct laz_json_doc doc;
    char expires[32] = "";
    const struct {
        const char *name;
        char *value;
        size_t size;
    } rows[] = {
            {"AccessKeyId", ret->access_key, sizeof(ret->access_key)},
            {"SecretAccessKey", ret->secret_key, sizeof(ret->secret_key)},
            {"Token", ret->token, sizeof(ret->token)},
            {"Expiration", expires, sizeof(expires)},
    };
    if (laz_json_read(text, length, &room, &doc, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct laz_json_node *node = laz_json_member(&doc, laz_json_root(&doc), rows[i].name);
        if (!laz_json_copy(&doc, node, rows[i].value, rows[i].size) ||
                !is_printable(rows[i].value)) {
            return laz_err_set(err, LAZ_E_SINK, 0, "credentials without %s", rows[i].name);
        }
    }
    if (!parse_time(expires, &ret->expires)) {
        return laz_err_set(err, LAZ_E_SINK, 0, "credentials without a time of expiration");
    }
    return 0;
}

/* Letters that end as names of errors do. Codes are said in messages, and whoever answers may have
 * put a value there. */
static bool is_name_of_error(const char *name, size_t length)
{
    static const char *const ends[] = {"Exception", "Error", "Failure", "Request", "Success",
            "CredentialsUninitialized", "IncompleteSignature", "InvalidKeyId", "NotAuthorized",
            "Unauthorized", "OptInRequired"};
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t n = strlen(ends[i]);
        if (length >= n && strspn(name, letters) == length &&
                strcmp(name + length - n, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* "com.amazonaws.logs#Name:http://..." is Name. */
static bool copy_code(const char *text, char *ret, size_t size)
{
    const char *hash = strchr(text, '#');
    const char *name = hash == NULL ? text : hash + 1;
    char code[CODE_MAX];
    size_t length = strcspn(name, ":");
    if (length >= size || length >= sizeof(code)) {
        return false;
    }
    (void)memcpy(code, name, length);
    code[length] = '\0';
    if (!laz_aws_is_judged(code) && !is_name_of_error(code, length)) {
        return false;
    }
    (void)memcpy(ret, code, length + 1);
    return true;
}

void laz_aws_parse_code(const char *text, size_t length, char *ret, size_t size)
{
    static const char *const names[] = {"__type", "code", "Code"};
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SINK};
    struct laz_json_doc doc;
    struct laz_err ignored = {0};
    char code[CODE_MAX];
    ret[0] = '\0';
    if (laz_json_read(text, length, &room, &doc, &ignored) != 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (laz_json_copy(&doc, laz_json_member(&doc, laz_json_root(&doc), names[i]), code,
                    sizeof(code)) &&
                copy_code(code, ret, size)) {
            return;
        }
    }
}

void laz_aws_reply_code(const struct laz_http_reply *reply, char *ret, size_t size)
{
    char header[CODE_MAX];
    size_t length = 0;
    const char *text = laz_http_reply_header(reply, "x-amzn-ErrorType", &length);
    laz_aws_parse_code(reply->body.len == 0 ? "" : reply->body.data, reply->body.len, ret, size);
    if (ret[0] == '\0' && text != NULL && length < sizeof(header)) {
        (void)snprintf(header, sizeof(header), "%.*s", (int)length, text);
        if (!copy_code(header, ret, size)) {
            ret[0] = '\0';
        }
    }
}

uint32_t laz_aws_reply_wait_ms(const struct laz_http_reply *reply)
{
    size_t length = 0;
    uint64_t ms = 0;
    const char *text = laz_http_reply_header(reply, "x-amz-retry-after", &length);
    return text != NULL && laz_parse_u64(text, length, UINT32_MAX, &ms) ? (uint32_t)ms : 0;
}

bool laz_aws_may_ask(const char *full_uri)
{
    struct laz_url url;
    char host[LAZ_URL_HOST_MAX + 1];
    struct in_addr four = {0};
    struct in6_addr six = {0};
    struct in6_addr pod = {0};
    if (!laz_url_split(full_uri, &url)) {
        return false;
    }
    if (url.is_https) {
        return true;
    }
    (void)snprintf(host, sizeof(host), "%.*s", (int)url.host_length, url.host);
    if (inet_pton(AF_INET, host, &four) == 1) {
        uint32_t address = ntohl(four.s_addr);
        return address >> 24 == IN_LOOPBACKNET || address == 0xA9FEAA02 || /* 169.254.170.2 */
                address == 0xA9FEAA17;                                     /* 169.254.170.23 */
    }
    if (inet_pton(AF_INET6, host, &six) == 1) {
        bool knows_pod = inet_pton(AF_INET6, "fd00:ec2::23", &pod) == 1;
        return IN6_IS_ADDR_LOOPBACK(&six) || (knows_pod && memcmp(&six, &pod, sizeof(six)) == 0);
    }
    return false; /* a name may lead anywhere, "localhost" too */
}
