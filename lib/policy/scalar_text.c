/* SPDX-License-Identifier: Apache-2.0
 *
 * Values that are text: names, paths, hosts, and what stands for itself.
 */
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "policy/address.h"
#include "policy/policy.h"
#include "policy/report.h"
#include "policy/scalar_kinds.h"
#include "policy/tunnel.h"

#define NAME_MAX_LENGTH 63 /* as long as a host name's label: it ends up in such places */

/* Would some YAML reader take this plain text for a number, a time or a date? */
static bool looks_like_number(const struct laz_scalar *scalar)
{
    const char *text = scalar->text;
    size_t i = text[0] == '-' || text[0] == '+' ? 1 : 0;
    i += text[i] == '.' ? 1 : 0;
    if (!isdigit((unsigned char)text[i])) {
        return false;
    }
    if (text[i] == '0' && (text[i + 1] == 'x' || text[i + 1] == 'o' || text[i + 1] == 'b')) {
        return true;
    }
    return strspn(text, "0123456789_.:eE+-") == scalar->length;
}

static int check_name(const struct laz_scalar *scalar, struct laz_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    if (!isalnum((unsigned char)scalar->text[0]) || scalar->length > NAME_MAX_LENGTH ||
            strspn(scalar->text, allowed) != scalar->length) {
        return laz_scalar_refuse(err, scalar, "must be at most 63 letters, digits, dots, - and _");
    }
    return 0;
}

static int check_policy_name(const struct laz_scalar *scalar, struct laz_err *err)
{
    static const char builtin[] = "builtin/";
    const char *name = scalar->text;
    if (strncmp(name, builtin, strlen(builtin)) == 0) {
        name += strlen(builtin);
    }
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
            scalar->length > NAME_MAX) {
        return laz_scalar_refuse(
                err, scalar, "must be builtin/NAME or a file of this policy's directory");
    }
    return 0;
}

/* By a process or its descriptors: where that leads is decided when it is opened, and its text says
 * nothing of it. What compares paths by their text would be wrong about it. */
static bool leads_by_process(const char *path)
{
    static const char *const names[] = {"/proc/self", "/proc/thread-self", "/dev/fd", "/dev/stdin",
            "/dev/stdout", "/dev/stderr"};
    static const char proc[] = "/proc/";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (laz_path_is_at_or_below(path, names[i])) {
            return true;
        }
    }
    if (strncmp(path, proc, strlen(proc)) != 0) {
        return false;
    }
    const char *number = path + strlen(proc);
    size_t digits = strspn(number, "0123456789");
    return digits > 0 && (number[digits] == '\0' || number[digits] == '/');
}

static int check_path(const struct laz_scalar *scalar, struct laz_err *err)
{
    if (scalar->text[0] != '/') {
        return laz_scalar_refuse(err, scalar, "must be an absolute path");
    }
    if (scalar->length >= PATH_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "longer than any path can be");
    }
    const char *part = scalar->text + 1;
    while (scalar->length > 1) {
        size_t length = strcspn(part, "/");
        bool is_dots = (length == 1 && part[0] == '.') ||
                (length == 2 && part[0] == '.' && part[1] == '.');
        if (length == 0 || is_dots) {
            return laz_scalar_refuse(err, scalar,
                    "must be a path in its plainest form, without //, . and .., and no / at its "
                    "end");
        }
        if (part[length] == '\0') {
            break;
        }
        part += length + 1;
    }
    if (leads_by_process(scalar->text)) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "leads by a process or its descriptors, and so may lead anywhere: name the file "
                "itself, or /proc for what processes read of each other");
    }
    return 0;
}

int laz_scalar_check_env_name(const struct laz_scalar *scalar, struct laz_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_";
    if (scalar->length == 0 || isdigit((unsigned char)scalar->text[0]) ||
            strspn(scalar->text, allowed) != scalar->length) {
        return laz_scalar_refuse(err, scalar, "must be a name of letters, digits and _");
    }
    if (strncmp(scalar->text, "LAZARET_", strlen("LAZARET_")) == 0) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "variables that begin with LAZARET_ are init's own: the workload never sees them");
    }
    return 0;
}

