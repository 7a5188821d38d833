/* SPDX-License-Identifier: Apache-2.0
 *
 * A policy's words to the host: what they are by default and in files that build on each other,
 * what is laxer than what, and what they mean for a mount and a variable.
 */
#include "policy/host.h"

#include "loading.h"
#include "policy/narrow.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX      1000

static struct laz_policy *policy_of(const char *host)
{
    char text[TEXT_MAX];
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, text, sizeof(text));
    laz_buf_printf(&buf, "%sextends: [builtin/web-api]\nhost: %s\n", MINIMAL, host);
    cr_assert(!buf.overflow);
    return must_load(text);
}

Test(policy_host, confines_what_comes_in_and_lends_nothing_unless_it_says_otherwise)
{
    struct laz_policy *policy = must_load(MINIMAL "extends: [builtin/web-api]\n");
    const struct laz_policy_host *host = &policy->host;
    cr_expect_eq(host->exec, (uint32_t)LAZ_HOST_EXEC_CONFINED);
    cr_expect_eq(host->exec_user, (uint32_t)LAZ_HOST_USER_ANY);
    cr_expect_eq(host->ecs_exec, (uint32_t)LAZ_HOST_EXEC_CONFINED);
    cr_expect_eq(host->health_command.n, 0);
    cr_expect_eq(host->privileged, (uint32_t)LAZ_HOST_PRIVILEGED_REFUSE);
    cr_expect_eq(host->annotations, (uint32_t)LAZ_HOST_ANNOTATIONS_REFUSE);
    cr_expect_eq(host->update, (uint32_t)LAZ_HOST_VERB_ALLOW);
    cr_expect_eq(host->seccomp, (uint32_t)LAZ_HOST_SECCOMP_KEEP);
    cr_expect_eq(host->checkpoint, (uint32_t)LAZ_HOST_VERB_REFUSE);
    cr_expect_eq(host->user_namespace, (uint32_t)LAZ_HOST_USER_NAMESPACE_OPTIONAL);
    cr_expect_eq(host->namespaces, 0);
    cr_expect_eq(host->mounts_deny.n + host->mounts_allow.n + host->devices.n + host->hooks.n +
                    host->masked_paths.n + host->readonly_paths.n + host->exec_env_deny.n,
            0);
    laz_policy_free(policy);
}

Test(policy_host, has_every_key_in_its_own_place)
{
    struct loaded loaded = load_path("tests/data/good/every-key.yaml");
    cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
    const struct laz_policy_host *host = &loaded.policy->host;
    cr_expect_eq(host->exec, (uint32_t)LAZ_HOST_EXEC_DENY);
    cr_expect_eq(host->exec_user, (uint32_t)LAZ_HOST_USER_WORKLOAD);
    cr_expect_eq(host->ecs_exec, (uint32_t)LAZ_HOST_EXEC_DENY);
    cr_expect_eq(host->health_exec, (uint32_t)LAZ_HOST_EXEC_DENY);
    cr_assert_eq(host->health_command.n, 3);
    cr_expect_str_eq(host->health_command.items[2], "wget -q -O - x x");
    cr_expect_eq(host->privileged, (uint32_t)LAZ_HOST_PRIVILEGED_CLAMP);
    cr_expect_eq(host->namespaces, 1U << LAZ_HOST_NAMESPACE_NETWORK | 1U << LAZ_HOST_NAMESPACE_PID);
    cr_expect_eq(host->user_namespace, (uint32_t)LAZ_HOST_USER_NAMESPACE_REQUIRED);
    cr_expect_str_eq(host->mounts_deny.items[0], "/home");
    cr_expect_str_eq(host->mounts_allow.items[0], "/etc/localtime");
    cr_expect_str_eq(host->devices.items[0], "/dev/fuse");
    cr_expect_str_eq(host->hooks.items[0], "/usr/bin/nvidia-container-runtime-hook");
    cr_expect_eq(host->annotations, (uint32_t)LAZ_HOST_ANNOTATIONS_STRIP);
    cr_expect_str_eq(host->masked_paths.items[0], "/proc/cpuinfo");
    cr_expect_str_eq(host->readonly_paths.items[0], "/opt");
    cr_expect_str_eq(host->exec_env_deny.items[0], "NODE_OPTIONS");
    cr_expect_eq(host->update, (uint32_t)LAZ_HOST_VERB_REFUSE);
    cr_expect_eq(host->seccomp, (uint32_t)LAZ_HOST_SECCOMP_NARROW);
    cr_expect_eq(host->checkpoint, (uint32_t)LAZ_HOST_VERB_REFUSE);
    unload(&loaded);
}

