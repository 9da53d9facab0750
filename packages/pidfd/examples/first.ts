import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { PidFd } from "@nearfar/pidfd";

const child = spawn("sleep", ["60"]);
await once(child, "spawn");
using pidfd = PidFd.open(child.pid ?? 0);
using stderr = pidfd.getFd(2);
console.log(`process ${child.pid} is descriptor ${pidfd.fd}, its stderr is here as ${stderr.fd}`);

pidfd.sendSignal("SIGTERM");
const [, signal] = await once(child, "exit");
console.log(`it was killed by ${signal}`);
assert.equal(signal, "SIGTERM");
assert.throws(() => pidfd.sendSignal(0), { code: "ESRCH" }); // and it never means anybody else
