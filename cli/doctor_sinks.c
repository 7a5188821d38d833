/* SPDX-License-Identifier: Apache-2.0
 *
 * The rest of what a policy's records need: lazaret-helper, keys and certificates, and where each
 * sink leads. Whether anybody is there is tried only if that is asked for. Sends nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "core/fd.h"
#include "core/trusted.h"
#include "sink/cloudwatch.h"

#define PATH_BYTES 4096 /* as long as the kernel takes one */
#define ELSEWHERE  "/usr/libexec/lazaret/lazaret-helper"

/* ---- The helper ---- */

static void look_at_helper(struct laz_doctor *doctor)
{
    char path[PATH_BYTES];
    struct laz_doctor_line *line = laz_doctor_add(doctor, "helper", LAZ_DOCTOR_YES);
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("lazaret-helper"));
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        (void)memcpy(slash + 1, "lazaret-helper", sizeof("lazaret-helper"));
    }
    bool is_beside = slash != NULL && access(path, X_OK) == 0;
    line->means = "lazaret-init looks beside itself, and then in /usr/libexec/lazaret";
    if (is_beside || access(ELSEWHERE, X_OK) == 0) {
        laz_doctor_say(line, "%.900s", is_beside ? path : ELSEWHERE);
        return;
    }
    line->state = LAZ_DOCTOR_UNKNOWN;
    laz_doctor_say(
            line, "lazaret-helper is neither beside this program nor in /usr/libexec/lazaret");
}

/* ---- Keys and certificates ---- */

#define NO_HAND                                                                                    \
    "Put it there, readable for lazaret-init, and where the workload can change no part of the "   \
    "path; a tmpfs of an engine's is everybody's without mode=0755."

/* False, with the reason in the line, if lazaret-helper would not take it. Nothing of it is read.
 */
static bool has_file(struct laz_doctor_line *line, const struct laz_party *workload,
        const char *key, const char *path)
{
    struct laz_err err = {0};
    laz_cleanup_fd int fd = -1;
    if (path == NULL || path[0] == '\0' || laz_trusted_open(path, workload, &fd, &err) == 0) {
        return true;
    }
    laz_doctor_say(line, "%s: %.800s: %s", key, path,
            err.sys_errno == EINVAL ? "not a regular file" : err.message);
    return false;
}

static void look_at_keys(struct laz_doctor *doctor, const struct laz_ship_config *config)
{
    struct laz_doctor_line *line = laz_doctor_add(doctor, "keys", LAZ_DOCTOR_YES);
    const struct laz_party *workload = &config->workload;
    bool has = has_file(line, workload, "spool.open-with", config->open_with);
    for (uint32_t i = 0; i < config->n_seal_to && has; i++) {
        has = has_file(line, workload, "spool.seal-to", config->seal_to[i]);
    }
    for (uint32_t i = 0; i < config->n_sinks && has; i++) {
        const struct laz_ship_sink *sink = &config->sinks[i];
        has = has_file(line, workload, "tls.ca", sink->tls_ca) &&
                has_file(line, workload, "tls.cert", sink->tls_cert) &&
                has_file(line, workload, "tls.key", sink->tls_key) &&
                has_file(line, workload, "enrol password", sink->enrol_password) &&
                (sink->type != LAZ_SINK_OSSEC || has_file(line, workload, "path", sink->path));
    }
    if (has) {
        laz_doctor_say(line, "every file that the policy names can be read by this user");
        line->means = "they were not read: what is in them shows at the start";
        return;
    }
    line->state = LAZ_DOCTOR_NO;
    line->is_vital = true;
    line->means = "no policy starts without its keys and certificates (106)";
    line->remedy = NO_HAND;
}

/* ---- Sinks ---- */

static int fail(struct laz_err *err, int sys_errno)
{
    return laz_err_set(err, LAZ_E_SYSTEM, sys_errno, "%s", strerror(sys_errno));
}

/* What opening it would say to lazaret-helper, which follows no link there. */
static int judge_file(const char *path, const struct laz_party *workload, struct laz_err *err)
{
    char text[PATH_BYTES];
    const char *name = strrchr(path, '/') + 1;
    laz_cleanup_fd int folder = -1;
    (void)snprintf(text, sizeof(text), "%s", path);
    if (laz_trusted_open_folder(dirname(text), workload, &folder, err) < 0) {
        return -1;
    }
    laz_cleanup_fd int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 && errno == ENOENT) {
        return faccessat(folder, ".", W_OK | X_OK, 0) < 0 ? fail(err, errno) : 0;
    }
    if (fd < 0 || fstat(fd, &status) < 0) {
        return fail(err, errno);
    }
    if (S_ISLNK(status.st_mode)) {
        return fail(err, ELOOP);
    }
    return faccessat(folder, name, R_OK | W_OK, 0) < 0 ? fail(err, errno)
                                                       : laz_trusted_check(fd, workload, err);
}

