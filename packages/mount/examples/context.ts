import assert from "node:assert/strict";
import { openat2, SyscallError, Task } from "@nearfar/core";
import { fsmount, fsopen, fspick, openTree } from "@nearfar/mount";

// In a user namespace of its own the task may mount, even if an ordinary user runs this program.
await using task = await Task.clone({ namespaces: ["user", "mnt"], idMap: "root" });

task.run(() => {
	// A file system is configured before it exists. A refused parameter says why, and another try is possible.
	using context = fsopen("tmpfs").setString("source", "scratch");
	try {
		context.setString("size", "much");
	} catch (error) {
		assert(error instanceof SyscallError);
		assert.deepEqual([error.code, error.log], ["EINVAL", ["tmpfs: Bad value for 'size'"]]);
	}
	context.set({ size: "1m", mode: "700" }).create();

	{
		using scratch = fsmount(context, { set: ["nosuid", "nodev"], atime: "noatime" });
		scratch.open("secret", { flags: ["creat", "wronly"], mode: 0o600 }).close(); // no path leads here yet
		scratch.attach("/tmp");
		openat2("/tmp/secret").close();

		using again = fspick("/tmp").setString("size", "2m").reconfigure();
		console.log(again.log());
	}
	assert.throws(() => openat2("/tmp/secret"), { code: "ENOENT" }); // the mount has ended with its scope

	// A copy has its attributes from its first moment (Linux 6.15).
	using usr = openTree("/usr", { flags: ["clone", "recursive"] }).attach("/mnt");
	using program = usr.open("../../bin/env"); // never leaves the mount
	assert(program.fd > 2);
});
