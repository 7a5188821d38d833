/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret: finds the command, parses its words, runs it. Never needed at run time. Manual:
 * lazaret(1).
 */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/programs.h"

#define HELP_COLUMN 22 /* where the words behind options begin */

#define JSON LAZ_OPTION_BIT(JSON)
#define HELP LAZ_OPTION_BIT(HELP)
#define ARCH LAZ_OPTION_BIT(ARCH)
#define ROOT LAZ_OPTION_BIT(ROOT)

#define BIT(id) LAZ_OPTION_BIT(id)
#define GATE                                                                                       \
    (HELP | BIT(CONFIG) | BIT(TARGETS) | BIT(DNS) | BIT(CA) | BIT(SERVER_NAME) | BIT(HEALTH) |     \
            BIT(TASKS) | BIT(TARGET_HEALTH) | BIT(RULES) | BIT(EB_HEALTH) | BIT(VOLUMES) |         \
            BIT(PROTECTION) | BIT(BASELINE) | BIT(TIMEOUT) | BIT(JSON_FILE) | BIT(JUNIT) |         \
            BIT(FORMAT))
#define GATE_CODES                                                                                 \
    "Exit code: 0 pass, 10 fail, 11 inconclusive, 2 usage or configuration, 70 internal.\n"        \
    "See docs/reference/gate.md.\n"

