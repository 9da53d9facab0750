import assert from "node:assert/strict";
import { openat2, pipe, Task } from "@nearfar/core";

// A process that makes system calls for this one, in namespaces of its own. This needs no privilege.
await using task = await Task.clone({ namespaces: ["user", "pid", "net"] });

using file = openat2("/proc/net/dev");
const near = file.read(4096).toString();
const far = task.run(() => {
	using file = openat2("/proc/thread-self/net/dev");
	return file.read(4096).toString();
});
console.log(`here:\n${near}in ${task}:\n${far}`);
assert.deepEqual(far.match(/\w+(?=:)/g), ["lo"]);

// From now on the task is a program, whose output comes back through a pipe.
const [read, write] = pipe();
const stdout = task.put(write);
task.run(() => stdout.dupTo(1));
const program = task.exec("sh", ["sh", "-c", "echo my pid is $$"]);
write.close();

const { code } = await program.exited;
const said = read.read(100).toString();
read.close();
console.log(said);
assert.deepEqual({ code, said }, { code: 0, said: "my pid is 1\n" });
