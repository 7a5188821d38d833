/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line and the three LAZARET_ variables of lazaret-init. Options win over variables.
 * POSIX order: the first word that is not an option begins the command, and -- ends the options.
 */
#ifndef LAZ_INIT_PID1_OPTIONS_H
#define LAZ_INIT_PID1_OPTIONS_H

#include "core/err.h"
#include "core/sha256.h"

#define LAZ_POLICY_IMAGE_PATH "/etc/lazaret/policy.img"
#define LAZ_POLICY_YAML_PATH  "/etc/lazaret/policy.yaml"

/* All pointers borrowed from argv and the environment. */
struct laz_options {
    const char *policy; /* NULL: the default places */
    bool enters;        /* one more command in a container whose init runs already */
    bool has_pin;
    uint8_t pin[LAZ_SHA256_SIZE];
    const char *read_exec; /* with `enters`: a path beside the policy's; NULL: none */
    const char *events;    /* a descriptor number or a path; NULL: stderr */
    const char *say;       /* static: --help or --version asks for nothing but this text */
    char *const *command;  /* NULL-terminated; at least one word unless `say` */
};

/* LAZ_E_USAGE, naming the word. `environment` may be NULL. */
LAZ_MUST_CHECK int laz_options_parse(
        char *const *argv, char *const *environment, struct laz_options *ret, struct laz_err *err);

#endif
