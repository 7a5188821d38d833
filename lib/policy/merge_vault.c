/* SPDX-License-Identifier: Apache-2.0
 *
 * secrets.vault: where Vault is, how it comes to know us, and what contradicts that.
 */
#include "policy/merge.h"

void laz_finish_vault(struct laz_merge *merge)
{
    struct laz_fetch_vault *vault = &merge->policy->secrets.config.vault;
    bool has_file = merge->said[LAZ_FIELD_TOKEN_FILE] != NULL;
    bool has_token = has_file != (merge->said[LAZ_FIELD_TOKEN_VARIABLE] != NULL);
    bool has_role = merge->said[LAZ_FIELD_AWS_ROLE] != NULL;
    bool is_there = merge->said[LAZ_FIELD_VAULT_ADDRESS] != NULL && has_token != has_role;
    *vault = (struct laz_fetch_vault){.address = "",
            .ca = "",
            .name_space = "",
            .token_file = "",
            .token_variable = "",
            .role = "",
            .mount = "",
            .server_id = "",
            .region = ""};
    if (!is_there) { /* what is missing is reported */
        return;
    }
    vault->address = laz_merge_text(merge, merge->said[LAZ_FIELD_VAULT_ADDRESS]);
    vault->ca = laz_merge_text(merge, merge->said[LAZ_FIELD_VAULT_CA]);
    vault->name_space = laz_merge_text(merge, merge->said[LAZ_FIELD_VAULT_NAMESPACE]);
    if (has_token) {
        vault->login = LAZ_FETCH_LOGIN_TOKEN;
        vault->token_file = laz_merge_text(merge, merge->said[LAZ_FIELD_TOKEN_FILE]);
        vault->token_variable = laz_merge_text(merge, merge->said[LAZ_FIELD_TOKEN_VARIABLE]);
        return;
    }
    const struct laz_node *mount = merge->said[LAZ_FIELD_AWS_MOUNT];
    vault->login = LAZ_FETCH_LOGIN_AWS;
    vault->role = laz_merge_text(merge, merge->said[LAZ_FIELD_AWS_ROLE]);
    vault->mount = mount != NULL ? laz_merge_text(merge, mount)
                                 : laz_field_at(LAZ_FIELD_AWS_MOUNT)->preset;
    vault->server_id = laz_merge_text(merge, merge->said[LAZ_FIELD_AWS_SERVER_ID]);
    vault->region = laz_merge_text(merge, merge->said[LAZ_FIELD_AWS_REGION]);
}

/* Is it said how Vault comes to know us, and once? */
static bool has_one_login(struct laz_merge *merge)
{
    const struct laz_pos *pos = merge->policy->key_pos;
    bool has_file = merge->said[LAZ_FIELD_TOKEN_FILE] != NULL;
    bool has_variable = merge->said[LAZ_FIELD_TOKEN_VARIABLE] != NULL;
    bool has_token = pos[LAZ_FIELD_AUTH_TOKEN].line > 0;
    if (has_token && merge->said[LAZ_FIELD_AWS_ROLE] != NULL) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID, pos[LAZ_FIELD_VAULT_AUTH],
                "secrets.vault.auth: say only one of \"token\" and \"aws\"");
        return false;
    }
    if (has_token && has_file == has_variable) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID, pos[LAZ_FIELD_AUTH_TOKEN],
                "secrets.vault.auth.token: %s \"file\" and \"variable\"",
                has_file ? "say only one of" : "say one of");
        return false;
    }
    return true;
}

/* What is only said in part may be there for a file that extends it. */
void laz_complete_vault(struct laz_merge *merge)
{
    const struct laz_fetch_config *config = &merge->policy->secrets.config;
    if (!has_one_login(merge)) {
        return;
    }
    for (uint32_t i = 0; i < config->n_items && config->vault.login == LAZ_FETCH_LOGIN_NONE; i++) {
        if (config->items[i].source == LAZ_SECRET_VAULT) {
            struct laz_node *from = laz_check_child(merge->secrets[i], LAZ_FIELD_SECRET_FROM);
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID,
                    laz_check_child(from, LAZ_FIELD_FROM_VAULT), "of which Vault? say %s",
                    merge->said[LAZ_FIELD_VAULT_ADDRESS] == NULL
                            ? "\"secrets.vault.address\""
                            : "\"secrets.vault.auth.token\" or \"secrets.vault.auth.aws\"");
            return;
        }
    }
}
