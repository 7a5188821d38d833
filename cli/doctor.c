/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret doctor [FILE]: what this host or container offers, and whether a policy would start here.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/attempt.h"
#include "cli/loaded.h"
#include "cli/output.h"
#include "confine/landlock.h"
#include "core/fd.h"
#include "filter/filter.h"

#define NAME_WIDTH 27 /* columns of "unknown " and the name */
#define BESIDES    "Helper, keys, spool and sinks have lines of their own"
#define OBSERVES                                                                                   \
    "mode observe lets refused calls, and what is over the exec budget, through, with an event; "  \
    "the rest that it asks of the kernel is enforced"

struct degradation {
    const char *name;
    const char *meaning;
};

static const struct degradation degradations[] = {
#define X(id, name, meaning) [LAZ_DEGRADED_##id] = {name, meaning},
        LAZ_DEGRADATIONS(X)
#undef X
};

void laz_doctor_degrade(struct laz_doctor_line *line, enum laz_degradation degradation)
{
    line->degradation = degradations[degradation].name;
    line->means = degradations[degradation].meaning;
}

struct laz_doctor_line *laz_doctor_add(
        struct laz_doctor *doctor, const char *name, enum laz_doctor_state state)
{
    if (doctor->n == LAZ_DOCTOR_LINES) {
        abort(); /* our own mistake: the lines are a fixed number */
    }
    struct laz_doctor_line *line = &doctor->lines[doctor->n++];
    *line = (struct laz_doctor_line){.name = name, .state = state, .means = ""};
    return line;
}

void laz_doctor_say(struct laz_doctor_line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (vsnprintf(line->seen, sizeof(line->seen), format, args) < 0) {
        line->seen[0] = '\0';
    }
    va_end(args);
}

/* ---- A policy ---- */

static int build(const struct laz_policy *policy, struct laz_buf *block, struct laz_image *ret,
        struct laz_err *err)
{
    if (laz_filter_build_image(policy, laz_arch_native(), block, err) < 0) {
        return -1;
    }
    return laz_image_decode(block->data, block->len, ret, err);
}

static int judge(const struct laz_doctor *doctor, const struct laz_image *image,
        struct laz_decided *ret, struct laz_err *err)
{
    if (doctor->probe_err.kind != LAZ_E_NONE) {
        *err = doctor->probe_err;
        return -1;
    }
    return laz_probe_decide(&doctor->probe, image, ret, err);
}

/* The rules are made and thrown away: a path that is missing here would stop the start. Of the
 * folder of the secrets a line of its own says so. */
static bool has_paths(const struct laz_image *image, int abi, const char *secrets_dir,
        struct laz_doctor_line *line)
{
    const char *path = NULL;
    if (abi == 0) {
        return true;
    }
    laz_cleanup_fd int ruleset = laz_landlock_build(image, abi, &path);
    if (ruleset >= 0 || (path != NULL && strcmp(path, secrets_dir) == 0)) {
        return true;
    }
    line->state = LAZ_DOCTOR_NO;
    laz_doctor_say(line, "would not start here: filesystem: %s%s%s", path == NULL ? "" : path,
            path == NULL ? "" : ": ", strerror(errno));
    line->means = "every path of the policy must exist where it starts";
    line->remedy = "Create it, or list it under filesystem.optional too.";
    return false;
}

static const char *meaning_of(laz_degraded degraded, bool observes, bool has_more)
{
    if (degraded != 0) {
        return has_more ? "init.start names the same degradations. " BESIDES
                        : "init.start names the same degradations";
    }
    if (observes) {
        return has_more ? OBSERVES ". " BESIDES : OBSERVES;
    }
    return has_more ? "everything that it asks of the kernel is enforced. " BESIDES
                    : "everything that it asks for is enforced";
}

