import assert from "node:assert/strict";
import { run, Sandbox } from "@nearfar/sandbox";

// One command. It sees /usr and a working directory of its own, and no network.
const result = await run("sh", ["-c", "id -u; ls /; touch /usr/x"], { preset: "closed", limits: { time: 10_000 } });
console.log(result.stdout, result.stderr); // touch: cannot touch '/usr/x': Read-only file system
assert.notEqual(result.code, 0);

// Many commands, which share files, processes and loopback.
await using sandbox = await Sandbox.open({ preset: "closed" });
(await sandbox.run("sh", ["-c", "echo kept > /tmp/note"])).check();
const { stdout } = (await sandbox.run("cat", ["/tmp/note"])).check();
assert.equal(stdout, "kept\n");
