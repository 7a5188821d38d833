/* SPDX-License-Identifier: Apache-2.0
 *
 * What a config.json asks for of the host's kernel: namespaces, settings, network devices, and
 * labels of AppArmor and SELinux that bind nobody.
 */
#include "shim/judge_kernel.h"

#include <string.h>

#include <criterion/criterion.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX      8192

/* A config.json with this of `process` and this of `linux`. */
static void open_bundle(
        const char *process, const char *linux_, char text[TEXT_MAX], struct laz_bundle *ret)
{
    struct laz_buf buf;
    struct laz_err err = {0};
    laz_buf_init_fixed(&buf, text, TEXT_MAX);
    laz_buf_printf(&buf,
            "{\"ociVersion\":\"1.0.2\",\"process\":{\"cwd\":\"/\"%s%s},\"linux\":{%s}}",
            process[0] == '\0' ? "" : ",", process, linux_);
    cr_assert_not(buf.overflow);
    *ret = (struct laz_bundle){.folder = -1};
    cr_assert_eq(laz_oci_spec_open(buf.data, buf.len, LAZ_OCI_CONFIG, &ret->spec, &err), 0,
            "%s: %s", text, err.message);
    cr_assert_eq(laz_oci_process(&ret->spec, &ret->process, &err), 0, "%s", err.message);
    ret->container = laz_oci_container(&ret->spec);
}

#define TYPE(type)      "{\"type\":\"" type "\"}"
#define AT(type, path)  "{\"type\":\"" type "\",\"path\":\"" path "\"}"
#define NAMESPACES(...) "\"namespaces\":[" __VA_ARGS__ "]"
#define OWN(network, ipc, uts, ...)                                                                \
    NAMESPACES(TYPE("mount") "," TYPE("pid") "," network "," ipc "," uts __VA_ARGS__)
#define ALL_OWN           OWN(TYPE("network"), TYPE("ipc"), TYPE("uts"))
#define SETS(space, name) space ",\"sysctl\":{\"net.core.somaxconn\":\"1\",\"" name "\":\"1\"}"
#define SET(name)         SETS(ALL_OWN, name)
/* Another's: what is there, and is not ours. */
#define OTHERS(type) AT(type, "/dev/null")
#define ALL_HOSTS                                                                                  \
    OWN(AT("network", "/proc/self/ns/net"), AT("ipc", "/proc/self/ns/ipc"),                        \
            AT("uts", "/proc/self/ns/uts"))
#define WHOLE   "linux.sysctl of the whole host: "
#define NOTHING " (nothing allows it)"