static int check_env_value(const struct laz_scalar *scalar, struct laz_err *err)
{
    if (strstr(scalar->text, "${") != NULL) {
        return laz_err_set(
                err, LAZ_E_POLICY_INVALID, 0, "\"${\" is not expanded: values are taken literally");
    }
    return 0;
}

static int check_sink_name(const struct laz_scalar *scalar, struct laz_err *err)
{
    if (scalar->length > LAZ_SHIP_NAME_MAX ||
            strspn(scalar->text, LAZ_SHIP_NAME_LETTERS) != scalar->length) {
        return laz_scalar_refuse(err, scalar, "must be at most 32 of a-z, 0-9 and -");
    }
    return 0;
}

/* What is not a name of a host or, where there must be one, has no port. */
static int check_host(
        const struct laz_field *field, const struct laz_scalar *scalar, struct laz_err *err)
{
    struct laz_address ignored;
    struct laz_quoted quoted;
    enum laz_field_type type = field->type;
    size_t before = strspn(scalar->text, "*");
    before += scalar->text[before] == ':' ? 1 : 0;
    bool is_port = type != LAZ_TYPE_HOST && field->shape == LAZ_SHAPE_ONE &&
            field->example != NULL && scalar->length > before &&
            strspn(scalar->text + before, "0123456789") == scalar->length - before;
    if (is_port) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "must have an address before the port, such as %s, not %s", field->example,
                laz_quote(&quoted, scalar->text, scalar->length));
    }
    if (type == LAZ_TYPE_HOST && !laz_host_is_valid(scalar->text, scalar->length)) {
        return laz_scalar_refuse(err, scalar, "must be the name or the address of a host");
    }
    if (type == LAZ_TYPE_SOCKET && !laz_socket_split(scalar->text, scalar->length, &ignored)) {
        return laz_scalar_refuse(err, scalar,
                "must be an address (no name) and a port, or a socket, such as "
                "\"127.0.0.1:5432\", \"[::1]:5432\" or \"unix:/run/pg.sock\"");
    }
    if (type == LAZ_TYPE_ADDRESS && !laz_address_split(scalar->text, scalar->length, &ignored)) {
        return laz_scalar_refuse(err, scalar,
                "must be a host and a port, such as \"logs.internal:2514\" or \"[::1]:2514\"");
    }
    return 0;
}

static int check_length(
        const struct laz_scalar *scalar, size_t min, size_t max, struct laz_err *err)
{
    if (scalar->length < min || scalar->length > max) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be %zu to %zu bytes long, not %zu",
                min, max, scalar->length);
    }
    return 0;
}

int laz_scalar_refuse_lone_user(const char *number, struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
            "a user's number needs its group's, and both need quotes: \"%.16s:%.16s\"", number,
            number);
}

/* Of a client's certificate. */
static int check_peer(const struct laz_scalar *scalar, struct laz_err *err)
{
    static const char dns[] = "dns:";
    size_t n = sizeof(dns) - 1;
    bool is_dns = scalar->length > n && memcmp(scalar->text, dns, n) == 0 &&
            laz_host_is_valid(scalar->text + n, scalar->length - n);
    const char *scheme = memmem(scalar->text, scalar->length, "://", 3);
    bool is_uri =
            scheme != NULL && scheme > scalar->text && scheme + 3 < scalar->text + scalar->length;
    if ((!is_dns && !is_uri) || scalar->length > LAZ_TUNNEL_PEER_MAX) {
        return laz_scalar_refuse(err, scalar,
                "must be a name in a certificate, such as \"dns:alb.internal\" or "
                "\"spiffe://corp/alb\"");
    }
    return 0;
}