Test(policy_host, of_several_files_lists_add_up_and_words_replace)
{
    struct loaded loaded = load_path("tests/data/good/host-child.yaml");
    cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
    const struct laz_policy_host *host = &loaded.policy->host;
    cr_expect_eq(host->exec, (uint32_t)LAZ_HOST_EXEC_DENY);
    cr_expect_eq(host->namespaces, 1U << LAZ_HOST_NAMESPACE_NETWORK | 1U << LAZ_HOST_NAMESPACE_UTS);
    cr_assert_eq(host->mounts_deny.n, 3);
    cr_expect_str_eq(host->mounts_deny.items[0], "/a");
    cr_expect_str_eq(host->mounts_deny.items[2], "/c");
    unload(&loaded);
}

Test(policy_host, of_several_files_the_last_health_command_is_the_whole_of_it)
{
    struct loaded loaded = load_path("tests/data/good/host-health.yaml");
    cr_assert_eq(loaded.result, 0, "%s", loaded.err.message);
    const struct laz_policy_host *host = &loaded.policy->host;
    cr_assert_eq(host->health_command.n, 3);
    cr_expect_str_eq(host->health_command.items[0], "/b");
    cr_expect_str_eq(host->health_command.items[2], "x", "a word may be there twice");
    cr_expect_eq(host->health_exec, (uint32_t)LAZ_HOST_EXEC_CONFINED, "not the other command's");
    unload(&loaded);
}

/* ---- Laxer and stricter ---- */