static const struct {
    const char *name;
    const char *linux_;
    const char *why; /* NULL: it may */
    bool is_lax;     /* the policy lets it have the host's namespaces */
} rows[] = {
        {"namespaces of its own", ALL_OWN, NULL, false},
        {"the host's network", OWN(AT("network", "/proc/self/ns/net"), TYPE("ipc"), TYPE("uts")),
                "the host's namespace of type network (host.namespaces)", false},
        {"the host's network, as the policy lets it",
                OWN(AT("network", "/proc/self/ns/net"), TYPE("ipc"), TYPE("uts")), NULL, true},
        {"the host's ipc", NAMESPACES(TYPE("mount") "," TYPE("pid") "," TYPE("network")),
                "the host's namespace of type ipc (host.namespaces)", false},
        {"the host's mounts", NAMESPACES(TYPE("pid")), "the host's mount namespace" NOTHING, true},
        /* What engines write by themselves. */
        {"docker",
                ALL_OWN ",\"sysctl\":{\"net.ipv4.ip_unprivileged_port_start\":\"0\",\"net.ipv4."
                        "ping_group_range\":\"0 2147483647\"}",
                NULL, false},
        {"docker, with a domain", SET("kernel.domainname"), NULL, false},
        {"podman and CRI: a network that is made before",
                SETS(OWN(OTHERS("network"), OTHERS("ipc"), OTHERS("uts")),
                        "net.ipv4.ping_group_range"),
                NULL, false},
        /* What is the container's own. */
        {"queues", SET("fs.mqueue.msg_max"), NULL, false},
        {"shared memory", SET("kernel.shmmax"), NULL, false},
        {"semaphores of another container",
                SETS(OWN(TYPE("network"), OTHERS("ipc"), TYPE("uts")), "kernel.sem"), NULL, false},
        {"by slashes", SET("net/ipv4/conf/eth0.100/forwarding"), NULL, false},
        {"of users",
                SETS(OWN(TYPE("network"), TYPE("ipc"), TYPE("uts"), "," TYPE("user")),
                        "user.max_user_namespaces"),
                NULL, false},
        /* What is the host's. */
        {"network of the host", SETS(ALL_HOSTS, "net.ipv4.ip_forward"),
                "linux.sysctl net.core.somaxconn, in the host's namespace of type network" NOTHING,
                true},
        {"network that is not said",
                NAMESPACES(TYPE("mount") "," TYPE("ipc")) ",\"sysctl\":{\"net/x\":\"1\"}",
                "linux.sysctl net/x, in the host's namespace of type network" NOTHING, true},
        {"ipc of the host, by its path",
                SETS(OWN(TYPE("network"), AT("ipc", "/proc/self/ns/ipc"), TYPE("uts")),
                        "kernel.shm_rmid_forced"),
                "linux.sysctl kernel.shm_rmid_forced, in the host's namespace of type ipc" NOTHING,
                true},
        {"queues of the host",
                SETS(OWN(TYPE("network"), AT("ipc", "/nowhere"), TYPE("uts")), "fs/mqueue/msg_max"),
                "linux.sysctl fs/mqueue/msg_max, in the host's namespace of type ipc" NOTHING,
                true},
        {"name of the host",
                SETS(OWN(TYPE("network"), TYPE("ipc"), AT("uts", "/proc/self/ns/uts")),
                        "kernel.domainname"),
                "linux.sysctl kernel.domainname, in the host's namespace of type uts" NOTHING,
                true},
        {"users of the host", SET("user.max_user_namespaces"),
                "linux.sysctl user.max_user_namespaces, in the host's namespace of type "
                "user" NOTHING,
                false},
        {"a program of the kernel's", SET("kernel.core_pattern"),
                WHOLE "kernel.core_pattern" NOTHING, false},
        {"memory", SET("vm.overcommit_memory"), WHOLE "vm.overcommit_memory" NOTHING, false},
        {"files", SET("fs.protected_symlinks"), WHOLE "fs.protected_symlinks" NOTHING, false},
        {"more than a name", SET("kernel.sem.x"), WHOLE "kernel.sem.x" NOTHING, false},
        {"less than a name", SET("kernel.se"), WHOLE "kernel.se" NOTHING, false},
        {"net alone", SET("net"), WHOLE "net" NOTHING, false},
        {"in another case", SET("NET.core.x"), WHOLE "NET.core.x" NOTHING, false},
        {"climbs", SET("net/../kernel/core_pattern"), WHOLE "net/../kernel/core_pattern" NOTHING,
                false},
        {"climbs, by dots", SET("net.../kernel.core_pattern"),
                WHOLE "net.../kernel.core_pattern" NOTHING, false},
        {"two signs", SET("net..core"), WHOLE "net..core" NOTHING, false},
        {"a sign in front", SET("/kernel/sem"), WHOLE "/kernel/sem" NOTHING, false},
        {"a sign behind", SET("net.core."), WHOLE "net.core." NOTHING, false},
        {"no name", SET(""), WHOLE "" NOTHING, false},
        {"network devices", ALL_OWN ",\"netDevices\":{\"eth0\":{\"name\":\"eth1\"}}",
                "network devices of the host: linux.netDevices" NOTHING, true},
        {"no network devices", ALL_OWN ",\"netDevices\":{}", NULL, false},
};

Test(shim_judge_kernel, what_is_the_hosts_is_refused_and_what_engines_write_is_not)
{
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char text[TEXT_MAX];
        struct laz_bundle bundle;
        struct laz_err err = {0};
        const struct laz_policy_host host = {.namespaces = rows[i].is_lax ? UINT32_MAX : 0,
                .user_namespace = LAZ_HOST_USER_NAMESPACE_OPTIONAL};
        open_bundle("", rows[i].linux_, text, &bundle);
        int result = laz_judge_kernel(&bundle, &host, &err);
        cr_expect_eq(result, rows[i].why == NULL ? 0 : -1, "%s: %s", rows[i].name, err.message);
        if (rows[i].why != NULL) {
            cr_expect_eq(err.kind, LAZ_E_REQUEST, "%s", rows[i].name);
            cr_expect_str_eq(err.message, rows[i].why, "%s", rows[i].name);
        }
        laz_oci_spec_done(&bundle.spec);
    }
}

