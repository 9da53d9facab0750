import assert from "node:assert/strict";
import { hostname } from "node:os";
import { openat2, Task } from "@nearfar/core";
import { sethostname, setns, unshare } from "@nearfar/namespaces";
import { setDumpable } from "@nearfar/process";

const nameIn = (task: Task) =>
	task.run(() => {
		using file = openat2("/proc/sys/kernel/hostname");
		return file.read(65).toString().trimEnd();
	});

// In a user namespace of its own the task may make the others, even if an ordinary user runs this program.
await using home = await Task.clone();
home.run(() => {
	unshare(["user", "uts"]);
	sethostname("inside");
});

// Another task joins it, through a pidfd. An ordinary user may enter only the namespaces of a dumpable process.
home.run(() => setDumpable(true));
await using guest = await Task.clone();
using fd = guest.put(home.process.fd);
guest.run(() => setns(fd, ["user", "uts"]));

console.log(`${hostname()} outside, ${nameIn(home)} at home, ${nameIn(guest)} for the guest`);
assert.equal(nameIn(guest), "inside");
assert.notEqual(hostname(), "inside");