static const struct laz_cli_command commands[] = {
        {"policy check", "FILE...", "say everything that is wrong with a policy",
                "Prints all findings with their positions, the digest of the sources, what the "
                "filters do\n"
                "to how many system calls, and every relaxation by name. On all architectures the "
                "filters\n"
                "are compiled and proved, and the tests of the policy are run on them.\n"
                "With a task definition, what `aws ecs describe-task-definition` prints or\n"
                "`register-task-definition` takes, also what of it does not fit the policy, and "
                "why; see\n"
                "docs/reference/task-definition.md.\n",
                JSON | ROOT | HELP | LAZ_OPTION_BIT(TASK_DEFINITION) | LAZ_OPTION_BIT(CONTAINER) |
                        LAZ_OPTION_BIT(TARGET_GROUP),
                1, SIZE_MAX, laz_cli_policy_check},
        {"policy explain", "FILE [SYSCALL|PATH|PORT|CAPABILITY]",
                "say what a policy decides, and why",
                "For a system call, an absolute path, a TCP port or a capability: the decision, "
                "the rule\n"
                "that makes it, what each layer of the kernel says, and what the workload sees. "
                "Without\n"
                "one: the whole policy in words. Ports are 443, :443, 443/tcp, tcp-bind:443 or\n"
                "tcp-connect:443.\n",
                JSON | ROOT | ARCH | HELP, 1, 2, laz_cli_policy_explain},
        {"policy test", "FILE", "run the tests that a policy carries",
                "Each entry of `tests:` is tried on the filter that the policy compiles to, and "
                "printed with\n"
                "its outcome; `check` says only which of them fail.\n",
                JSON | ROOT | ARCH | HELP, 1, 1, laz_cli_policy_test},
        {"policy compile", "FILE -o IMAGE",
                "write a policy in the form that lazaret-init starts fastest",
                "Compiles, proves and tests the policy, then writes IMAGE as a whole, mode 0644. "
                "Prints the\n"
                "digests; each of the first two can be the pin (LAZARET_POLICY_SHA256).\n",
                JSON | ROOT | ARCH | HELP | LAZ_OPTION_BIT(OUTPUT), 1, 1, laz_cli_policy_compile},
        {"policy schema", "", "print the JSON Schema of the policy language",
                "For editors; generated from the table that also drives the parser.\n", JSON | HELP,
                0, 0, laz_cli_policy_schema},
        {"policy reference", "", "print the reference page of the policy language",
                "Markdown, from the same table.\n", HELP, 0, 0, laz_cli_policy_reference},
        {"runtime check", "[FILE]", "say whether the shim can work with this host's runtime.yaml",
                "Reads /etc/lazaret/runtime.yaml as lazaret-shim does: whose each part of its path "
                "is, the\n"
                "program that runs containers, and every policy that it names. With a FILE, which "
                "may be of\n"
                "another host: that file, and its policies in the folder policies.d beside it; "
                "whose "
                "they are,\n"
                "and whether there is such a program, is then not asked. Of this host also the "
                "programs in\n"
                "/usr/libexec/lazaret.\n",
                JSON | HELP, 0, 1, laz_cli_runtime_check},
        {"runtime schema", "", "print the JSON Schema of runtime.yaml",
                "For editors; generated from the table that also drives the parser.\n", JSON | HELP,
                0, 0, laz_cli_runtime_schema},
        {"runtime reference", "", "print the reference page of runtime.yaml",
                "Markdown, from the same table.\n", HELP, 0, 0, laz_cli_runtime_reference},
        {"install runtime", "--engine NAME",
                "show, do, check or undo what makes an engine use the shim",
                "Without --apply, --check or --undo: prints what would be changed, and changes "
                "nothing; code 1\n"
                "if there is something to do, or in the way. --divert-runc may stand without "
                "--engine. The\n"
                "programs have to lie in /usr/libexec/lazaret, and /etc/lazaret/runtime.yaml has "
                "to be usable.\n"
                "No service is reloaded: the command for that is printed. See "
                "docs/reference/install.md.\n",
                JSON | HELP | BIT(ENGINE) | BIT(DEFAULT) | BIT(DIVERT_RUNC) | BIT(HOST_ROOT) |
                        BIT(APPLY) | BIT(CHECK) | BIT(UNDO),
                0, 0, laz_cli_install_runtime},
        {"oci import", "PROFILE", "make a policy of a seccomp profile of OCI or Docker",
                "Prints a policy file with nothing but `syscalls`, to be named under `extends`. "
                "What the "
                "profile\n"
                "allows and a policy cannot say is left out, and what it refuses so is refused as "
                "a "
                "whole; both\n"
                "are told on standard error, by name.\n",
                BIT(STRICT) | BIT(CAPABILITY) | ARCH | HELP, 1, 1, laz_cli_oci_import},
        {"oci export", "POLICY", "make a seccomp profile of a policy's system calls",
                "Prints the profile as JSON, for `docker run --security-opt seccomp=FILE` or as "
                "`linux.seccomp`\n"
                "of a config.json. Only equality and masked equality are in it. What it cannot say "
                "is "
                "told on\n"
                "standard error, by name.\n",
                BIT(STRICT) | ROOT | ARCH | HELP, 1, 1, laz_cli_oci_export},
        {"oci explain", "POLICY BUNDLE", "say what the shim would refuse or change of a container",
                "BUNDLE is the folder of a container's config.json, of one that has no policy yet: "
                "Docker has it\n"
                "below /run as .../moby/ID, while the container runs. Reads it as lazaret-shim "
                "does on create, and\n"
                "changes nothing. Either what it would refuse, or a line for each place that it "
                "would change:\n"
                "+ what comes, - what goes, ~ what becomes another.\n",
                HELP, 2, 2, laz_cli_oci_explain},
        {"verify", "PATH...", "say whether an audit trail is whole",
                "PATH is a file or a folder of files, from one sink or from several; - is "
                "standard input.\n"
                "Three verdicts for each chain: integrity (is what is there what was written), "
                "completeness\n"
                "(is all there that was written), uniqueness (is there only one story). See\n"
                "docs/reference/trail-format.md. Where a folder has digests, its files are held "
                "against them.\n"
                "A host's file of records, host-audit.jsonl, is known by its first record.\n",
                JSON | HELP | LAZ_OPTION_BIT(ANCHOR) | LAZ_OPTION_BIT(RUNNING) |
                        LAZ_OPTION_BIT(NO_LOGS) | LAZ_OPTION_BIT(DIGEST_KEY),
                1, SIZE_MAX, laz_cli_verify},
        {"report", "PATH...", "make a page for auditors of trails",
                "One HTML page, which loads nothing, on standard output; with --json the same as "
                "JSON: the\n"
                "three verdicts of each chain, what was enforced at each start, what was refused, "
                "and for each\n"
                "technical safeguard of 45 CFR 164.312 which records speak for it and what none "
                "can show.\n"
                "PATH and the options are those of `lazaret verify`, and so is the exit code.\n",
                JSON | HELP | LAZ_OPTION_BIT(ANCHOR) | LAZ_OPTION_BIT(RUNNING) |
                        LAZ_OPTION_BIT(NO_LOGS) | LAZ_OPTION_BIT(DIGEST_KEY),
                1, SIZE_MAX, laz_cli_report},
        {"digest", "FOLDER", "sign what the files of a folder are now",
                "Adds the next NNNNNNNN.digest to a folder of trails: the hashes of the files that "
                "are new or\n"
                "have grown, and of the digest before, signed by an Ed25519 key that no container "
                "has. With\n"
                "nothing new it signs that. Refuses where a file is no longer what was digested. "
                "See\n"
                "docs/reference/digest-format.md.\n",
                HELP | LAZ_OPTION_BIT(KEY), 1, 1, laz_cli_digest},
        {"spool read", "DIR", "print the records that a spool still holds",
                "DIR is the folder of segments that a run left, at best a copy of it. The records "
                "of all\n"
                "segments that the key opens go to standard output, as lines of the trail, for\n"
                "`lazaret verify -`; what is torn, damaged or missing is told on standard error. "
                "Nothing is\n"
                "changed. See docs/reference/spool-format.md.\n",
                HELP | LAZ_OPTION_BIT(KEY) | LAZ_OPTION_BIT(LIST), 1, 1, laz_cli_spool_read},
        {"secrets check", "FILE", "say what a policy fetches, and what AWS must permit for it",
                "For each item under `secrets`: where it comes from, what form it gets, where it "
                "goes, and the\n"
                "actions and resources that the task's role needs. Fetches nothing and prints no "
                "value.\n",
                JSON | ROOT | HELP, 1, 1, laz_cli_secrets_check},
        {"secrets status", "", "say how the secrets of this container are",
                "Inside a container, as the user that lazaret-init runs as: for each item its\n"
                "state, version and fingerprint, how old it is, and when it is asked for again;\n"
                "what went wrong the last time. Never a value. Code 1 if any is failing, stale or\n"
                "expired, or nobody answers.\n",
                JSON | HELP, 0, 0, laz_cli_secrets_status},
        {"secrets rotate", "NAME|--all", "have secrets of this container asked for again now",
                "Inside a container, as the user that lazaret-init runs as. An item that has\n"
                "changed becomes a new file, as it would at its own time; one that has not is not\n"
                "touched. Not more often than `secrets.refresh.min-interval`: it says when it "
                "will\n"
                "be. What came of it is in the events, and in `lazaret secrets status`.\n",
                JSON | LAZ_OPTION_BIT(ALL) | HELP, 0, 1, laz_cli_secrets_rotate},
        {"top", "", "show how this container is, as long as you look",
                "Inside a container whose policy has `health`, as root or as the user of its init: "
                "whether it is\n"
                "live and ready and why not, checks, certificates with the days that are left, "
                "sinks and what\n"
                "waits for them, refused calls, connections. On a terminal anew every two "
                "seconds, until q;\n"
                "elsewhere once, as plain text, with code 1 where it is not ready.\n",
                JSON | HELP, 0, 0, laz_cli_top},
        {"protect on", "", "keep ECS from stopping this task for a rollout or a scale-in",
                "Inside a container of a service of ECS: task protection for so many minutes, 120 "
                "if "
                "nothing is\n"
                "said; `protect off` gives it back. The task's role needs "
                "ecs:UpdateTaskProtection.\n",
                JSON | LAZ_OPTION_BIT(MINUTES) | HELP, 0, 0, laz_cli_protect_on},
        {"protect off", "", "give the task's protection back",
                "Inside a container of a service of ECS.\n", JSON | HELP, 0, 0,
                laz_cli_protect_off},
        {"protect status", "", "say whether this task is protected, and until when",
                "Inside a container of a service of ECS. Code 0 either way; the task's role needs\n"
                "ecs:GetTaskProtection.\n",
                JSON | HELP, 0, 0, laz_cli_protect_status},
        {"protect", "--minutes N [--] COMMAND...", "run a command in a task that ECS does not stop",
                "Task protection as long as the command runs, N minutes at most; then it is given "
                "back,\n"
                "whatever ended the command, also where TERM, INT, HUP or QUIT did, which the "
                "command gets. The\n"
                "exit code is the command's, 128 and its number for a signal; 125 where there is "
                "no protection,\n"
                "and then the command has not run; 126 and 127 where it cannot be run.\n",
                LAZ_OPTION_BIT(MINUTES) | HELP | LAZ_CLI_RUNS, 1, SIZE_MAX, laz_cli_protect},
        {"doctor", "[FILE]", "say what this host or container offers",
                "Tries, in child processes, what lazaret-init needs and what it prefers. With a "
                "policy, also\n"
                "whether it would start here, which of its wishes would be degraded, and whether "
                "its helper,\n"
                "keys, spool and sinks are as they should be. Sends nothing to anybody.\n",
                JSON | ROOT | HELP | LAZ_OPTION_BIT(CONNECT), 0, 1, laz_cli_doctor},
        {"gate promote", "--config FILE", "say whether a colour may get the traffic",
                "Reads what the aws command line wrote and asks the targets themselves, until each "
                "was good\n"
                "often enough in a row, or one is not. What is missing is inconclusive, never a "
                "pass.\n" GATE_CODES,
                GATE, 0, 0, laz_cli_gate_promote},
        {"gate verify", "--config FILE", "say whether a colour is good under its traffic",
                "As promote, after the switch: every poll of `bake` has to be good.\n" GATE_CODES,
                GATE, 0, 0, laz_cli_gate_verify},
        {"gate retire", "--config FILE", "say whether nobody comes to a colour any more",
                "By each target's count of connections that it accepted, and how long ago the last "
                "one\n"
                "came.\n" GATE_CODES,
                GATE, 0, 0, laz_cli_gate_retire},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void put_options(struct laz_buf *buf, uint64_t options)
{
    static const struct {
        const char *name;
        char letter;
        const char *value;
        const char *help;
    } rows[] = {
#define X(id, name, letter, value, help) {name, letter, value, help},
            LAZ_CLI_OPTIONS(X)
#undef X
    };
    for (int id = 0; id < LAZ_OPTION_COUNT; id++) {
        if ((options >> id & 1) == 0) {
            continue;
        }
        size_t before = buf->len;
        laz_buf_str(buf, "  ");
        if (rows[id].letter != 0) {
            laz_buf_printf(buf, "-%c, ", rows[id].letter);
        }
        laz_buf_printf(buf, "--%s", rows[id].name);
        if (rows[id].value != NULL) {
            laz_buf_printf(buf, " %s", rows[id].value);
        }
        size_t used = buf->len - before;
        if (used >= HELP_COLUMN) {
            laz_buf_str(buf, "\n");
            used = 0;
        }
        laz_buf_printf(buf, "%*s%s\n", (int)(HELP_COLUMN - used), "", rows[id].help);
    }
}

static void put_command_help(struct laz_buf *buf, const struct laz_cli_command *command)
{
    laz_buf_printf(buf, "usage: lazaret %s [OPTION]...%s%s\n\n", command->name,
            command->operands[0] == '\0' ? "" : " ", command->operands);
    laz_buf_printf(buf, "%s\nOptions:\n", command->details);
    put_options(buf, command->options);
    bool has_codes = strstr(command->details, "Exit code: ") != NULL;
    laz_buf_printf(buf, "\n%sManual: lazaret(1).\n",
            has_codes ? "" : "Exit code: 0 fine, 1 findings, 2 usage. ");
}

/* The commands whose name begins with `group`. */
static void put_overview(struct laz_buf *buf, const char *group)
{
    laz_buf_str(buf, "usage: lazaret COMMAND [OPTION]... [OPERAND]...\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strncmp(commands[i].name, group, strlen(group)) == 0) {
            laz_buf_printf(buf, "  %-18s%s\n", commands[i].name, commands[i].summary);
        }
    }
    laz_buf_str(buf,
            "\nlazaret COMMAND --help says more; lazaret --version prints the version.\n"
            "Exit code: 0 fine, 1 findings, 2 usage. Manual: lazaret(1).\n");
}