/* What holds of all of them: text that is meant as such, and some of it. */
static int check_any(enum laz_field_type type, const struct laz_scalar *scalar, struct laz_err *err)
{
    if (type == LAZ_TYPE_USER && scalar->is_plain && scalar->length > 0 &&
            strspn(scalar->text, "0123456789") == scalar->length) {
        return laz_scalar_refuse_lone_user(scalar->text, err);
    }
    /* A port alone: quotes would not make an address of it, and its own reader says what one is. */
    bool is_port = (type == LAZ_TYPE_ADDRESS || type == LAZ_TYPE_SOCKET) &&
            strspn(scalar->text, "0123456789") == scalar->length;
    bool may_be_number =
            type == LAZ_TYPE_VERSION || type == LAZ_TYPE_STATUS || (is_port && scalar->length > 0);
    if (scalar->is_plain && !may_be_number && looks_like_number(scalar)) {
        struct laz_quoted quoted;
        if (type == LAZ_TYPE_VALUE_FROM) { /* it may be the secret itself */
            return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be text, and name a source");
        }
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must be text: put %s in quotes",
                laz_quote(&quoted, scalar->text, scalar->length));
    }
    if (scalar->length == 0 && (scalar->is_plain || type != LAZ_TYPE_ENV_VALUE)) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "must not be empty");
    }
    return 0;
}

int laz_scalar_check_text(
        const struct laz_field *field, const struct laz_scalar *scalar, struct laz_err *err)
{
    enum laz_field_type type = field->type;
    if (check_any(type, scalar, err) < 0) {
        return -1;
    }
    switch ((int)type) {
    case LAZ_TYPE_NAME:
        return check_name(scalar, err);
    case LAZ_TYPE_POLICY:
        return check_policy_name(scalar, err);
    case LAZ_TYPE_PATH:
        return check_path(scalar, err);
    case LAZ_TYPE_ENV_NAME:
        return laz_scalar_check_env_name(scalar, err);
    case LAZ_TYPE_ENV_VALUE:
        return check_env_value(scalar, err);
    case LAZ_TYPE_SINK_NAME:
        return check_sink_name(scalar, err);
    case LAZ_TYPE_HOST:
    case LAZ_TYPE_ADDRESS:
    case LAZ_TYPE_SOCKET:
        return check_host(field, scalar, err);
    case LAZ_TYPE_LOG_GROUP:
    case LAZ_TYPE_LOG_STREAM:
    case LAZ_TYPE_URL:
        return laz_scalar_check_cloud(type, scalar, err);
    case LAZ_TYPE_TEXT:
    case LAZ_TYPE_VALUE_FROM:
    case LAZ_TYPE_SECRET_ID:
    case LAZ_TYPE_PARAMETER:
    case LAZ_TYPE_KMS_KEY:
    case LAZ_TYPE_BELOW:
    case LAZ_TYPE_PARAMETER_PATH:
    case LAZ_TYPE_PCA:
    case LAZ_TYPE_PCA_TEMPLATE:
    case LAZ_TYPE_VAULT_SECRET:
    case LAZ_TYPE_VAULT_NAME:
    case LAZ_TYPE_VERSION:
        return laz_scalar_check_secret(type, scalar, err);
    case LAZ_TYPE_SAN_DNS:
    case LAZ_TYPE_SAN_IP:
    case LAZ_TYPE_SAN_URI:
        return laz_scalar_check_san(type, scalar, err);
    case LAZ_TYPE_PEER:
        return check_peer(scalar, err);
    case LAZ_TYPE_CHECK_URL:
    case LAZ_TYPE_STATUS:
    case LAZ_TYPE_COMMAND:
    case LAZ_TYPE_SERVICE:
        return laz_scalar_check_health(type, scalar, err);
    case LAZ_TYPE_PATTERN:
        return check_length(scalar, 1, LAZ_SHIP_PATTERN_MAX, err);
    case LAZ_TYPE_PROCESS:
        return check_length(scalar, 1, LAZ_SENSE_COMM_MAX, err);
    case LAZ_TYPE_LITERAL:
        return check_length(scalar, LAZ_SHIP_LITERAL_MIN, LAZ_SHIP_LITERAL_MAX, err);
    default:
        return 0; /* users and groups are looked up when all files are known */
    }
}
