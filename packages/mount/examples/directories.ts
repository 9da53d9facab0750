import assert from "node:assert/strict";
import { Location, mkdir, openat2, SyscallError, Task } from "@nearfar/core";
import { bind, enterRoot, populateDev, populateProc, populateSys, tmpfs } from "@nearfar/mount";

// In a user namespace of its own the task may mount, even if an ordinary user runs this program.
await using task = await Task.clone({ namespaces: ["user", "mnt", "pid", "net", "ipc", "uts"], idMap: "root" });

task.run(() => {
	// The root is built in a mount of its own, and every destination is a descriptor below that root.
	using root = tmpfs(null, { size: "1m", mode: 0o755 });
	for (const name of ["usr", "dev", "proc", "sys"]) mkdir(new Location(root, name), { mode: 0o755 });
	const place = (name: string) => root.open(name, { flags: ["path", "directory"] });

	using usr = place("usr");
	bind("/usr", usr, { set: ["rdonly", "nosuid"] });
	using dev = place("dev");
	populateDev(dev);
	using sys = place("sys");
	populateSys(sys, { cgroup: false });
	using proc = place("proc");
	// A path that is missing is an error, and nothing is mounted then.
	assert.throws(
		() => populateProc(proc, { mask: ["interrupts", "no-such-file"] }),
		(error) => error instanceof SyscallError && error.code === "ENOENT" && error.path === "no-such-file",
	);
	populateProc(proc, { mask: ["interrupts", "bus/"] });
	enterRoot(root);

	openat2("/dev/ptmx", { flags: ["rdwr", "noctty"] }).close(); // a terminal that the host does not see
	openat2("/sys/class/net/lo", { flags: ["directory"] }).close(); // and no other network device
	openat2("/proc/sys/net/ipv4/ip_forward", { flags: ["wronly"] }).close(); // of the network of the task
	using interrupts = openat2("/proc/interrupts");
	assert.equal(interrupts.read(64).length, 0);
	using zero = openat2("/dev/zero");
	assert.deepEqual(zero.read(2), Buffer.alloc(2));
});
