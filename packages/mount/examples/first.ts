import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Task } from "@nearfar/core";
import { mount, mountSetattr, moveMount, openTree } from "@nearfar/mount";

// In a user namespace of its own the task may mount, even if an ordinary user runs this program.
await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });

task.run(() => {
	mount("scratch", "/tmp", "tmpfs", { flags: ["nosuid", "nodev"], data: "size=1m" });
	using tree = openTree("/usr", { flags: ["clone", "recursive"] });
	mountSetattr(tree, { set: ["rdonly"], recursive: true });
	moveMount(tree, "/mnt");
});

const mounts = (pid: number) => readFileSync(`/proc/${pid}/mountinfo`, "utf8");
const made = mounts(task.pid)
	.split("\n")
	.filter((line) => / \/(tmp|mnt) /.test(line));
console.log(made.join("\n"));
assert.match(made.join("\n"), / \/tmp rw,nosuid,nodev.* tmpfs scratch .*\n.* \/mnt ro/);
assert.doesNotMatch(mounts(process.pid), / tmpfs scratch /);