static void say_file(struct laz_doctor_line *line, const struct laz_ship_sink *sink,
        const struct laz_party *workload)
{
    struct laz_err err = {0};
    bool is_good = judge_file(sink->path, workload, &err) == 0;
    line->state = is_good ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO;
    laz_doctor_say(line, "%s: %.800s: %s", sink->name, sink->path,
            is_good ? "may be written to" : err.message);
    if (!is_good) {
        line->is_vital = true;
        line->means = "no policy starts without the files of its sinks (106)";
        line->remedy = "Make the folder, where lazaret-init may write and the workload can change "
                       "no part of the path; a tmpfs of an engine's is everybody's without "
                       "mode=0755.";
    }
}

static void say_socket(struct laz_doctor_line *line, const struct laz_ship_sink *sink)
{
    struct stat status;
    bool is_there = stat(sink->path, &status) == 0 && S_ISSOCK(status.st_mode);
    line->state = is_there ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO;
    laz_doctor_say(line, "%s: %.800s: %s", sink->name, sink->path,
            is_there ? "a socket" : "no socket is there");
    line->remedy = is_there ? NULL : "Start whoever listens there, or mount its socket.";
}

static void say_host(struct laz_doctor_line *line, const struct laz_ship_sink *sink,
        const char *host, bool connect)
{
    bool is_datagram = sink->type == LAZ_SINK_OSSEC || sink->transport == LAZ_TRANSPORT_UDP;
    const struct laz_doctor_peer peer = {
            .host = host, .port = sink->port, .is_datagram = is_datagram};
    char why[LAZ_DOCTOR_TEXT_MAX / 4] = "";
    if (!connect) {
        laz_doctor_say(line, "%s: %s port %u: not tried", sink->name, host, sink->port);
        line->remedy = "--connect tries.";
        return;
    }
    bool has = laz_doctor_connect(&peer, why, sizeof(why));
    line->state = !has ? LAZ_DOCTOR_NO : is_datagram ? LAZ_DOCTOR_UNKNOWN : LAZ_DOCTOR_YES;
    laz_doctor_say(line, "%s: %s port %u: %s", sink->name, host, sink->port,
            !has                  ? why
                    : is_datagram ? "the name has an address; nobody answers to a datagram"
                                  : "a connection was made, and closed");
    line->remedy = has ? NULL : "Look at the name, the network, and whether anybody listens there.";
}

static void look_at_sink(struct laz_doctor *doctor, const struct laz_policy *policy,
        const struct laz_ship_sink *sink, bool connect)
{
    const struct laz_aws_environment aws = {
            .region = getenv("AWS_REGION"), .default_region = getenv("AWS_DEFAULT_REGION")};
    const struct laz_cloudwatch_names names = {
            .config = sink, .aws = &aws, .policy = policy->name, .host = ""};
    char memory[LAZ_DOCTOR_TEXT_MAX / 4];
    struct laz_buf host;
    laz_buf_init_fixed(&host, memory, sizeof(memory));
    struct laz_doctor_line *line = laz_doctor_add(doctor, "sink", LAZ_DOCTOR_UNKNOWN);
    line->sink = sink->name;
    line->means = sink->required ? "required; a connection says nothing of TLS and of logins"
                                 : "a connection says nothing of TLS and of logins";
    if (sink->type == LAZ_SINK_FILE) {
        line->means = laz_ship_guarantee(sink);
        say_file(line, sink, &policy->shipping.config.workload);
    } else if (sink->type == LAZ_SINK_SYSLOG && sink->transport == LAZ_TRANSPORT_UNIX) {
        line->means = laz_ship_guarantee(sink);
        say_socket(line, sink);
    } else if (sink->type == LAZ_SINK_STDOUT || sink->port == 0) {
        line->state = LAZ_DOCTOR_YES;
        line->means = laz_ship_guarantee(sink);
        laz_doctor_say(line, "%s: the container's standard output", sink->name);
    } else if (sink->group[0] == '\0') {
        say_host(line, sink, sink->host, connect);
    } else if (sink->host[0] == '\0' && laz_cloudwatch_region(&names) == NULL) {
        laz_doctor_say(line, "%s: no region is known here", sink->name);
        line->remedy = "Set AWS_REGION, as the task has it, or region in the policy.";
    } else {
        laz_cloudwatch_put_host(&host, &names);
        say_host(line, sink, memory, connect);
    }
}

void laz_doctor_look_at_shipping(
        struct laz_doctor *doctor, const struct laz_policy *policy, bool connect)
{
    const struct laz_ship_config *config = &policy->shipping.config;
    look_at_helper(doctor);
    look_at_keys(doctor, config);
    laz_doctor_look_at_spool(doctor, &policy->shipping);
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        look_at_sink(doctor, policy, &config->sinks[i], connect);
    }
}
