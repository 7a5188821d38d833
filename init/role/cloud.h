/* SPDX-License-Identifier: Apache-2.0
 *
 * What the roles that speak to AWS share: what of the container's environment leads to credentials,
 * and what their confinement leaves to them for names, ports and a token that is replaced while
 * they run.
 */
#ifndef LAZ_INIT_ROLE_CLOUD_H
#define LAZ_INIT_ROLE_CLOUD_H

#include "core/trusted.h"
#include "ipc/msg.h"
#include "net/aws_credentials.h"

/* "" where one is not set. */
struct laz_role_variables {
    char text[LAZ_VARIABLE_COUNT][LAZ_VARIABLE_MAX + 1];
    char token_why[LAZ_ERR_MESSAGE_MAX]; /* the file of the token is not read; "": it may be */
};

LAZ_MUST_CHECK int laz_role_take_variable(struct laz_role_variables *variables,
        const struct laz_message *message, struct laz_err *err);
/* Borrows from the variables. */
void laz_role_environment(
        const struct laz_role_variables *variables, struct laz_aws_environment *ret);
/* The folder of the token's file, owned by the caller; -1: there is none. Nobody else may lead the
 * file elsewhere while we run: where the workload could, the environment says so, and it is not
 * read. */
int laz_role_open_token_folder(struct laz_role_variables *variables, const struct laz_party *party);

/* Rules for Landlock; -1: errno says why. To read the token in its folder (-1: none); to connect to
 * these ports and, if there are any, to name servers by TCP; to read what names are looked up with.
 */
LAZ_MUST_CHECK int laz_role_allow_token(int ruleset, int folder);
LAZ_MUST_CHECK int laz_role_allow_ports(int ruleset, const uint16_t *ports, size_t n);
LAZ_MUST_CHECK int laz_role_allow_resolver(int ruleset);

#endif
