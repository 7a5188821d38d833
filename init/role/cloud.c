/* SPDX-License-Identifier: Apache-2.0
 *
 * Variables from init, and rules for Landlock.
 */
#include "init/role/cloud.h"

#include <fcntl.h>
#include <stdio.h>

#include "confine/sys.h"
#include "core/fd.h"

#define DNS_PORT 53

int laz_role_take_variable(struct laz_role_variables *variables, const struct laz_message *message,
        struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint8_t which = laz_fields_u8(&fields);
    const char *value = laz_fields_string(&fields);
    if (!laz_fields_done(&fields) || which >= LAZ_VARIABLE_COUNT ||
            strlen(value) > LAZ_VARIABLE_MAX) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "no such variable: %u", which);
    }
    (void)snprintf(variables->text[which], sizeof(variables->text[which]), "%s", value);
    return 0;
}

void laz_role_environment(
        const struct laz_role_variables *variables, struct laz_aws_environment *ret)
{
    *ret = (struct laz_aws_environment){
            .relative_uri = variables->text[LAZ_VARIABLE_CREDENTIALS_RELATIVE],
            .full_uri = variables->text[LAZ_VARIABLE_CREDENTIALS_FULL],
            .token = variables->text[LAZ_VARIABLE_AUTHORIZATION],
            .token_file = variables->text[LAZ_VARIABLE_AUTHORIZATION_FILE],
            .token_why = variables->token_why,
            .no_imds = variables->text[LAZ_VARIABLE_IMDS_DISABLED],
            .region = variables->text[LAZ_VARIABLE_REGION],
            .default_region = variables->text[LAZ_VARIABLE_DEFAULT_REGION],
    };
}

int laz_role_open_token_folder(struct laz_role_variables *variables, const struct laz_party *party)
{
    const char *file = variables->text[LAZ_VARIABLE_AUTHORIZATION_FILE];
    char folder[LAZ_VARIABLE_MAX + 1];
    const char *slash = strrchr(file, '/');
    struct laz_err why = {0};
    int fd = -1;
    if (file[0] != '/') {
        (void)snprintf(variables->token_why, sizeof(variables->token_why), "%s",
                file[0] == '\0' ? "" : "it is no absolute path");
        return -1;
    }
    (void)snprintf(folder, sizeof(folder), "%.*s", slash == file ? 1 : (int)(slash - file), file);
    if (laz_trusted_open_folder(folder, party, &fd, &why) < 0) {
        (void)snprintf(variables->token_why, sizeof(variables->token_why), "%s", why.message);
    }
    return fd;
}

int laz_role_allow_token(int ruleset, int folder)
{
    const struct laz_ll_path rule = {.allowed = LAZ_LL_READ_FILE, .parent_fd = folder};
    return folder < 0 ? 0 : laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PATH, &rule);
}

int laz_role_allow_ports(int ruleset, const uint16_t *ports, size_t n)
{
    struct laz_ll_port rule = {.allowed = LAZ_LL_CONNECT_TCP, .port = DNS_PORT};
    int result = n > 0 ? laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PORT, &rule) : 0;
    for (size_t i = 0; i < n && result == 0; i++) {
        rule.port = ports[i];
        result = laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PORT, &rule);
    }
    return result;
}

/* What a name is looked up with, read once when a sink is opened. What is not there cannot be read.
 */
int laz_role_allow_resolver(int ruleset)
{
    static const char *const files[] = {"/etc/resolv.conf", "/etc/hosts"};
    struct laz_ll_path rule = {.allowed = LAZ_LL_READ_FILE};
    int result = 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && result == 0; i++) {
        laz_cleanup_fd int fd = open(files[i], O_PATH | O_CLOEXEC);
        rule.parent_fd = fd;
        result = fd < 0 ? 0 : laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PATH, &rule);
    }
    return result;
}
