import assert from "node:assert/strict";
import { hostname } from "node:os";
import { openat2, Task } from "@nearfar/core";
import { sethostname, setns, unshare } from "@nearfar/namespaces";

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

// Another task joins, through descriptors of the namespaces. Only `home` itself may open them: a task is not dumpable.
await using guest = await Task.clone();
for (const kind of ["user", "uts"]) {
	using own = home.run(() => openat2(`/proc/self/ns/${kind}`));
	using near = home.get(own);
	using fd = guest.put(near);
	guest.run(() => setns(fd));
}

console.log(`${hostname()} outside, ${nameIn(home)} at home, ${nameIn(guest)} for the guest`);
assert.equal(nameIn(guest), "inside");
assert.notEqual(hostname(), "inside");