static const struct {
    const char *parent;
    const char *child;
    const char *key; /* NULL: nothing is laxer */
    const char *value;
    bool is_less;
} pairs[] = {
        {"{}", "{}", NULL, NULL, false},
        {"{exec: allow}", "{exec: confined}", NULL, NULL, false},
        {"{exec: deny}", "{exec: confined}", "host.exec", "confined", false},
        {"{}", "{exec: allow}", "host.exec", "allow", false},
        {"{}", "{exec-user: workload}", NULL, NULL, false},
        {"{exec-user: workload}", "{exec-user: non-root}", "host.exec-user", "non-root", false},
        {"{exec-user: non-root}", "{}", "host.exec-user", "any", false},
        {"{ecs-exec: deny}", "{}", "host.ecs-exec", "confined", false},
        {"{exec: deny}", "{exec: deny, health-check: {argv: [a]}}", "host.health-check.exec",
                "confined", false},
        {"{exec: deny}", "{exec: deny, health-check: {argv: [a], exec: deny}}", NULL, NULL, false},
        {"{}", "{health-check: {argv: [a]}}", NULL, NULL, false},
        {"{}", "{health-check: {argv: [a], exec: allow}}", "host.health-check.exec", "allow",
                false},
        {"{exec: deny, health-check: {argv: [a]}}", "{exec: deny, health-check: {argv: [a]}}", NULL,
                NULL, false},
        {"{exec: deny, health-check: {argv: [a]}}", "{exec: deny}", NULL, NULL, false},
        {"{exec: deny, health-check: {argv: [a]}}", "{exec: deny, health-check: {argv: [a, a]}}",
                "host.health-check.exec", "confined", false},
        {"{exec: deny, health-check: {argv: [a, a]}}", "{exec: deny, health-check: {argv: [a]}}",
                "host.health-check.exec", "confined", false},
        {"{exec: deny, health-check: {argv: [a], exec: deny}}",
                "{exec: deny, health-check: {argv: [a]}}", "host.health-check.exec", "confined",
                false},
        {"{health-check: {argv: [a], exec: deny}}", "{}", "host.health-check.exec", "confined",
                false},
        {"{health-check: {argv: [a], exec: deny}}", "{exec: deny}", NULL, NULL, false},
        {"{}", "{privileged: clamp}", "host.privileged", "clamp", false},
        {"{privileged: clamp}", "{}", NULL, NULL, false},
        {"{user-namespace: required}", "{}", "host.user-namespace", "optional", false},
        {"{}", "{user-namespace: required}", NULL, NULL, false},
        {"{}", "{annotations: strip}", "host.annotations", "strip", false},
        {"{update: refuse}", "{}", "host.update", "allow", false},
        {"{}", "{update: refuse}", NULL, NULL, false},
        {"{}", "{seccomp: narrow}", NULL, NULL, false},
        {"{seccomp: narrow}", "{seccomp: keep}", "host.seccomp", "keep", false},
        {"{}", "{seccomp: events}", "host.seccomp", "events", false},
        {"{seccomp: events}", "{seccomp: events}", NULL, NULL, false},
        {"{seccomp: events}", "{}", "host.seccomp", "events", true},
        {"{}", "{checkpoint: allow}", "host.checkpoint", "allow", false},
        {"{namespaces: [network]}", "{namespaces: [network]}", NULL, NULL, false},
        {"{namespaces: [network]}", "{namespaces: [network, ipc]}", "host.namespaces", "ipc",
                false},
        {"{mounts: {allow: [/etc]}}", "{mounts: {allow: [/etc/hosts]}}", NULL, NULL, false},
        {"{mounts: {allow: [/etc/hosts]}}", "{mounts: {allow: [/etc]}}", "host.mounts.allow",
                "/etc", false},
        {"{mounts: {deny: [/a]}}", "{mounts: {deny: [/]}}", NULL, NULL, false},
        {"{mounts: {deny: [/a]}}", "{mounts: {deny: [/a/b]}}", "host.mounts.deny", "/a", true},
        {"{devices: [/dev/fuse]}", "{devices: [/dev/kvm]}", "host.devices", "/dev/kvm", false},
        {"{devices: [/dev/fuse]}", "{}", NULL, NULL, false},
        {"{hooks: [/a]}", "{hooks: [/ab]}", "host.hooks", "/ab", false},
        {"{masked-paths: [/a]}", "{masked-paths: [/b]}", "host.masked-paths", "/a", true},
        {"{readonly-paths: [/a]}", "{}", "host.readonly-paths", "/a", true},
        {"{exec-env-deny: [A]}", "{exec-env-deny: [B]}", "host.exec-env-deny", "A", true},
        {"{exec-env-deny: [A]}", "{exec-env-deny: [B, A]}", NULL, NULL, false},
};

Test(policy_host, is_compared_key_by_key)
{
    for (size_t i = 0; i < LENGTH(pairs); i++) {
        struct laz_policy *parent = policy_of(pairs[i].parent);
        struct laz_policy *child = policy_of(pairs[i].child);
        struct laz_widening found = {0};
        bool is_wider = laz_policy_find_widening(child, parent, &found);
        cr_expect_eq(is_wider, pairs[i].key != NULL, "row %zu: %s", i, found.key);
        if (is_wider && pairs[i].key != NULL) {
            cr_expect_str_eq(found.key, pairs[i].key, "row %zu", i);
            cr_expect_str_eq(found.value, pairs[i].value, "row %zu", i);
            cr_expect_eq(found.is_less, pairs[i].is_less, "row %zu", i);
        }
        laz_policy_free(parent);
        laz_policy_free(child);
    }
}

/* ---- What they mean ---- */

#define CRI "/var/lib/containerd/io.containerd.grpc.v1.cri"

