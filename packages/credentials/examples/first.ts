import assert from "node:assert/strict";
import { Task } from "@nearfar/core";
import { getpid, getppid, getsid, getuid, setsid } from "@nearfar/credentials";

await using task = await Task.clone({ namespaces: ["user", "pid"], idMap: "root" });
const inside = task.run(() => {
	setsid();
	return { uid: getuid(), pid: getpid(), parent: getppid(), session: getsid() };
});

console.log("out here:", { uid: getuid(), pid: task.pid, parent: getpid(), session: getsid(task.pid) });
console.log("in there:", inside);
assert.deepEqual(inside, { uid: 0, pid: 1, parent: 0, session: 1 });