/* How many words of argv this command's name takes; 0 if it is another. */
static int match(const struct laz_cli_command *command, int argc, char **argv)
{
    const char *second = strchr(command->name, ' ');
    size_t length = second == NULL ? strlen(command->name) : (size_t)(second - command->name);
    if (argc < 1 || strlen(argv[0]) != length || strncmp(argv[0], command->name, length) != 0) {
        return 0;
    }
    if (second == NULL) {
        return 1;
    }
    return argc >= 2 && strcmp(argv[1], second + 1) == 0 ? 2 : 0;
}

/* Commands of two words have their first in common. NULL: no such word. */
static const char *group_at(size_t i)
{
    static const char *const groups[] = {
            "policy", "runtime", "install", "oci", "spool", "secrets", "gate"};
    return i < sizeof(groups) / sizeof(groups[0]) ? groups[i] : NULL;
}

static bool is_group_word(const char *word)
{
    const char *group = NULL;
    for (size_t i = 0; (group = group_at(i)) != NULL; i++) {
        if (strcmp(word, group) == 0) {
            return true;
        }
    }
    return false;
}

/* The word by which a command is known: "check"; behind the last one the groups' own. */
static const char *word_at(const void *context, size_t i)
{
    const bool *is_group = context;
    if (i >= N_COMMANDS) {
        return *is_group ? NULL : group_at(i - N_COMMANDS);
    }
    const char *second = strchr(commands[i].name, ' ');
    return second == NULL ? commands[i].name : second + 1;
}

