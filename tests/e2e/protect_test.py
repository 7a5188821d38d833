# SPDX-License-Identifier: Apache-2.0
"""`lazaret protect` against a stand-in of the container agent (ecs_standin.py): what it asks, what it makes of answers, and
that the protection is given back whatever ends the command."""
import json
import os
import re
import signal
import subprocess
import time

import laz
import readme
from ecs_world import ID, Agent
from laz import case, check, check_equal
from ship_world import until

PROGRAM = laz.BIN / "lazaret"
ON, OFF = '{"ProtectionEnabled":true,"ExpiresInMinutes":%d}', '{"ProtectionEnabled":false}'


def environment(agent):
    return {"PATH": os.environ["PATH"], "ECS_AGENT_URI": f"http://127.0.0.1:{agent.port}/api/{ID}"}


def protect(agent, *words, env=None, timeout=60):
    return subprocess.run([PROGRAM, "protect", *words], env=environment(agent) if env is None else env, capture_output=True,
                          text=True, timeout=timeout, check=False)


def bodies(agent):
    return [r["body"] for r in agent.requests("protection") if r["method"] == "PUT"]


def hidden(done):
    check(ID not in done.stdout + done.stderr and "CANARY" not in done.stdout + done.stderr, f"said: {done}")


@case("on, status and off: what the agent is asked, and what is said of it")
def words():
    agent = Agent()
    steps = (("status", r"not protected\n", []), ("on", r"protected until 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", [ON % 120]),
             ("status", r"protected until .*Z\n", []), ("off", r"not protected\n", [OFF]), ("status", r"not protected\n", []))
    for word, said, asked in steps:
        agent.again()
        done = protect(agent, word)
        check(done.returncode == 0 and re.fullmatch(said, done.stdout) and not done.stderr, f"{word}: {done}")
        check_equal(bodies(agent), asked, f"{word}: what was asked")
        hidden(done)
    agent.again()
    answer = json.loads(protect(agent, "on", "--minutes", "7", "--json").stdout)
    check(answer["ok"] and answer["protected"] and re.fullmatch(r"\d{4}-.*Z", answer["until"]), f"JSON: {answer}")
    check_equal(bodies(agent), [ON % 7], "what was asked")
    check_equal(json.loads(protect(agent, "off", "--json").stdout), {"ok": True, "protected": False}, "JSON")
    check_equal(agent.violations(), "", "what the agent does not take")


# What the agent does; the name of the error, a part of the message; how often it is asked: once, or again.
REFUSALS = (
    ("failure", "protection-refused", "ECS refuses: TASK_NOT_VALID", "once"),
    ("no-role", "protection-denied", "it answers 403 AccessDeniedException", "once"),
    ("denied", "protection-denied", "it answers 400 AccessDeniedException", "once"),
    ("gone", "not-in-ecs", "it answers 404 ResourceNotFoundException", "once"),
)


@case("an answer that is none, or says no: by name, with a remedy; 200 with a failure is no success")
def refused():
    agent = Agent()
    for fault, name, message, _ in REFUSALS:
        for word in ("on", "off", "status"):
            done = protect(agent.again(faults=[{"fault": fault}]), word)
            said = f"lazaret: error: {name}: 127.0.0.1: {message}\nlazaret: remedy: "
            check(done.returncode == 1 and done.stderr.startswith(said) and not done.stdout, f"{fault}, {word}: {done}")
            check_equal(len(agent.asked()), 1, f"{fault}, {word}: questions")
            hidden(done)
        answer = json.loads(protect(agent.again(faults=[{"fault": fault}]), "on", "--json").stdout)
        check_equal((answer["ok"], answer["error"]["name"]), (False, name), f"{fault}: JSON")
    answers = {b"{}": "its answer says nothing about protection", b'{"protection":null}': "its answer says nothing about protection",
               b"[]": "its answer says nothing about protection", b"CANARY": "its answer is not JSON: byte 0: no value",
               b'{"protection":{"ProtectionEnabled":"true"}}': "its answer says nothing about protection",
               b'{"protection":{"ProtectionEnabled":false}}': "its answer says that the task is not protected",
               b'{"failure":{"Reason":"CANARY reason"}}': "ECS refuses\n"}
    for body, message in answers.items():
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        done = protect(agent.again(raw={"protection": reply}), "on")
        check(done.returncode == 1 and f"protection-refused: 127.0.0.1: {message}" in done.stderr, f"{body}: {done}")
        hidden(done)


@case("what passes by itself is asked for again: 504, 500, a rate that is too high, a connection that breaks")
def again():
    agent = Agent()
    for fault in ("canceled", "server", "throttle", "reset"):
        done = protect(agent.again(faults=[{"fault": fault, "count": 2}]), "on")
        check(done.returncode == 0 and done.stdout.startswith("protected until"), f"{fault}: {done}")
        check_equal(len(agent.asked()), 3, f"{fault}: questions")