static void put_degradations(
        laz_degraded degraded, bool observes, bool has_more, struct laz_doctor_line *line)
{
    struct laz_buf text;
    laz_buf_init_fixed(&text, line->seen, sizeof(line->seen));
    laz_buf_str(&text, "would start here");
    laz_buf_str(&text, observes ? " in mode observe" : "");
    laz_buf_str(&text, has_more ? ", unless a line below says otherwise" : "");
    for (int i = 0; i < LAZ_DEGRADATION_COUNT; i++) {
        if ((degraded >> i & 1) != 0) {
            laz_buf_printf(&text, "%s %s", strchr(line->seen, ':') == NULL ? "; degraded:" : ",",
                    degradations[i].name);
        }
    }
}

/* Of init itself, for what the policy has it do: without a place for its sockets. */
static laz_degraded lost_sockets(const struct laz_policy *policy)
{
    if (laz_doctor_has_sockets()) {
        return 0;
    }
    return (policy->watching.is_said ? LAZ_DEGRADED_BIT(HEALTH_SOCKET) : 0) |
            (policy->secrets.config.n_items > 0 ? LAZ_DEGRADED_BIT(CONTROL) : 0);
}

static void ask_policy(struct laz_doctor *doctor, const struct laz_policy *policy)
{
    struct laz_err err = {0};
    struct laz_decided decided = {0};
    struct laz_image image;
    laz_cleanup_buf struct laz_buf block;
    laz_buf_init_heap(&block, (size_t)LAZ_IMAGE_MAX + 1);
    struct laz_doctor_line *line = laz_doctor_add(doctor, "policy", LAZ_DOCTOR_YES);
    line->is_vital = true;
    if (build(policy, &block, &image, &err) < 0 || judge(doctor, &image, &decided, &err) < 0) {
        line->state = LAZ_DOCTOR_NO;
        laz_doctor_say(line, "would not start here: %s: %s", laz_err_name(err.kind), err.message);
        line->means = laz_err_cause(err.kind);
        line->remedy = laz_err_remedy(err.kind);
        return;
    }
    bool has_secrets = policy->secrets.config.n_items > 0;
    if (has_paths(&image, decided.landlock_abi, has_secrets ? policy->secrets.dir : "", line)) {
        bool observes = policy->mode == LAZ_MODE_OBSERVE;
        bool has_more = has_secrets || policy->shipping.config.n_sinks > 0;
        decided.degraded |= lost_sockets(policy);
        put_degradations(decided.degraded, observes, has_more, line);
        line->means = meaning_of(decided.degraded, observes, has_more);
    }
}

/* ---- Print ---- */

static const char *state_name(enum laz_doctor_state state)
{
    switch (state) {
    case LAZ_DOCTOR_YES:
        return "yes";
    case LAZ_DOCTOR_NO:
        return "no";
    case LAZ_DOCTOR_UNKNOWN:
        break;
    }
    return "unknown";
}

static void put_wrapped(struct laz_buf *buf, const char *before, const char *text)
{
    laz_cleanup_buf struct laz_buf whole;
    laz_buf_init_heap(&whole, LAZ_CLI_OUTPUT_MAX);
    laz_buf_printf(
            &whole, "%s%s%s", before == NULL ? "" : before, before == NULL ? "" : ": ", text);
    laz_cli_wrap(buf, whole.overflow ? "" : whole.data, NAME_WIDTH, NAME_WIDTH);
}

static void put_text(struct laz_buf *buf, const struct laz_doctor *doctor, bool ok)
{
    for (size_t i = 0; i < doctor->n; i++) {
        const struct laz_doctor_line *line = &doctor->lines[i];
        laz_buf_printf(buf, "%-7s %-18s ", state_name(line->state), line->name);
        put_wrapped(buf, NULL, line->seen);
        if (line->means[0] != '\0') {
            laz_buf_printf(buf, "%*s", NAME_WIDTH, "");
            put_wrapped(buf, line->degradation, line->means);
        }
        if (line->remedy != NULL) {
            laz_buf_printf(buf, "%*s", NAME_WIDTH, "");
            put_wrapped(buf, "remedy", line->remedy);
        }
    }
    laz_buf_str(buf,
            ok ? "\nNothing here keeps lazaret-init from starting.\n"
               : "\nlazaret-init would not start here: see the lines that say so.\n");
}

