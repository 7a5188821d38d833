/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret-shim: stands where a container engine expects a runtime, and becomes the real one by one
 * execve. It never forks, looks nothing up in PATH, takes no word of its environment but
 * the one by which crun finds its containers, and touches no descriptor that it did not open.
 * Manual: docs/reference/shim.md.
 */
#include <string.h>

#include "core/err.h"
#include "policy/runtime.h"
#include "shim/arguments.h"
#include "shim/ask.h"
#include "shim/call.h"
#include "shim/configuration.h"
#include "shim/passing.h"
#include "shim/program.h"
#include "shim/refuse.h"
#include "shim/sweep.h"

extern char **environ;

static int judge(struct laz_call *call, struct laz_err *err)
{
    const struct laz_arguments *arguments = call->arguments;
    if (arguments->unclear != NULL) {
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "the word \"%.200s\" is not taken by all runtimes in the same way: options come in "
                "full and before the container's name",
                arguments->unclear);
    }
    const char *root = arguments->values[LAZ_OPTION_ROOT];
    if (root != NULL && root[0] != '/') {
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "--root \"%.200s\": not an absolute path, so another folder for each caller "
                "(nothing allows it)",
                root);
    }
    switch (arguments->verb) {
    case LAZ_VERB_CREATE:
    case LAZ_VERB_RUN:
    case LAZ_VERB_RESTORE:
        return laz_call_create(call, err);
    case LAZ_VERB_EXEC:
        return laz_call_exec(call, err);
    case LAZ_VERB_UPDATE:
    case LAZ_VERB_CHECKPOINT:
        return laz_call_change(call, err);
    case LAZ_VERB_OTHER:
        break;
    }
    return 0;
}

/* What cannot be recorded does not happen, where the host says so; what is refused stays refused
 * for its own reason. */
static int record(const struct laz_call *call, bool is_refused, struct laz_err *err)
{
    struct laz_err why = {0};
    if (laz_audit_write(call, is_refused ? err : NULL, &why) == 0) {
        return is_refused ? -1 : 0;
    }
    if (is_refused || !call->runtime->audit_required) {
        laz_warn(call->arguments, call->runtime->log, &why);
        return is_refused ? -1 : 0;
    }
    *err = why;
    return -1;
}

/* 0: the runtime may have the call as it now is. */
static int act(
        struct laz_call *call, const struct laz_configuration *configuration, struct laz_err *err)
{
    if (configuration->runtime == NULL) {
        return laz_err_set(err, configuration->why.kind, configuration->why.sys_errno, "%s",
                configuration->why.message);
    }
    call->runtime = configuration->runtime;
    if (laz_call_passes_all(call->runtime) && !laz_passing_is_bound(call->arguments)) {
        laz_passing_remember(call);
        return 0;
    }
    bool is_refused = judge(call, err) < 0;
    if (is_refused && err->kind == LAZ_E_REQUEST && call->note.policy[0] != '\0') {
        laz_ignore(laz_err_context(err, "policy %s", call->note.policy));
    }
    return record(call, is_refused, err);
}

static const char *log_of(const struct laz_configuration *configuration)
{
    return configuration->runtime == NULL ? NULL : configuration->runtime->log;
}

/* In a frame of its own: what is noted of such a call is large, and most calls are others. */
__attribute__((noinline)) static void act_and_go_on(struct laz_ask *ask,
        const struct laz_arguments *arguments, const struct laz_configuration *configuration,
        struct laz_err *err)
{
    char root[LAZ_OCI_ROOT_SIZE];
    struct laz_arguments known = *arguments;
    laz_sweep_put_root(configuration->program, environ, &known, root);
    struct laz_call call = {.arguments = &known,
            .ask = ask,
            .argv0 = ask->argc > 0 ? ask->argv[0] : "",
            .argc = ask->argc,
            .argv = ask->argv};
    if (act(&call, configuration, err) == 0) {
        laz_ignore(laz_program_become(configuration->program, call.argv, environ, err));
    }
    laz_sweep_undo(&call); /* nobody will */
}

int main(int argc, char **argv)
{
    struct laz_ask ask;
    struct laz_err err = {0};
    struct laz_arguments arguments;
    struct laz_configuration configuration;
    laz_ask_init(argc, argv, &ask);
    laz_arguments_parse(ask.argc, ask.argv, &arguments);
    bool acts = laz_arguments_act(&arguments);
    if (laz_configuration_read(&ask, acts, &configuration, &err) == 0) {
        if (acts) {
            act_and_go_on(&ask, &arguments, &configuration, &err);
        } else {
            laz_ignore(laz_program_become(configuration.program, ask.argv, environ, &err));
        }
    }
    int result = laz_refuse(&arguments, log_of(&configuration), &err);
    laz_configuration_done(&configuration);
    return result;
}
