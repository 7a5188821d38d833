/* SPDX-License-Identifier: Apache-2.0
 *
 * Command line of lazaret-init. libc only, no getopt: three options and a rule.
 */
#include "init/pid1/options.h"

#include <string.h>

#include "core/environment.h"
#include "core/num.h"

static const char version[] = "lazaret-init " LAZARET_VERSION "\n";
static const char help[] =
        "usage: lazaret-init [--policy FILE] [--policy-sha256 HEX] [--events FD|FILE] [--] "
        "COMMAND...\n"
        "       lazaret-init --enter [--read-exec PATH] [--policy FILE] [--policy-sha256 HEX] [--] "
        "COMMAND...\n"
        "       lazaret-init probe live|ready|startup\n"
        "       lazaret-init --help | --version\n"
        "Runs COMMAND as the policy says; by default " LAZ_POLICY_IMAGE_PATH ",\n"
        "else " LAZ_POLICY_YAML_PATH ". `--enter`: in a container that\n"
        "runs already, without its helpers. `probe` asks the init that runs here: the\n"
        "container's health command. Manual: lazaret-init(8).\n";

/* The value of --name VALUE or --name=VALUE. 1 taken, 0 another option, -1 error. */
static int take_value(
        char *const **argv, const char *name, const char **ret_value, struct laz_err *err)
{
    const char *word = **argv;
    size_t length = strlen(name);
    if (word == NULL || strncmp(word, name, length) != 0 ||
            (word[length] != '\0' && word[length] != '=')) {
        return 0;
    }
    if (word[length] == '=') {
        *ret_value = word + length + 1;
    } else {
        *argv += 1;
        *ret_value = **argv;
    }
    if (*ret_value == NULL || (*ret_value)[0] == '\0') {
        return laz_err_set(err, LAZ_E_USAGE, 0, "%s needs a value", name);
    }
    *argv += 1;
    return 1;
}

/* An empty one says nothing. */
static const char *variable(char *const *environment, const char *name)
{
    const char *value = laz_environment_find(environment, name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static int parse_words(
        char *const *at, struct laz_options *options, const char **pin, struct laz_err *err)
{
    while (*at != NULL && (*at)[0] == '-') {
        if (strcmp(*at, "--") == 0) {
            at++;
            break;
        }
        if (strcmp(*at, "--version") == 0 || strcmp(*at, "--help") == 0) {
            options->say = (*at)[2] == 'v' ? version : help;
            return 0;
        }
        if (strcmp(*at, "--enter") == 0) {
            options->enters = true;
            at++;
            continue;
        }
        int taken = take_value(&at, "--policy-sha256", pin, err);
        if (taken == 0) {
            taken = take_value(&at, "--policy", &options->policy, err);
        }
        if (taken == 0) {
            taken = take_value(&at, "--events", &options->events, err);
        }
        if (taken == 0) {
            taken = take_value(&at, "--read-exec", &options->read_exec, err);
        }
        if (taken < 0) {
            return -1;
        }
        if (taken == 0) {
            return laz_err_set(err, LAZ_E_USAGE, 0,
                    "unknown option \"%.64s\"; known are --policy, --policy-sha256, --events, "
                    "--enter, --read-exec, --help and --version",
                    *at);
        }
    }
    if (*at == NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0, "no command to run");
    }
    options->command = at;
    return 0;
}

int laz_options_parse(
        char *const *argv, char *const *environment, struct laz_options *ret, struct laz_err *err)
{
    struct laz_options options = {
            .policy = variable(environment, "LAZARET_POLICY"),
    };
    const char *pin = variable(environment, "LAZARET_POLICY_SHA256");
    char *const *words = *argv == NULL ? argv : argv + 1;
    if (parse_words(words, &options, &pin, err) < 0) {
        return -1;
    }
    if (options.enters && options.events != NULL) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "--events: with --enter events go to standard error; a stream of the container's "
                "init has one writer");
    }
    if (options.read_exec != NULL && (!options.enters || options.read_exec[0] != '/')) {
        return laz_err_set(err, LAZ_E_USAGE, 0,
                "--read-exec: an absolute path, and with --enter alone: what a container's first "
                "process may have is the policy's");
    }
    if (!options.enters && options.events == NULL) {
        options.events = variable(environment, "LAZARET_EVENTS");
    }
    if (pin != NULL) {
        if (!laz_parse_hex(pin, strlen(pin), options.pin, sizeof(options.pin))) {
            return laz_err_set(err, LAZ_E_USAGE, 0,
                    "the policy pin must be 64 hexadecimal digits, not \"%.80s\"", pin);
        }
        options.has_pin = true;
    }
    *ret = options;
    return 0;
}