/* What was most likely meant, or all that there is. `word` is "cheque" of "policy cheque" too. */
static void put_known(struct laz_buf *buf, const char *word, bool is_group)
{
    const char *near = laz_suggest(word, strlen(word), word_at, &is_group);
    for (size_t i = 0; i < N_COMMANDS && near != NULL; i++) {
        if (word_at(&is_group, i) == near) {
            near = commands[i].name;
            break;
        }
    }
    if (near != NULL) {
        laz_buf_printf(buf, " (did you mean \"%s\"?)", near);
        return;
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        laz_buf_printf(buf, "%s%s", i == 0 ? "; there are " : ", ", commands[i].name);
    }
}

/* podman looks for a runtime that it cannot find by its name, "lazaret", in PATH. */
static bool is_call_of_runtime(const char *word)
{
    static const char *const words[] = {"checkpoint", "create", "delete", "events", "exec",
            "features", "kill", "list", "pause", "ps", "restore", "resume", "run", "start", "state",
            "update"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return strncmp(word, "--root", 6) == 0 || strncmp(word, "--log", 5) == 0 ||
            strcmp(word, "--systemd-cgroup") == 0 || strncmp(word, "--cgroup-manager", 16) == 0;
}

static int refuse_to_be_runtime(const char *word)
{
    struct laz_err err = {0};
    struct laz_err why = {0};
    bool is_there = laz_program_look("lazaret-shim", &why) == 0;
    (void)laz_err_set(&err, LAZ_E_PROGRAM, 0,
            "\"%.64s\" is for a container runtime, which lazaret-shim is and this command is not: "
            "%s",
            word,
            is_there ? "have the engine call " LAZ_PROGRAMS_FOLDER "/lazaret-shim" : why.message);
    return laz_cli_fail(&err, false);
}

static int unknown_command(int argc, char **argv)
{
    if (is_call_of_runtime(argv[0])) {
        return refuse_to_be_runtime(argv[0]);
    }
    struct laz_err err = {0};
    bool is_group = is_group_word(argv[0]);
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_CLI_OUTPUT_MAX);
    if (is_group && argc < 2) {
        laz_buf_printf(&text, "%s needs a command", argv[0]);
    } else {
        laz_buf_printf(&text, "unknown command \"%.64s%s%.64s\"", argv[0], is_group ? " " : "",
                is_group ? argv[1] : "");
    }
    put_known(&text, is_group && argc < 2 ? "" : argv[is_group ? 1 : 0], is_group);
    (void)laz_err_set(&err, LAZ_E_USAGE, 0, "%s", text.overflow ? "unknown command" : text.data);
    return laz_cli_fail(&err, false);
}

