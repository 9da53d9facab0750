import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { openat2, Task } from "@nearfar/core";
import { type LandlockRules, landlock, landlockAbi } from "@nearfar/landlock";
import { run } from "@nearfar/process";

const folder = mkdtempSync("/tmp/first-");
const rules: LandlockRules = {
	paths: [
		{ at: "/usr", allow: ["run"], kind: "directory" },
		{ at: folder, allow: ["write"], kind: "directory" },
	],
};

if (landlockAbi() >= 3) {
	// A program, and all that it starts: the system is read, one folder is written.
	const script = "echo hello > greeting; cat /etc/passwd";
	const { code, stderr, landlock: enforced } = await run("sh", ["-c", script], { cwd: folder, landlock: rules });
	console.log(stderr); // cat: /etc/passwd: Permission denied
	assert.notEqual(code, 0);
	assert.equal(readFileSync(`${folder}/greeting`, "utf8"), "hello\n");
	console.log(enforced); // { abi: 7, level: 3, fs: [ 'execute', … ], net: [], scope: [], dropped: [], errata: 7 }

	// A task.
	await using task = await Task.clone();
	task.run(() => landlock(rules));
	assert.throws(() => task.run(() => openat2("/etc/passwd")), { code: "EACCES", syscall: "openat2" });
}
rmSync(folder, { recursive: true });
