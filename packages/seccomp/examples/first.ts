import assert from "node:assert/strict";
import { openat2, Task } from "@nearfar/core";
import { run, setNoNewPrivs } from "@nearfar/process";
import { installFilter, type SeccompRules } from "@nearfar/seccomp";

// Every call is made but for those that the rules name. What the kernel has newly learned fails as on an older kernel.
const rules: SeccompRules = {
	default: "allow",
	rules: [
		{ calls: ["mkdir", "mkdirat"], action: { errno: "EROFS" } },
		// openat2(2) hides its flags in memory, which a filter does not see: programs fall back to openat(2).
		{ calls: ["io_uring_setup", "openat2"], action: { errno: "ENOSYS" } },
		// Sockets of Unix alone. The kernel takes the low 32 bits of the family, and so does the mask.
		{ calls: ["socket"], args: [{ index: 0, op: "!=", value: 1, mask: 0xffff_ffff }], action: { errno: "EACCES" } },
	],
};

// A program, and all that it starts.
const { code, stderr } = await run("mkdir", ["/tmp/new"], { noNewPrivs: true, seccomp: rules });
console.log(stderr); // mkdir: cannot create directory '/tmp/new': Read-only file system
assert.notEqual(code, 0);

// A task.
await using task = await Task.clone();
task.run(() => {
	setNoNewPrivs();
	installFilter(rules);
});
assert.throws(() => task.run(() => openat2("/")), { code: "ENOSYS", syscall: "openat2" });