static int run(const struct laz_cli_command *command, int argc, char **argv)
{
    struct laz_err err = {0};
    struct laz_cli_arguments arguments;
    if (laz_cli_parse(command, argc, argv, &arguments, &err) < 0) {
        return laz_cli_fail(&err, false);
    }
    if (!arguments.help) {
        return command->run(&arguments);
    }
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    put_command_help(&buf, command);
    return laz_cli_print(&buf, LAZ_EXIT_FINE);
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv)
{
    struct laz_err err = {0};
    if (argc < 2) {
        (void)laz_err_set(&err, LAZ_E_USAGE, 0, "no command");
        return laz_cli_fail(&err, false);
    }
    argc--;
    argv++;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        int words = match(&commands[i], argc, argv);
        if (words > 0) {
            return run(&commands[i], argc - words, argv + words);
        }
    }
    bool is_group = is_group_word(argv[0]);
    bool is_version = strcmp(argv[0], "--version") == 0;
    if (!is_version && !is_help(argv[0]) && !(is_group && argc > 1 && is_help(argv[1]))) {
        return unknown_command(argc, argv);
    }
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    if (is_version) {
        laz_buf_str(&buf, "lazaret " LAZARET_VERSION "\n");
    } else {
        put_overview(&buf, is_group ? argv[0] : "");
    }
    return laz_cli_print(&buf, LAZ_EXIT_FINE);
}
