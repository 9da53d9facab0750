import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { PidFd } from "@nearfar/pidfd";

const child = spawn("sleep", ["60"], { stdio: "ignore" });
const exit = once(child, "exit");
using pidfd = PidFd.of(child);
using stderr = pidfd.getFd(2);
using mounts = pidfd.namespace("mnt");
console.log(
	`process ${child.pid} is descriptor ${pidfd.fd}, its stderr is here as ${stderr.fd}, its mounts as ${mounts.fd}`,
);
console.log(`its user is ${pidfd.info().uid}, and its parent is process ${pidfd.info().ppid}`);

const exited = pidfd.exited(); // Node reaps the child, and this wait gets the status too
pidfd.sendSignal("SIGTERM");
assert.deepEqual(await exited, { code: null, signal: "SIGTERM", dumped: false });
assert.deepEqual(await exit, [null, "SIGTERM"]);
assert.throws(() => pidfd.sendSignal(0), { code: "ESRCH" }); // even if another process has the pid by now
