/* SPDX-License-Identifier: Apache-2.0
 *
 * What a container of ECS has, and has not: asked of the container agent and tried, because no page
 * says for certain what a platform leaves to a task. Elsewhere it adds no line. Fetches no
 * credentials, and changes nothing.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "confine/attest.h"
#include "core/fd.h"
#include "core/num.h"
#include "core/url.h"
#include "net/aws_credentials.h"
#include "net/ecs.h"
#include "net/ecs_protection.h"
#include "policy/tables/tables.h"

#define PROTECTION_MS  5000
#define DOCKERS_CAPS   UINT64_C(0xa80425fb) /* the 14 that engines leave to a container */
#define CAPABILITY_MAX 64

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL ? "" : value;
}

/* ---- the agent ---- */

struct heard {
    struct event_base *base;
    struct laz_ecs_facts facts;
    char why[LAZ_ERR_MESSAGE_MAX];
};

static void on_heard(void *context, const struct laz_ecs_facts *facts, const char *why)
{
    struct heard *heard = context;
    heard->facts = *facts;
    (void)snprintf(heard->why, sizeof(heard->why), "%s", why);
    (void)event_base_loopbreak(heard->base);
}

static void hear(struct heard *ret)
{
    const struct laz_ecs_environment environment = {
            .uri = variable("ECS_CONTAINER_METADATA_URI_V4"),
            .uri_v3 = variable("ECS_CONTAINER_METADATA_URI")};
    const struct laz_ecs_owner owner = {.done = on_heard, .context = ret};
    struct laz_ecs *ecs = NULL;
    struct laz_err err = {0};
    *ret = (struct heard){.base = event_base_new()};
    if (ret->base == NULL) {
        (void)snprintf(ret->why, sizeof(ret->why), "no memory for an event loop");
    } else if (laz_ecs_new(ret->base, &environment, &owner, &ecs, &err) < 0) {
        (void)snprintf(ret->why, sizeof(ret->why), "%s", err.message);
    } else {
        (void)event_base_dispatch(ret->base);
    }
    laz_ecs_free(ecs);
    if (ret->base != NULL) {
        event_base_free(ret->base);
    }
}

static void look_at_metadata(struct laz_doctor *doctor, const struct heard *heard)
{
    const struct laz_ecs_facts *facts = &heard->facts;
    bool is_known = facts->task[0] != '\0';
    struct laz_doctor_line *line =
            laz_doctor_add(doctor, "ecs-task", is_known ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO);
    line->means = is_known ? "every record of a trail names this task"
                           : "no record says which task it is of; the start waits up to 4 s for it";
    if (!is_known) {
        laz_doctor_say(line, "the container agent: %s",
                heard->why[0] == '\0' ? "its answers name no task" : heard->why);
        line->remedy =
                "Hand ECS_CONTAINER_METADATA_URI_V4 on as the agent sets it, and do not keep "
                "its address, 169.254.170.2, from the container.";
        return;
    }
    laz_doctor_say(line, "%s of %s:%s in %s, %s%s%s", laz_ecs_task_id(facts), facts->family,
            facts->revision, facts->cluster, facts->az[0] == '\0' ? "no zone said" : facts->az,
            heard->why[0] == '\0' ? "" : "; ", heard->why);
}

static void look_at_clock(struct laz_doctor *doctor, const struct laz_ecs_facts *facts)
{
    bool is_right = strcmp(facts->clock, "SYNCHRONIZED") == 0;
    struct laz_doctor_line *line = laz_doctor_add(doctor, "ecs-clock",
            facts->clock[0] == '\0' ? LAZ_DOCTOR_UNKNOWN
                    : is_right      ? LAZ_DOCTOR_YES
                                    : LAZ_DOCTOR_NO);
    line->means = "how far times in records can be trusted";
    line->remedy = line->state == LAZ_DOCTOR_NO
            ? "Look at the time service of the instance: chronyd, 169.254.169.123."
            : NULL;
    if (facts->clock[0] == '\0') {
        laz_doctor_say(line, "the agent does not say");
    } else {
        laz_doctor_say(line, "%s, wrong by %llu microseconds at most", facts->clock,
                (unsigned long long)facts->clock_error_us);
    }
}