@case("outside of ECS, or at an address of somebody else, it says so, asks nobody, and the command does not run")
def elsewhere():
    agent = Agent()
    for env, message in (({}, "ECS_AGENT_URI is not set"), ({"ECS_AGENT_URI": f"http://localhost:{agent.port}/api/{ID}"},
                                                          "ECS_AGENT_URI is neither the container agent's address"),
                         ({"ECS_AGENT_URI": f"http://10.0.0.1/api/{ID}"}, "ECS_AGENT_URI is neither")):
        for line, code in ((["status"], 1), (["--minutes", "5", "echo", "ran"], 125)):
            done = protect(agent, *line, env={"PATH": os.environ["PATH"], **env})
            check(done.returncode == code and f"not-in-ecs: {message}" in done.stderr and not done.stdout, f"{line}: {done}")
            hidden(done)
    check_equal(agent.asked(), [], "questions")


@case("a command runs protected, and its end is the end of the protection: its exit code, and its signal")
def command():
    agent = Agent()
    script = 'echo out; echo err >&2; exec "$0" "$@"'
    for line, code in ((["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137),
                       (["sh", "-c", "kill -TERM $$"], 143), (["/nowhere"], 127), (["/etc/passwd"], 126)):
        done = protect(agent.again(), "--minutes", "30", *line)
        check_equal((done.returncode, bodies(agent)), (code, [ON % 30, OFF]), f"{line}: {done}")
        check_equal(protect(agent, "status").stdout, "not protected\n", "afterwards")
    done = protect(agent.again(), "--minutes=30", "--", "sh", "-c", script, "sh", "-c", "echo --minutes $1", "x", "y")
    check_equal((done.returncode, done.stdout, done.stderr), (0, "out\n--minutes y\n", "err\n"), "its streams and its words")
    block = readme.block("sh protect", laz.ROOT / "docs" / "reference" / "ecs.md")
    check("/app/close-the-month" in block, f"the page's command: {block}")
    done = subprocess.run(["sh", "-eu", "-c", block.replace("/app/close-the-month", "true")], capture_output=True, check=False,
                          env={**environment(agent.again()), "PATH": f"{laz.BIN}:{os.environ['PATH']}"})
    check_equal((done.returncode, bodies(agent)), (0, [ON % 60, OFF]), f"the page's command: {done}")
    for line, message in (([], "protect needs"), (["--minutes", "5"], "protect needs"), (["true"], "needs --minutes"),
                          (["--minutes", "0", "true"], "--minutes: a number from 1 to 2880"),
                          (["--minutes", "2881", "true"], "--minutes: a number from 1 to 2880"),
                          (["--minutes", "5", "on"], "options stand behind the word, protect on"),
                          (["off", "--minutes", "5"], "has no option")):
        done = protect(agent.again(), *line)
        check(done.returncode == 2 and message in done.stderr and not agent.asked(), f"{line}: {done}")


def start(agent, *line):
    return subprocess.Popen([PROGRAM, "protect", "--minutes", "9", *line], env=environment(agent), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


@case("a signal goes to the command, and the protection is given back however long that takes; one while it is asked for ends it")
def signals():
    agent = Agent()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        process = start(agent.again(), "sh", "-c", f"trap 'echo got; exit 5' {int(number)}; echo up; while :; do sleep 0.05; done")
        check_equal(process.stdout.readline(), "up\n", "the command")
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
        check_equal((process.returncode, out, bodies(agent)), (5, "got\n", [ON % 9, OFF]), number.name)
    process = start(agent.again(), "sh", "-c", "trap '' 15; echo up; sleep 0.5; exit 6")
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    check_equal((process.returncode, bodies(agent)), (6, [ON % 9, OFF]), "a command that does not heed it")
    process = start(agent.again(faults=[{"fault": "hang", "about": "true", "hang": 60}]), "sh", "-c", "echo ran")
    until(agent.asked, "a question")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    check_equal((process.returncode, out, bodies(agent)), (143, "", [ON % 9, OFF]), "a signal before it began")


@case("where the protection cannot be had the command does not run; where it cannot be given back, its code stays, and that is said")
def failing():
    agent = Agent()
    done = protect(agent.again(faults=[{"fault": "failure", "about": "true"}]), "--minutes", "9", "echo", "ran")
    check(done.returncode == 125 and "protection-refused: 127.0.0.1: ECS refuses" in done.stderr and not done.stdout, f"{done}")
    check_equal(bodies(agent), [ON % 9, OFF], "what was asked")
    began = time.monotonic()
    done = protect(agent.again(faults=[{"fault": "server", "about": "false"}]), "--minutes", "9", "sh", "-c", "echo ran; exit 3")
    check(9 < time.monotonic() - began < 40, "how long it tries to give back")
    check(done.returncode == 3 and done.stdout == "ran\n" and re.fullmatch(
        r"lazaret: warning: the protection could not be given back, and ends by itself: 127\.0\.0\.1: it answers 500 ServerException\n",
        done.stderr), f"{done}")
    hidden(done)


if __name__ == "__main__":
    laz.main()