Test(policy_host, refuses_mounts_of_what_rules_the_host)
{
    static const struct {
        const char *source;
        const char *why; /* NULL: it may be mounted */
        const char *why_writable;
    } rows[] = {
            {"/", "/home/a", "/home/a"},
            {"/etc", "/etc", "/etc"},
            {"/etc/shadow", "/etc", "/etc"},
            {"/etcetera", NULL, NULL},
            {"/proc/sys", "/proc", "/proc"},
            {"/sys/fs/cgroup", "/sys", "/sys"},
            {"/dev/sda", "/dev", "/dev"},
            {"/root/.ssh", "/root", "/root"},
            {"/run", "/run", "/run"},
            {"/run/docker.sock", "/run", "/run"},
            {"/run/runc/x", "/run", "/run"},
            {"/run/udev/rules.d", "/run", "/run"},
            {"/run/containerd/io.containerd.grpc.v1.cri/sandboxes/x/shm", NULL, NULL},
            {"/run/containerd/io.containerd.grpc.v1.cri/sandboxes/x", "/run", "/run"},
            {"/var/run", "/var/run", "/var/run"},
            {"/var/run/docker.sock", "/var/run", "/var/run"},
            {"/var/run/containerd/io.containerd.grpc.v1.cri/sandboxes/x/shm", NULL, NULL},
            {"/var/run/containers/storage/vfs-containers/x/userdata/hosts", NULL, NULL},
            {"/var/run/containers/storage/vfs-containers/x/userdata", "/var/run", "/var/run"},
            {"/var", "/var/lib/amazon", "/var/lib/amazon"},
            {"/var/lib", "/var/lib/amazon", "/var/lib/amazon"},
            {"/var/lib/docker", "/var/lib/docker", "/var/lib/docker"},
            {"/var/lib/docker/volumes", "/var/lib/docker", "/var/lib/docker"},
            {"/var/lib/docker/volumes/x", "/var/lib/docker", "/var/lib/docker"},
            {"/var/lib/docker/volumes/x/_data", NULL, NULL},
            {"/var/lib/docker/volumes/x/_data/sub", NULL, NULL},
            {"/var/lib/docker/volumes/x/_database", "/var/lib/docker", "/var/lib/docker"},
            {"/var/lib/docker/containers/x", "/var/lib/docker", "/var/lib/docker"},
            {"/var/lib/docker/containers/x/config.v2.json", "/var/lib/docker", "/var/lib/docker"},
            {"/var/lib/docker/containers/x/mounts/shm", NULL, NULL},
            {"/var/lib/lazaret/x", "/var/lib/lazaret", "/var/lib/lazaret"},
            {"/var/log/lazaret", "/var/log/lazaret", "/var/log/lazaret"},
            {"/var/log/app", NULL, NULL},
            {"/var/lib/cloud", "/var/lib/cloud", "/var/lib/cloud"},
            {"/var/lib/systemd", "/var/lib/systemd", "/var/lib/systemd"},
            {"/var/lib/dpkg/info", NULL, "/var/lib/dpkg"},
            {"/var/lib/rpm", NULL, "/var/lib/rpm"},
            {"/var/lib/ecs/data/agent.db", "/var/lib/ecs", "/var/lib/ecs"},
            {"/var/lib/ecs/deps/execute-command/bin/1/x", NULL, "/var/lib/ecs/deps"},
            {"/var/lib/docker/containers/x/hosts", NULL, NULL},
            {"/var/lib/docker/overlay2/x/diff", "/var/lib/docker", "/var/lib/docker"},
            {"/var/lib/containers/storage/volumes/x/_data", NULL, NULL},
            {"/var/lib/kubelet/pods/x/etc-hosts", NULL, NULL},
            {"/var/lib/kubelet/pods/x", "/var/lib/kubelet", "/var/lib/kubelet"},
            {"/var/lib/kubelet/pki", "/var/lib/kubelet", "/var/lib/kubelet"},
            {CRI "/sandboxes/x/hostname", NULL, NULL},
            {CRI "/sandboxes/x/hosts", NULL, NULL},
            {CRI "/sandboxes/x/resolv.conf", NULL, NULL},
            {CRI "/sandboxes/x/resolv.conf.bak", "/var/lib/containerd", "/var/lib/containerd"},
            {CRI "/sandboxes/x", "/var/lib/containerd", "/var/lib/containerd"},
            {CRI "/sandboxes/hosts", "/var/lib/containerd", "/var/lib/containerd"},
            {CRI "/sandboxes/x/y/hosts", "/var/lib/containerd", "/var/lib/containerd"},
            {CRI "/sandboxes/../hosts", "/var/lib/containerd", "/var/lib/containerd"},
            {CRI "/sandboxes/x/hosts/../..", "/var/lib/containerd", "/var/lib/containerd"},
            {CRI "/sandboxes/./hosts", "/var/lib/containerd", "/var/lib/containerd"},
            {CRI "/containers/x/hosts", "/var/lib/containerd", "/var/lib/containerd"},
            {CRI "/containers/x/volumes/y", NULL, NULL},
            {CRI "/containers/x/volumes/y/..x", NULL, NULL},
            {CRI "/containers/x/volumes", "/var/lib/containerd", "/var/lib/containerd"},
            {CRI "/containers/x/status", "/var/lib/containerd", "/var/lib/containerd"},
            {"/var/lib/containerd/io.containerd.content.v1.content/sandboxes/x/hosts",
                    "/var/lib/containerd", "/var/lib/containerd"},
            {"/var/lib/postgresql", NULL, NULL},
            {"/run/containers/storage/overlay-containers/x/userdata/hosts", NULL, NULL},
            {"/run/containers/storage/vfs-containers/x/userdata/hosts", NULL, NULL},
            {"/run/containers/storage/vfs-containers/x/userdata", "/run", "/run"},
            {"/usr", NULL, "/usr"},
            {"/usr/bin/docker-init", NULL, "/usr"},
            {"/usr/libexec/lazaret", NULL, "/usr"},
            {"/boot", NULL, "/boot"},
            {"/var/spool/cron", NULL, "/var/spool"},
            {"/opt", NULL, "/opt/cni"},
            {"/opt/app", NULL, NULL},
            {"/etc/localtime", NULL, NULL},
            {"/etc/localtime/below", NULL, NULL},
            {"/home", "/home/a", "/home/a"},
            {"/home/a/b", "/home/a", "/home/a"},
            {"/home/b", NULL, NULL},
            {"/sys/kernel/x", "/sys/kernel/x", "/sys/kernel/x"},
            {"/sys/kernel/y", NULL, NULL},
    };
    struct laz_policy *policy = policy_of("{mounts: {deny: [/home/a, /sys/kernel/x], allow: "
                                          "[/etc/localtime, /sys/kernel]}}");
    for (size_t i = 0; i < 2 * LENGTH(rows); i++) {
        bool is_writable = i % 2 == 1;
        const char *source = rows[i / 2].source;
        const char *wanted = is_writable ? rows[i / 2].why_writable : rows[i / 2].why;
        const char *why = laz_host_mount_refusal(&policy->host, source, is_writable);
        bool is_same = wanted == NULL || why == NULL ? wanted == why : strcmp(why, wanted) == 0;
        cr_expect(is_same, "%s, %s: %s", source, is_writable ? "rw" : "ro",
                why == NULL ? "may be" : why);
    }
    laz_policy_free(policy);
}

Test(policy_host, takes_no_variable_that_brings_code)
{
    struct laz_policy *policy = policy_of("{exec-env-deny: [NODE_OPTIONS]}");
    static const char *const refused[] = {"LD_PRELOAD", "LD_AUDIT", "GCONV_PATH", "NODE_OPTIONS"};
    static const char *const taken[] = {"PATH", "LD_PRELOADS", "LD_PRELOA", "NODE_OPTION", ""};
    for (size_t i = 0; i < LENGTH(refused); i++) {
        cr_expect_not(laz_host_takes_variable(&policy->host, refused[i], strlen(refused[i])), "%s",
                refused[i]);
    }
    for (size_t i = 0; i < LENGTH(taken); i++) {
        cr_expect(
                laz_host_takes_variable(&policy->host, taken[i], strlen(taken[i])), "%s", taken[i]);
    }
    cr_expect_not(laz_host_takes_variable(&policy->host, "LD_PRELOAD=/evil.so", 10));
    laz_policy_free(policy);
}