static void look_at_launch_type(struct laz_doctor *doctor, const struct laz_ecs_facts *facts)
{
    const char *environment = variable("AWS_EXECUTION_ENV");
    const char *type = facts->launch_type[0] != '\0'                ? facts->launch_type
            : strcmp(environment, "AWS_ECS_FARGATE") == 0           ? "FARGATE"
            : strcmp(environment, "AWS_ECS_EC2") == 0               ? "EC2"
            : strcmp(environment, "AWS_ECS_MANAGED_INSTANCES") == 0 ? "MANAGED_INSTANCES"
                                                                    : "";
    bool is_ec2 = strcmp(type, "EC2") == 0;
    struct laz_doctor_line *line = laz_doctor_add(
            doctor, "ecs-launch-type", type[0] == '\0' ? LAZ_DOCTOR_UNKNOWN : LAZ_DOCTOR_YES);
    laz_doctor_say(
            line, "%s", type[0] == '\0' ? "neither the agent nor AWS_EXECUTION_ENV says it" : type);
    line->means = is_ec2
            ? "the host is yours: lazaret-shim can confine what is put into the "
              "container from outside"
            : "the host is not yours: no runtime of your own and no hooks; ECS Exec and "
              "health commands are seen, not confined";
}

/* ---- what is left to a task ---- */

static void look_at_capabilities(struct laz_doctor *doctor)
{
    struct laz_process_state self;
    struct laz_err err = {0};
    struct laz_buf text;
    struct laz_doctor_line *line = laz_doctor_add(doctor, "ecs-capabilities", LAZ_DOCTOR_UNKNOWN);
    line->means =
            "what the task definition leaves; linuxParameters.capabilities.drop takes of it, and "
            "binds ECS Exec too";
    if (laz_attest_read(0, &self, &err) < 0) {
        laz_doctor_say(line, "%s", err.message);
        return;
    }
    line->state = LAZ_DOCTOR_YES;
    laz_buf_init_fixed(&text, line->seen, sizeof(line->seen));
    laz_buf_printf(&text, "bounding set %016llx%s", (unsigned long long)self.cap_bounding,
            self.cap_bounding == DOCKERS_CAPS ? ", the engine's own 14" : "");
    if ((self.cap_bounding & ~DOCKERS_CAPS) != 0) {
        laz_buf_str(&text, ", beyond the engine's own:");
    }
    for (int i = 0; i < CAPABILITY_MAX; i++) {
        const char *name = laz_capability_name(i);
        if ((self.cap_bounding & ~DOCKERS_CAPS) >> i & 1) {
            laz_buf_printf(&text, " %s", name == NULL ? "?" : name);
        }
    }
}