static void put_json(struct laz_buf *buf, const struct laz_doctor *doctor, bool ok)
{
    struct laz_json json;
    laz_json_init(&json, buf);
    laz_json_object(&json, NULL);
    laz_json_bool(&json, "ok", ok);
    laz_json_array(&json, "checks");
    for (size_t i = 0; i < doctor->n; i++) {
        const struct laz_doctor_line *line = &doctor->lines[i];
        laz_json_object(&json, NULL);
        laz_json_string(&json, "name", line->name);
        if (line->sink != NULL) {
            laz_json_string(&json, "sink", line->sink);
        }
        laz_json_string(&json, "state", state_name(line->state));
        laz_json_bool(&json, "vital", line->is_vital);
        laz_json_string(&json, "seen", line->seen);
        if (line->degradation != NULL) {
            laz_json_string(&json, "degradation", line->degradation);
        }
        laz_json_string(&json, "means", line->means);
        if (line->remedy != NULL) {
            laz_json_string(&json, "remedy", line->remedy);
        }
        laz_json_object_end(&json);
    }
    laz_json_array_end(&json);
    laz_json_object_end(&json);
    laz_buf_char(buf, '\n');
}

static int print(const struct laz_doctor *doctor, bool as_json)
{
    bool ok = true;
    for (size_t i = 0; i < doctor->n; i++) {
        ok = ok && !(doctor->lines[i].is_vital && doctor->lines[i].state == LAZ_DOCTOR_NO);
    }
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    if (as_json) {
        put_json(&buf, doctor, ok);
    } else {
        put_text(&buf, doctor, ok);
    }
    return laz_cli_print(&buf, ok ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS);
}

/* In a child first: an outer filter may kill whoever asks. */
static int probe_in_child(void)
{
    struct laz_probe probe;
    struct laz_err err = {0};
    return laz_probe_run(&probe, &err) < 0 ? -1 : 0;
}

static void probe(struct laz_doctor *doctor)
{
    struct laz_attempted tried;
    laz_attempt(probe_in_child, &tried);
    if (tried.signal != 0) {
        (void)laz_err_set(&doctor->probe_err, LAZ_E_REQUIRED_ABSENT, 0,
                "looking at what the kernel offers was answered with signal %d", tried.signal);
    } else if (laz_probe_run(&doctor->probe, &doctor->probe_err) == 0) {
        doctor->probe_err.kind = LAZ_E_NONE;
    }
}

static int examine(struct laz_doctor *doctor, const struct laz_cli_arguments *arguments)
{
    laz_cleanup_loaded struct laz_loaded loaded = {0};
    if (arguments->n_operands > 0) {
        laz_loaded_init(&loaded, arguments->operands[0], arguments->root);
        int result = laz_loaded_require(&loaded, arguments->json);
        if (result != LAZ_EXIT_FINE) {
            return result;
        }
    }
    probe(doctor);
    laz_doctor_look(doctor);
    laz_doctor_look_around(doctor, arguments->root);
    laz_doctor_try(doctor);
    laz_doctor_look_at_task(doctor, arguments->connect);
    if (loaded.policy != NULL) {
        ask_policy(doctor, loaded.policy);
    }
    if (loaded.policy != NULL && loaded.policy->shipping.config.n_sinks > 0) {
        laz_doctor_look_at_shipping(doctor, loaded.policy, arguments->connect);
    }
    if (loaded.policy != NULL && loaded.policy->secrets.config.n_items > 0) {
        laz_doctor_look_at_secrets(doctor, loaded.policy);
    }
    return print(doctor, arguments->json);
}

int laz_cli_doctor(const struct laz_cli_arguments *arguments)
{
    struct laz_doctor *doctor = calloc(1, sizeof(*doctor)); /* too large for a stack frame */
    if (doctor == NULL) {
        struct laz_err err = {0};
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no memory to examine anything");
        return laz_cli_fail(&err, arguments->json);
    }
    int result = examine(doctor, arguments);
    free(doctor);
    return result;
}
