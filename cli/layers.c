/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines about platform filter, Landlock, capabilities and no_new_privs. The tables are in
 * layers.def.
 */
#include "cli/layers.h"

#include <linux/capability.h>
#include <string.h>

#include "cli/words.h"
#include "confine/attest.h"

enum watched {
    WATCHED_NOTHING,
    WATCHED_FILES,
    WATCHED_DEVICES,
    WATCHED_BIND,
    WATCHED_CONNECT,
    WATCHED_SIGNALS,
    WATCHED_PROCESSES,
    WATCHED_MOUNTS,
};

static enum watched watched_by_landlock(const struct laz_syscall *call)
{
    static const struct {
        const char *name;
        enum watched watched;
    } rows[] = {
#define LAZ_NEEDS(name, capability, when)
#define LAZ_WATCHES(name, what) {name, WATCHED_##what},
#include "cli/layers.def"
#undef LAZ_NEEDS
#undef LAZ_WATCHES
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, call->name) == 0) {
            return rows[i].watched;
        }
    }
    return WATCHED_NOTHING;
}

int laz_layers_capability(const struct laz_syscall *call, bool *ret_always)
{
    enum {
        ALWAYS,
        SOMETIMES
    };
    static const struct {
        const char *name;
        int capability;
        int when;
    } rows[] = {
#define LAZ_NEEDS(name, capability, when) {name, capability, when},
#define LAZ_WATCHES(name, what)
#include "cli/layers.def"
#undef LAZ_NEEDS
#undef LAZ_WATCHES
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, call->name) == 0) {
            *ret_always = rows[i].when == ALWAYS;
            return rows[i].capability;
        }
    }
    *ret_always = false;
    return -1;
}

bool laz_layers_keeps(const struct laz_policy *policy, int capability)
{
    return (policy->keep_capabilities >> capability & 1) != 0;
}

void laz_layers_brief(
        const struct laz_policy *policy, const struct laz_syscall *call, struct laz_buf *buf)
{
    const struct laz_decision *decision = &policy->decisions[laz_syscall_index(call)];
    laz_buf_printf(buf, "%s ", call->name);
    if (decision->refuse.n > 0 || decision->guard.n > 0 || decision->allow.n > 0) {
        laz_buf_str(buf, "depends on its arguments");
    } else {
        laz_words_verdict(buf, decision->base);
    }
}

static struct laz_buf *add(struct laz_explanation *ret, const char *layer)
{
    return laz_lines_add(&ret->layers, NULL, layer, (struct laz_pos){.line = 0});
}

void laz_layers_platform(struct laz_explanation *ret)
{
    struct laz_buf *text = add(ret, LAZ_LAYER_PLATFORM);
    struct laz_process_state self;
    struct laz_err ignored = {0};
    if (laz_attest_read(0, &self, &ignored) < 0) {
        laz_buf_str(text, "not known: /proc cannot be read");
    } else if (self.seccomp == 0) {
        laz_buf_str(text, "none where this command runs");
    } else if (self.seccomp_filters > 0) {
        laz_buf_printf(text, "%d where this command runs; what they refuse is not shown",
                self.seccomp_filters);
    } else {
        laz_buf_str(text, "there is one where this command runs; what it refuses is not shown");
    }
    laz_buf_str(text, "; whatever one refuses fails with its errno, and raises no event");
}

void laz_layers_no_new_privs(struct laz_explanation *ret, bool is_exec)
{
    laz_buf_str(add(ret, LAZ_LAYER_NO_NEW_PRIVS),
            is_exec ? "on: setuid bits and file capabilities of what is executed give nothing"
                    : "on; says nothing about this");
}

void laz_layers_landlock_level(const struct laz_policy *policy, unsigned abi, struct laz_buf *buf)
{
    bool is_required = policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_REQUIRED;
    if (!is_required || (abi > 1 && policy->landlock_min_abi < abi)) {
        laz_buf_printf(buf, "; where the kernel has Landlock ABI %u", abi);
    }
}

static void put_isolation(struct laz_buf *text, bool is_isolated, const char *what)
{
    if (is_isolated) {
        laz_buf_printf(text, "%s outside are out of reach: EPERM (filesystem.isolate)", what);
    } else {
        laz_buf_printf(text, "%s are not isolated (filesystem.isolate)", what);
    }
}

void laz_layers_landlock_call(const struct laz_policy *policy, const struct laz_syscall *call,
        struct laz_explanation *ret)
{
    struct laz_buf *text = add(ret, LAZ_LAYER_LANDLOCK);
    if (policy->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED) {
        laz_buf_str(text, "disabled by the policy");
        return;
    }
    switch (watched_by_landlock(call)) {
    case WATCHED_NOTHING:
        laz_buf_str(text, "says nothing about this call");
        return;
    case WATCHED_FILES:
        laz_buf_str(text, "the path decides, EACCES where no rule grants it; ask with a path");
        break;
    case WATCHED_DEVICES:
        laz_buf_str(text, "on devices, only those under filesystem.devices, else EACCES");
        laz_layers_landlock_level(policy, 5, text);
        return;
    case WATCHED_BIND:
        laz_buf_str(text, "for TCP the port decides, EACCES where none is listed; ask with a port");
        laz_layers_landlock_level(policy, 4, text);
        return;
    case WATCHED_CONNECT:
        laz_buf_str(text, "for TCP the port decides, EACCES where none is listed; ask with a port");
        laz_layers_landlock_level(policy, 4, text);
        laz_buf_str(text, "; ");
        put_isolation(text, policy->isolate_abstract_sockets, "abstract sockets of processes");
        return;
    case WATCHED_SIGNALS:
        put_isolation(text, policy->isolate_signals, "processes");
        laz_layers_landlock_level(policy, 6, text);
        return;
    case WATCHED_PROCESSES:
        laz_buf_str(text, "processes outside the workload's own domain are out of reach: EPERM");
        break;
    case WATCHED_MOUNTS:
        laz_buf_str(text, "no process under Landlock can change mounts: EPERM");
        break;
    }
    laz_layers_landlock_level(policy, 1, text);
}

static bool makes_namespaces(const struct laz_syscall *call)
{
    return strcmp(call->name, "clone") == 0 || strcmp(call->name, "clone3") == 0 ||
            strcmp(call->name, "unshare") == 0;
}

void laz_layers_capability_call(const struct laz_policy *policy, const struct laz_syscall *call,
        struct laz_explanation *ret)
{
    struct laz_buf *text = add(ret, LAZ_LAYER_CAPABILITIES);
    bool is_always = false;
    int capability = laz_layers_capability(call, &is_always);
    if (capability < 0) {
        laz_buf_str(text, "none is asked for");
        return;
    }
    laz_buf_printf(text, "%s is asked for%s; %s%s", laz_capability_name(capability),
            is_always ? "" : " by some uses",
            laz_layers_keeps(policy, capability) ? "the policy keeps it"
                                                 : "the policy does not keep it: EPERM",
            makes_namespaces(call) ? "; for a user namespace (CLONE_NEWUSER) none is asked for, "
                                     "and whoever is in a new one has all of them there"
                                   : "");
}