static void look_at_user_namespaces(struct laz_doctor *doctor)
{
    char text[24] = "";
    uint64_t most = 0;
    laz_cleanup_fd int fd = open("/proc/sys/user/max_user_namespaces", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    struct laz_doctor_line *line =
            laz_doctor_add(doctor, "ecs-user-namespaces", LAZ_DOCTOR_UNKNOWN);
    line->means =
            "Lazaret needs none; where there are some, a workload may gain capabilities inside "
            "of one, unless its policy refuses";
    if (n <= 0 || !laz_parse_u64(text, strcspn(text, "\n"), UINT64_MAX, &most)) {
        laz_doctor_say(line, "/proc/sys/user/max_user_namespaces cannot be read");
        return;
    }
    line->state = LAZ_DOCTOR_YES;
    laz_doctor_say(line,
            most == 0 ? "off (max_user_namespaces is 0), as on Fargate" : "up to %llu of them",
            (unsigned long long)most);
}

static void look_at_cgroup(struct laz_doctor *doctor)
{
    struct statfs status;
    bool is_there = statfs("/sys/fs/cgroup", &status) == 0;
    struct laz_doctor_line *line =
            laz_doctor_add(doctor, "ecs-cgroup", is_there ? LAZ_DOCTOR_YES : LAZ_DOCTOR_UNKNOWN);
    line->means = "Lazaret reads it and writes nothing there";
    if (!is_there) {
        laz_doctor_say(line, "/sys/fs/cgroup: %s", strerror(errno));
        return;
    }
    laz_doctor_say(line, "%s, %s",
            (uint64_t)status.f_type == CGROUP2_SUPER_MAGIC ? "version 2" : "version 1",
            access("/sys/fs/cgroup", W_OK) == 0 ? "may be written to" : "read-only");
}

/* A root that is read-only leaves ECS Exec without what its agent writes. */
static void look_at_root(struct laz_doctor *doctor)
{
    static const char *const folders[] = {
            "/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"};
    struct statvfs root;
    bool is_read_only = statvfs("/", &root) == 0 && (root.f_flag & ST_RDONLY) != 0;
    struct laz_buf text;
    size_t writable = 0;
    struct laz_doctor_line *line = laz_doctor_add(
            doctor, "ecs-read-only-root", is_read_only ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO);
    line->means = is_read_only
            ? "Lazaret needs no writable root; ECS Exec needs those three folders"
            : "whoever is in the container can write programs into it";
    line->remedy = is_read_only ? NULL
                                : "Set readonlyRootFilesystem in the task definition, with a tmpfs "
                                  "at /run and /tmp.";
    laz_buf_init_fixed(&text, line->seen, sizeof(line->seen));
    laz_buf_str(&text, is_read_only ? "the root is read-only" : "the root may be written to");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && is_read_only; i++) {
        struct statvfs status;
        bool is_writable = statvfs(folders[i], &status) == 0 && (status.f_flag & ST_RDONLY) == 0;
        writable += is_writable ? 1 : 0;
        laz_buf_printf(&text, "; %s is %s", folders[i],
                is_writable ? "a writable volume" : "not writable: no ECS Exec");
    }
}

/* ---- endpoints ---- */