Test(shim_judge_kernel, a_setting_with_a_name_that_is_too_long_is_refused)
{
    char text[TEXT_MAX];
    char space[1024] = ALL_OWN ",\"sysctl\":{\"net.";
    struct laz_bundle bundle;
    struct laz_err err = {0};
    const struct laz_policy_host host = {.user_namespace = LAZ_HOST_USER_NAMESPACE_OPTIONAL};
    size_t length = strlen(space);
    (void)memset(space + length, 'x', 252);
    (void)memcpy(space + length + 252, "\":\"1\"}", sizeof("\":\"1\"}"));
    open_bundle("", space, text, &bundle);
    cr_expect_eq(laz_judge_kernel(&bundle, &host, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_REQUEST);
    cr_expect_str_eq(err.message, "linux.sysctl with a name that is too long" NOTHING);
    laz_oci_spec_done(&bundle.spec);
}

#define APPARMOR "process.apparmorProfile: unconfined (privileged)"
#define SELINUX  "process.selinuxLabel: a type of programs that nobody confines (privileged)"

Test(shim_judge_kernel, a_label_that_binds_nobody_is_as_privileged)
{
    static const struct {
        const char *process;
        const char *why; /* NULL: none does */
    } labels[] = {
            {"", NULL},
            {"\"apparmorProfile\":\"\"", NULL},
            {"\"apparmorProfile\":null", NULL},
            {"\"apparmorProfile\":\"docker-default\"", NULL},
            {"\"apparmorProfile\":\"unconfined-not\"", NULL},
            {"\"apparmorProfile\":\"unconfined\"", APPARMOR},
            {"\"apparmorProfile\":\" unconfined\\n\"", APPARMOR},
            {"\"apparmorProfile\":\":root:unconfined\"", APPARMOR},
            {"\"apparmorProfile\":\":root://unconfined\"", APPARMOR},
            {"\"apparmorProfile\":\"docker-default//&unconfined\"", APPARMOR},
            {"\"selinuxLabel\":\"\"", NULL},
            {"\"selinuxLabel\":\"system_u:system_r:container_t:s0:c1,c2\"", NULL},
            {"\"selinuxLabel\":\"spc_t:spc_t:container_t:spc_t\"", NULL},
            {"\"selinuxLabel\":\"system_u:system_r:spc_tt:s0\"", NULL},
            {"\"selinuxLabel\":\"spc_t\"", NULL},
            {"\"selinuxLabel\":\"system_u:system_r:spc_t:s0\"", SELINUX},
            {"\"selinuxLabel\":\"system_u:system_r:spc_t\"", SELINUX},
            {"\"selinuxLabel\":\"system_u:system_r:spc_t\\n\"", SELINUX},
            {"\"selinuxLabel\":\"unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\"", SELINUX},
            {"\"selinuxLabel\":\"system_u:system_r:unconfined_service_t:s0\"", SELINUX},
            {"\"selinuxLabel\":\"system_u:system_r:container_runtime_t:s0\"", SELINUX},
            {"\"selinuxLabel\":\"system_u:system_r:init_t:s0\"", SELINUX},
            {"\"selinuxLabel\":\"system_u:system_r:initrc_t:s0\"", SELINUX},
            {"\"selinuxLabel\":\"system_u:system_r:kernel_t:s0\"", SELINUX},
    };
    for (size_t i = 0; i < LENGTH(labels); i++) {
        char text[TEXT_MAX];
        struct laz_bundle bundle;
        open_bundle(labels[i].process, ALL_OWN, text, &bundle);
        const char *why = laz_judge_labels(&bundle);
        cr_expect(labels[i].why == NULL ? why == NULL
                                        : why != NULL && strcmp(why, labels[i].why) == 0,
                "%s: %s", labels[i].process, why == NULL ? "none" : why);
        laz_oci_spec_done(&bundle.spec);
    }
}