static void look_at_role(struct laz_doctor *doctor, bool connect)
{
    const struct laz_aws_environment environment = {
            .relative_uri = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
            .full_uri = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")};
    bool is_full = environment.relative_uri[0] == '\0';
    bool has_role = !is_full || environment.full_uri[0] != '\0';
    char host[LAZ_URL_HOST_MAX + 1] = "169.254.170.2";
    char why[LAZ_ERR_MESSAGE_MAX];
    struct laz_url url;
    struct laz_doctor_line *line =
            laz_doctor_add(doctor, "ecs-task-role", has_role ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO);
    line->means = has_role
            ? "whoever has the variable has the role: the workload only where "
              "workload.env.pass names it"
            : "nothing can be fetched from AWS, and no log sent to CloudWatch by Lazaret";
    line->remedy =
            has_role ? NULL : "Set taskRoleArn in the task definition, where that is wanted.";
    if (is_full && laz_url_split(environment.full_uri, &url)) {
        (void)snprintf(host, sizeof(host), "%.*s", (int)url.host_length, url.host);
    }
    const struct laz_doctor_peer peer = {
            .host = host, .port = laz_aws_credentials_port(&environment)};
    if (!has_role) {
        laz_doctor_say(line, "the task has none");
    } else if (!connect) {
        laz_doctor_say(line, "there is one; --connect tries its agent");
    } else if (laz_doctor_connect(&peer, why, sizeof(why))) {
        laz_doctor_say(line, "there is one, and its agent is there");
    } else {
        line->state = LAZ_DOCTOR_NO;
        laz_doctor_say(line, "there is one, and its agent is not to be had: %s", why);
        line->remedy = "Do not keep the agent's address, 169.254.170.2, from the container.";
    }
}

struct protection {
    struct event_base *base;
    struct laz_doctor_line *line;
};

static void on_protection(void *context, const struct laz_ecs_protection *said)
{
    const struct protection *asked = context;
    asked->line->state = LAZ_DOCTOR_YES;
    laz_doctor_say(asked->line, "%s%s%s", said->is_on ? "protected" : "not protected",
            said->until[0] == '\0' ? "" : " until ", said->until);
    (void)event_base_loopbreak(asked->base);
}

static void on_no_protection(void *context, enum laz_call_verdict verdict, const char *why)
{
    const struct protection *asked = context;
    (void)verdict;
    asked->line->state = LAZ_DOCTOR_NO;
    laz_doctor_say(asked->line, "%s", why);
    asked->line->remedy =
            "Give the task's role ecs:GetTaskProtection and ecs:UpdateTaskProtection; "
            "only tasks of a service can be protected.";
    (void)event_base_loopbreak(asked->base);
}

static void ask_protection(struct laz_doctor_line *line, const char *uri)
{
    struct laz_err err = {0};
    struct laz_ecs_asking *asking = NULL;
    struct protection asked = {.base = event_base_new(), .line = line};
    const struct laz_ecs_protection_plan plan = {
            .uri = uri, .question = LAZ_ECS_PROTECTED, .wait_ms = PROTECTION_MS};
    const struct laz_ecs_protection_owner owner = {
            .done = on_protection, .refused = on_no_protection, .context = &asked};
    if (asked.base == NULL) {
        laz_doctor_say(line, "no memory for an event loop");
    } else if (laz_ecs_protection_new(asked.base, &plan, &owner, &asking, &err) < 0) {
        on_no_protection(&asked, LAZ_CALL_REFUSED, err.message);
    } else {
        (void)event_base_dispatch(asked.base);
    }
    laz_ecs_protection_free(asking);
    if (asked.base != NULL) {
        event_base_free(asked.base);
    }
}

static void look_at_protection(struct laz_doctor *doctor, bool connect)
{
    const char *uri = variable("ECS_AGENT_URI");
    struct laz_doctor_line *line = laz_doctor_add(doctor, "ecs-protection", LAZ_DOCTOR_UNKNOWN);
    line->means = "`lazaret protect` keeps ECS from stopping the task while a command runs";
    if (uri[0] == '\0') {
        line->state = LAZ_DOCTOR_NO;
        laz_doctor_say(line, "ECS_AGENT_URI is not set");
        line->remedy = "Use an agent that knows task protection; Fargate 1.4.0 has one.";
    } else if (!connect) {
        laz_doctor_say(line, "ECS_AGENT_URI is set; --connect asks whether the task is protected");
    } else {
        ask_protection(line, uri);
    }
}

static void look_at_stop_time(struct laz_doctor *doctor)
{
    struct laz_doctor_line *line = laz_doctor_add(doctor, "ecs-stop-time", LAZ_DOCTOR_UNKNOWN);
    laz_doctor_say(line,
            "stopTimeout is not to be seen from inside: 30 s unless it is set, 120 s at "
            "most on Fargate");
    line->means = "shutdown.stop-timeout has to be the same: `lazaret policy check "
                  "--task-definition` holds them against each other";
}

void laz_doctor_look_at_task(struct laz_doctor *doctor, bool connect)
{
    struct heard heard;
    if (variable("ECS_CONTAINER_METADATA_URI_V4")[0] == '\0' &&
            variable("ECS_CONTAINER_METADATA_URI")[0] == '\0' &&
            strncmp(variable("AWS_EXECUTION_ENV"), "AWS_ECS_", 8) != 0) {
        return;
    }
    hear(&heard);
    look_at_metadata(doctor, &heard);
    look_at_launch_type(doctor, &heard.facts);
    look_at_clock(doctor, &heard.facts);
    look_at_capabilities(doctor);
    look_at_user_namespaces(doctor);
    look_at_cgroup(doctor);
    look_at_root(doctor);
    look_at_role(doctor, connect);
    look_at_protection(doctor, connect);
    look_at_stop_time(doctor);
}
